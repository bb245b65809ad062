# A card that is sold with a value and can only be spent: one bit per unit, and a programmed bit never returns.

[card]
family = otp
about = OTP memory: the one-time wallet; one bit per unit, debits only

[purse]
kind = otp
key-a = pay, diversified
key-b = topup, diversified
unit = 50
units = 100
