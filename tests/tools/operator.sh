#!/bin/bash
# What operators do with orders and cards, and what is said when they name the wrong thing.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
serve
card alice an12113 || exit 1
uid=$(cat alice.uid)
order() {
    "$SCRIP" order create --id "$1" --card "$uid" --amount "$2" --token-out "$1.token" $SERVER >/dev/null &&
        "$SCRIP" order fund "$1" --payment "pay-$1" $SERVER >/dev/null
}
relay() {
    "$SCRIP" topup --reader "${2:-card:alice.card}" --order "$1" --token-file "$1.token" --state "${3:-$1.state}" --server "$URL" --taps 1
}
states() { "$SCRIP" order list $SERVER --state "$1" --json | jq -r '[.orders[].id] | join(" ")'; }

order o1 20
ok "a card is held" "$SCRIP" card hold "$uid" --reason "found in the street" $SERVER
is "and it is said why" 1 "$(grep -c 'held.*; found in the street' out)"
refused "nothing is done with it" 1 ledger "the card is held" relay o1
ok "it is released" "$SCRIP" card release "$uid" $SERVER
is "that is said, too" 1 "$(grep -c 'is free' out)"
ok "it is deny-listed" "$SCRIP" card deny "$uid" --reason "stolen" $SERVER
refused "no order reaches it" 1 ledger "deny-listed" relay o1
ok "it is allowed again, its UID written with blanks" "$SCRIP" card allow "$(sed 's/../& /g' alice.uid)" $SERVER
ok "and topped up" "$SCRIP" topup --currency JPY --reader card:alice.card --order o1 --token-file o1.token --state o1.state \
    --server "$URL" --taps 1
is "the receipt is in the server's currency" 1 "$(grep -c 'topped up: 20,00.*€' out)"

order o2 1
relay o2 fault:cut-after=10:card:alice.card gone.state >/dev/null 2>&1 # the phone is lost with all it knows
is "an order is open" o2 "$(states issued)"
refused "no other way than a claim takes it back" 1 ledger "order is in a state" "$SCRIP" order cancel o2 $SERVER
ok "it is paid back on a claim" "$SCRIP" order claim o2 --reason "phone and card lost" $SERVER
is "it is a claim" "o2" "$(states claimed)"
refused "the card stays on the deny list as long, and for which order" 1 ledger "claim on order o2 is open" "$SCRIP" card allow "$uid" $SERVER

"$SCRIP" card new bob.card $(store issuer.keys) --json >bob.json
uid=$(jq -r .uid bob.json)
"$SCRIP" card register "$uid" --purse an12113 $SERVER >/dev/null
cp bob.card old.card
order o3 2
ok "another card is topped up" relay o3 card:bob.card
cp old.card bob.card
order o4 3
refused "an older image of it is called that" 1 ledger "older than what was seen of it" relay o4 card:bob.card
is "on an older image of it the next order is disputed" o4 "$(states disputed)"
ok "an operator has looked at the card" "$SCRIP" order resolve o4 --decision on-card --memo "seen" $SERVER
is "and decided" "" "$(states disputed)"

card dave an12113
uid=$(cat dave.uid)
order o6 2
ok "one is topped up and copied" relay o6 card:dave.card
cp dave.card old.card
order o7 3
ok "and topped up again" relay o7 card:dave.card
cp old.card dave.card
"$SCRIP" order create --id r1 --card "$uid" --kind read --token-out r1.token $SERVER >/dev/null
refused "reading the copy tells what it is" 1 ledger "older than what was seen of it" relay r1 card:dave.card
is "and does not end the order" r1 "$(states started)"
refused "nor once more" 1 ledger "the card is held" relay r1 card:dave.card

"$SCRIP" card new carol.card $(store issuer.keys) --json >carol.json
"$SCRIP" card register "$(jq -r .uid carol.json)" --purse an12113 $SERVER >/dev/null
"$SCRIP" credit 5 --reference 1 --reader card:carol.card $(store issuer.keys) --journal till.journal --terminal-id 00000001 >/dev/null
uid=$(jq -r .uid carol.json)
order o5 1
ok "a card that was given value past the book is topped up" relay o5 card:carol.card
refused "and found out when the book is reconciled" 1 ledger "given value past the book" "$SCRIP" ledger reconcile --ledger book.db
is "by its name" 1 "$(grep -c "^card $uid .*fork" out)"

is "states are words of the option" 2 "$("$SCRIP" order list --state nonsense $SERVER >/dev/null 2>&1; echo $?)"
is "an id is no way out of the path" 2 "$("$SCRIP" order show ../cards $SERVER >/dev/null 2>&1; echo $?)"
is "a blank is no part of one" 2 "$("$SCRIP" order show 'a b' $SERVER >/dev/null 2>&1; echo $?)"
is "nothing is none" 2 "$("$SCRIP" order show '' $SERVER >/dev/null 2>&1; echo $?)"
ok "a card's orders are listed, its UID written with blanks" "$SCRIP" order list $SERVER --card "$(sed 's/../& /g' alice.uid)"
is "all of them" "2" "$(grep -c "$(cat alice.uid)" out)"

port=${URL##*:}
refused "a port that another program has" 1 network "cannot listen there" "$SCRIP" serve --port "$port" --ledger book.db \
    $(store issuer.keys)
refused "a file that is no ledger" 1 ledger "no ledger of scrip" "$SCRIP" serve --port 0 --ledger pass $(store issuer.keys)
refused "nor to look into" 1 ledger "no ledger of scrip" "$SCRIP" ledger verify --ledger pass
refused "a ledger that is not there" 1 file "nowhere.db" "$SCRIP" ledger verify --ledger nowhere.db
refused "a certificate that is not there" 1 file "nowhere.pem" "$SCRIP" serve --port 0 --ledger other.db $(store issuer.keys) \
    --cert nowhere.pem --cert-key nowhere.key
serve_wrongly() { "$SCRIP" serve --ledger none.db --operator-key-file none.key $(store issuer.keys) "$@" >/dev/null 2>err; echo $?; }
for wrong in "--port 70000" "--listen localhost" "--idle-timeout 1000000" "--connections x" "--cert one.pem" "--currency XYZ" \
    "--server-id 12" "--order-days -1"; do
    is "serve $wrong is a mistake" 2 "$(serve_wrongly $wrong)"
done
is "so is a certificate that is not there, if its key is not either" 1 "$(serve_wrongly --cert nowhere.pem --cert-key nowhere.key)"
is "and no mistake leaves a ledger or a key behind" "" "$(ls none.* other.db 2>/dev/null)"
refused "what is no checkpoint" 1 file "not what ledger checkpoint prints" "$SCRIP" ledger verify --ledger book.db \
    --checkpoint pass $(store issuer.keys)
finish
