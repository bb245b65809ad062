#!/bin/bash
# One gate serves storage cards, registered before and after, and their takings reach the book: what a card holds is
# what the book says, less what is not uploaded yet.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
"$SCRIP" keys export-terminal till.keys --keys issuer.keys --passphrase-file pass --with-bcd --test-cost >/dev/null || exit 1
serve
"$SCRIP" terminal create 00000042 --merchant kiosk $SERVER >/dev/null || exit 1
"$SCRIP" terminal create 00000001 --merchant desk $SERVER >/dev/null || exit 1

gate() { echo "$(store till.keys) --journal gate.journal --terminal-id 00000042"; }
desk() { echo "$(store issuer.keys) --journal desk.journal --terminal-id 00000001"; }
on() { echo "--reader card:$1.card --purse $1"; }
left() { "$SCRIP" balance $(on "$1") $(store issuer.keys) --json | jq .balance; }
book() { "$SCRIP" ledger reconcile --ledger book.db --json | jq --arg uid "$(uid "$1")" '.cards[] | select(.uid == $uid) | .float'; }
account() {
    curl -s -H "Authorization: Bearer $(head -1 operator.key)" "$URL/api/v1/ledger/balances" | jq ".balances.$1.minor"
}
upload() { "$SCRIP" terminal upload "$1.journal" $SERVER; }
uid() {
    case $1 in
    classic) echo 11223344000000 ;;
    bcd) echo 55667788000000 ;;
    otp) echo 99AABBCC000000 ;;
    esac
}

"$SCRIP" card new classic.card --profile classic --blank --uid 11223344 >/dev/null || exit 1
"$SCRIP" card new bcd.card --profile classic --blank --uid 55667788 >/dev/null || exit 1
"$SCRIP" card new otp.card --profile otp --blank --uid 99AABBCC >/dev/null || exit 1
ok "a purse is made with a value" "$SCRIP" purse init --amount 20 $(on classic) $(store issuer.keys)
ok "or without" "$SCRIP" purse init $(on bcd) $(store issuer.keys)
ok "or is all value" "$SCRIP" purse init --amount 30 --unit 0.50 $(on otp) $(store issuer.keys)
ok "a card is registered by its short UID, with its value" \
    "$SCRIP" card register 11223344 --purse classic --balance 20 $SERVER
grep -q "takes no orders" out
is "and is known to take no orders" 0 $?
ok "the same again" "$SCRIP" card register 11223344 --purse classic --balance 20 $SERVER
ok "another one by its long UID" "$SCRIP" card register 55667788000000 --purse bcd $SERVER
refused "no top-up is ordered for it" 1 card "takes no orders" \
    "$SCRIP" order create --id o1 --card 11223344 --amount 5 --token-out o1.token $SERVER

ok "the desk credits" "$SCRIP" credit 5 --reference 1 $(on bcd) $(desk)
for purse in classic bcd otp; do
    ok "$purse pays at the gate" "$SCRIP" pay 2.50 $(on $purse) $(gate)
    "$SCRIP" pay 0.50 --reader "fault:cut-after=5:card:$purse.card" --purse $purse $(gate) >/dev/null 2>&1
done
is "before the upload the book has what the cards were made with" "2000 0" "$(book classic) $(book bcd)"
ok "the gate's journal is uploaded" upload gate
is "and a card that nobody registered holds nothing up" 6 \
    "$("$SCRIP" terminal journal gate.journal --json | jq '[.lines[] | select(.uploaded)] | length')"
ok "the desk's journal is uploaded" upload desk
for purse in classic bcd otp; do # a torn payment is settled at the next visit, and its line comes again
    ok "$purse: what was torn is settled" "$SCRIP" pay 0.50 $(on $purse) $(gate)
done
is "the book is behind by what is not uploaded" 50 $(($(book classic) - $(left classic)))
ok "the rest is uploaded" upload gate
ok "the one-time wallet is registered at last" \
    "$SCRIP" card register 99AABBCC --purse otp --balance 30 $SERVER
for purse in classic bcd otp; do
    is "$purse: the book has what the card holds" "$(left $purse)" "$(book $purse)"
done
is "the values are these" "1700 200 2700" "$(left classic) $(left bcd) $(left otp)"
ok "everything once more" "$SCRIP" terminal upload gate.journal --all $SERVER
ok "and the desk's" "$SCRIP" terminal upload desk.journal --all $SERVER
for purse in classic bcd otp; do
    is "$purse: nothing is booked twice" "$(left $purse)" "$(book $purse)"
done
is "the merchants have what was taken, less what the desk gave" 400 "$(account MERCHANT)"
is "every card is in step" 3 "$("$SCRIP" ledger reconcile --ledger book.db --json | jq .in_step)"
ok "the book verifies" "$SCRIP" ledger verify --ledger book.db
stop_server
finish
