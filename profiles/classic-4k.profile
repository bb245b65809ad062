# The purse of classic.profile on a card of 4K with a UID of seven bytes.
# Gates hold key A: they read and take. Key B gives value, and belongs to trusted terminals.

[card]
family = classic
about = MIFARE Classic 4K: a native value block with its backup; gates may only take
size = 4K
uid = 7

[purse]
kind = native
access = hardened
sector = 1
main-block = 4
backup-block = 5
key-a = pay, diversified
key-b = topup, diversified
upper = 50000
