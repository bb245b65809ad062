#!/bin/bash
# Every profile, by the program alone: made, registered, topped up over the air, spent offline, uploaded, in step.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
"$SCRIP" keys export-terminal gate.keys2 --with-id --keys issuer.keys --passphrase-file pass --test-cost >/dev/null
mv gate.keys2 gate.keys
serve
"$SCRIP" terminal create 00000042 --merchant kiosk $SERVER >/dev/null || exit 1
"$SCRIP" card new otp.card --profile otp $(store issuer.keys) >/dev/null
ok "a one-time wallet pays at the same gate" pay otp 2.50 otp
for profile in an12113 split ev1 plain an12113+random-id an12113+smallest; do
    ok "$profile is made" card "$profile" "$profile"
    ok "$profile is topped up" topup "$profile" "t-${profile//+/.}" 10
    ok "$profile pays" pay "$profile" 2.50 "$profile"
    is "$profile holds the rest" 750 "$(balance "$profile" "$profile")"
    ok "$profile shows its history" "$SCRIP" history --reader "card:$profile.card" $(store gate.keys) --purse "$profile"
    ok "$profile passes the lint" "$SCRIP" card lint "$profile"
done
ok "the journal is uploaded" "$SCRIP" terminal upload gate.journal $SERVER
grep -q "1 set aside" out
is "with the line of a card that nobody registered" 0 $?
"$SCRIP" terminal upload gate.journal --all $SERVER --json >again.json
is "a second upload books nothing" "0 0 1" "$(jq -r '"\(.booked) \(.refused) \(.aside)"' again.json)"
is "and the server has every line" 7 \
    "$("$SCRIP" terminal journal gate.journal --json | jq '[.lines[] | select(.uploaded)] | length')"
"$SCRIP" ledger reconcile --ledger book.db --json >reconciled.json
is "every card is in step" 6 "$(jq .in_step reconciled.json)"
is "the book has the rest of each" "750" "$(jq -r '[.cards[].float] | unique | join(" ")' reconciled.json)"
ok "the book verifies" "$SCRIP" ledger verify --ledger book.db
"$SCRIP" ledger checkpoint --ledger book.db $(store issuer.keys) >checkpoint.txt
ok "and with a checkpoint" "$SCRIP" ledger verify --ledger book.db --checkpoint checkpoint.txt $(store issuer.keys)
stop_server
sqlite3 book.db 'DROP TRIGGER entry_is_never_removed; DELETE FROM entry WHERE rowid = (SELECT max(rowid) FROM entry)'
refused "a cut tail is found" 1 ledger "book is not right" \
    "$SCRIP" ledger verify --ledger book.db --checkpoint checkpoint.txt $(store issuer.keys)
finish
