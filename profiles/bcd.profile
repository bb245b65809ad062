# The BCD wallet that makers build: eight decimal digits, their complement, and the same again in the next block.
# One key does everything, as in the original code: a gate can make value. For cards that must stay compatible.

[card]
family = classic
about = MIFARE Classic: the BCD wallet of makers, on the layout of the original code
size = 1K
uid = 4

[purse]
kind = bcd
access = compatible
sector = 1
main-block = 4
backup-block = 5
key-a = bcd
key-b = bcd
upper = 99999999
