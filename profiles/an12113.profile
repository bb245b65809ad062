# The wallet application of NXP AN12113: one value file, two logs, a Transaction MAC.
# Gates hold the key `pay`: they read, debit and log. Only the server holds `topup`.

[card]
family = desfire
about = EV2 and EV3, as in NXP AN12113: four keys, Transaction MAC
generation = EV3
storage = 8K

[application 014499]
settings = 09
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
read = pay
write = pay
read-write = pay
change = amk
more = topup never never never
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

[file 15]
type = tmac
comm = mac
read = topup
write = never
read-write = topup
change = amk
more = pay never pay never

[purse]
messaging = EV2
header-file = 1
log-file = 2
value-file = 3
topup-file = 4
tmac-file = 15
pay-key = pay
write-key = write
topup-key = topup
id-key = none
reader-id = yes
long-codes = yes
log-by-server = yes
