# A purse on MIFARE Classic: a value block that the card itself adds to and subtracts from, and its backup.
# Gates hold key A: they read and take. Key B gives value, and belongs to trusted terminals.

[card]
family = classic
about = MIFARE Classic: a native value block with its backup; gates may only take
size = 1K
uid = 4

[purse]
kind = native
access = hardened
sector = 1
main-block = 4
backup-block = 5
key-a = pay, diversified
key-b = topup, diversified
upper = 50000
