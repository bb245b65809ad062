# For old cards: EV1 secure messaging with AES. There is no Transaction MAC, so a debit is proved
# to the issuer by the card's own log and the terminal's journal.
# The directory is free to read (settings 0B), so that a server can prove an emptied top-up log.

[card]
family = desfire
about = old cards: EV1 secure messaging with AES, no Transaction MAC
generation = EV1
storage = 8K

[application 014499]
settings = 0B
key 0 = amk
key 1 = pay, diversified
key 2 = write, diversified
key 3 = topup, diversified

[file 1]
type = backup
comm = full
read = pay
write = write
read-write = write
change = amk
size = 128

[file 2]
type = cyclic
comm = full
read = topup
write = pay
read-write = pay
change = amk
record-size = 16
records = 11

[file 3]
type = value
comm = full
read = pay
write = topup
read-write = topup
change = amk
lower = 0
upper = 50000

[file 4]
type = cyclic
comm = full
read = pay
write = topup
read-write = topup
change = amk
record-size = 16
records = 11

[purse]
messaging = EV1
header-file = 1
log-file = 2
value-file = 3
topup-file = 4
tmac-file = none
pay-key = pay
write-key = write
topup-key = topup
id-key = none
log-by-server = yes
