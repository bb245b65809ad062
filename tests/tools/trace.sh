#!/bin/bash
# A capture of a payment is told in words, with the session opened; a wrong byte is pointed at; no key is shown.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
"$SCRIP" card new a.card $(store issuer.keys) >/dev/null || exit 1
ok "a credit is captured" "$SCRIP" credit 5 --reference 1 --reader trace:a.txt:card:a.card $(store issuer.keys) \
    --journal j --terminal-id 00000001
ok "it is explained" "$SCRIP" trace explain a.txt $(store issuer.keys) --json
is "nothing is wrong" 0 "$(jq .wrong out)"
is "nothing stays closed" 0 "$(jq .unopened out)"
is "messages were opened" 1 "$(jq 'if .opened > 5 then 1 else 0 end' out)"
ok "in words" "$SCRIP" trace explain a.txt $(store issuer.keys)
is "the amount can be read" 1 "$(grep -c -m1 -i 'credit.*500\|500.*credit' out)"
ok "without keys too" "$SCRIP" trace explain a.txt --json
is "then sessions stay closed" 1 "$(jq 'if .unopened > 3 then 1 else 0 end' out)"
ok "pcapng is captured" "$SCRIP" balance --reader trace:a.pcapng:card:a.card $(store issuer.keys)
ok "and explained" "$SCRIP" trace explain a.pcapng $(store issuer.keys)
refused "what is no capture" 1 file "format" "$SCRIP" trace explain issuer.keys
is "and what one would be is said" 1 "$(grep -c 'neither pcapng nor the text form' err)"
finish
