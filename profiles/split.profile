# Table 1 of AN12113: two sets of access conditions. Gates hold keys 1 and 2, key 3 changes
# settings, and only key 4, the server's, may credit.

[card]
family = desfire
about = EV2 and EV3, two sets of access conditions: gate keys 1 and 2, server key 4
generation = EV3
storage = 8K

[application 014499]
settings = 09
key 0 = amk
key 1 = pay, diversified
key 2 = write, diversified
key 3 = amk, diversified
key 4 = topup, diversified

[file 1]
type = backup
comm = full
read = pay
write = write
read-write = write
change = 3
more = topup topup topup never
size = 128

[file 2]
type = cyclic
comm = full
read = pay
write = pay
read-write = pay
change = 3
more = topup never never never
record-size = 16
records = 11

[file 3]
type = value
comm = full
read = pay
write = never
read-write = never
change = 3
more = topup topup topup never
lower = 0
upper = 50000

[file 4]
type = cyclic
comm = full
read = pay
write = never
read-write = never
change = 3
more = topup topup topup never
record-size = 16
records = 11

[file 15]
type = tmac
comm = mac
read = pay
write = never
read-write = pay
change = 3
more = topup never topup never

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
