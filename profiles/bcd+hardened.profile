# The BCD wallet with two keys, one pair per card: key A reads, key B writes. A debit is a write too, so tills hold
# key B; a display or a gate that only looks holds key A.

[card]
family = classic
about = MIFARE Classic: the BCD wallet with keys per card; key A reads, key B writes
size = 1K
uid = 4

[purse]
kind = bcd
access = hardened
sector = 1
main-block = 4
backup-block = 5
key-a = pay, diversified
key-b = bcd, diversified
upper = 99999999
