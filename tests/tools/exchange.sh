#!/bin/bash
# scrip card exchange: APDUs in, responses out, given random bytes, power cycles; kill -9 tears like a chip.
. "$(dirname "$0")/lib.sh"
"$SCRIP" card new a.card --blank --uid 045B2C8A916E80 >/dev/null || exit 1
printf '9060000000\n90AF000000\n# a comment\n\n90af 00 00 00\n' | "$SCRIP" card exchange a.card >out
is "GetVersion of an EV3" "04010133001A0591AF 04010103001A0591AF" "$(head -2 out | tr '\n' ' ' | sed 's/ $//')"
is "one line for each command" 3 "$(wc -l <out)"
is "the UID is in the third frame" 045B2C8A916E80 "$(sed -n 3p out | cut -c1-14)"
# A fresh card's key is DES, all zero; its challenge is the given bytes, enciphered.
printf '900A0000010000\n' | "$SCRIP" card exchange a.card --random 0011223344556677 >one
printf '900A0000010000\nRESET\n900A0000010000\n' | "$SCRIP" card exchange a.card --random 00112233 \
    --random 445566770011223344556677 >two
is "given random bytes make the card repeatable" "$(cat one) $(cat one)" "$(tr '\n' ' ' <two | sed 's/ $//')"
printf '900A0000010000\n' | "$SCRIP" card exchange a.card --random 0011 >out 2>err
is "fewer than the card draws are told as that" "2 1" "$? $(grep -c 'draws 8 bytes at once, and 2 are left' err)"
printf 'zz\n' | "$SCRIP" card exchange a.card >out 2>err
is "what is no hex is wrong usage" 2 $?
printf '906000000\n' | "$SCRIP" card exchange a.card >out 2>err
is "and so is half a byte" 2 $?
printf '9060000000\n' | "$SCRIP" card exchange a.card --json >out.json
is "in JSON too" 04010133001A0591AF "$(jq -r '.responses[0]' out.json)"

"$SCRIP" card new long.card --blank >/dev/null
data=$(printf 'A7%.0s' $(seq 4096)) # the longest write there is, in one extended APDU
printf '%s\n' 90CA0000050100000F0100 905A00000301000000 90CD0000070100EEEE00100000 "903D000000100701000000001000${data}0000" \
    90BD00000701FF0F0001000000 | "$SCRIP" card exchange long.card >out
is "4096 bytes go in one command" "9100 9100 9100 9100 A79100" "$(tr '\n' ' ' <out | sed 's/ $//')"
printf '%s\n' "90$data$data" | "$SCRIP" card exchange long.card >out 2>err
is "what is longer is said to be" "2 1" "$? $(grep -c 'longer than any command' err)"
(sleep 3 | "$SCRIP" card exchange a.card) &
sleep 0.3
refused "a card is in one field at a time" 1 file "in use by another" "$SCRIP" card exchange a.card </dev/null
wait
finish
