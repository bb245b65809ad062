# A card that programs knowing nothing but ISO 7816-4 can select by name (F0 "scrip" 01) and whose
# header they can read. EV1 messaging, no Transaction MAC.

[card]
family = desfire
about = DF name and ISO file ids; ISO 7816-4 clients read the header; EV1 messaging, no Transaction MAC
generation = EV1
storage = 8K

[application 014499]
settings = 0B
iso-fid = DF01
df-name = F0736372697001
key 0 = amk
key 1 = pay, diversified
key 2 = write, diversified
key 3 = topup, diversified

[file 1]
type = standard
comm = full
read = free
write = write
read-write = write
change = amk
iso-fid = EF01
size = 128

[file 2]
type = cyclic
comm = full
read = topup
write = pay
read-write = pay
change = amk
iso-fid = EF02
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
iso-fid = EF04
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
header-open = yes
