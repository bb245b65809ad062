#!/bin/bash
# Every named error, provoked for real: its own message, its layer, the state of the card, the remedy, exit code 1.
. "$(dirname "$0")/lib.sh"
# state WORDS TEXT: the last message says this of the card
state() { grep -q "card:   $1" err || { echo "FAILED: $2: the state of the card is not said: $(cat err)"; failures=$((failures + 1)); }; }
issuer || exit 1
serve
card alice an12113 || exit 1
"$SCRIP" terminal create 00000042 --merchant kiosk $SERVER >/dev/null || exit 1
ok "a top-up of 20 EUR" topup alice a1 20
is "the book is its owner's alone" "600 600" "$(stat -c %a book.db book.db-wal | tr '\n' ' ' | sed 's/ $//')"

printf 'other\n' >pass2
"$SCRIP" keys init other.keys --passphrase-file pass2 --test-cost >/dev/null
refused "a terminal with the keys of another issuer: wrong key" 1 key "key offered is not the key on the card" \
    "$SCRIP" balance --reader card:alice.card --keys other.keys --passphrase-file pass2
state "nothing on the card was changed" "wrong key"
refused "a wrong passphrase" 1 key "key store cannot be opened" \
    "$SCRIP" balance --reader card:alice.card --keys issuer.keys --passphrase-file pass2
"$SCRIP" card new blank.card --blank >/dev/null
refused "a card without the purse: wrong application" 1 card "no such application" \
    "$SCRIP" balance --reader card:blank.card $(store gate.keys)
state "nothing on the card was changed" "wrong application"
printf '90CA00000599440109 0400\n' | "$SCRIP" card exchange blank.card >/dev/null # the same AID with DES keys
refused "an application with keys of another type: wrong key type" 1 key "of another type" \
    "$SCRIP" balance --reader card:blank.card $(store gate.keys)
state "nothing on the card was changed" "wrong key type"
sed 's/^read = pay/read = topup/' "$SCRIP_PROFILES/an12113.profile" >strict.profile
"$SCRIP" card new strict.card --profile ./strict.profile $(store issuer.keys) >/dev/null
refused "a key that may not read the value: missing right" 1 right "may not do this" \
    "$SCRIP" balance --reader card:strict.card $(store gate.keys)
state "nothing on the card was changed" "missing right"
refused "a terminal's store cannot credit: missing key" 1 key "no key for this" \
    "$SCRIP" credit 1 --reference 9 --reader card:alice.card $(store gate.keys) --journal t.journal --terminal-id 00000001
refused "more than the card may hold: limit" 1 limit "limit of the card" \
    "$SCRIP" credit 499 --reference 9 --reader card:alice.card $(store issuer.keys) --journal t.journal \
    --terminal-id 00000001
state "nothing on the card was changed" "limit"
refused "more than there is on the card" 1 limit "not enough value" pay alice 20.01
state "nothing on the card was changed" "not enough value"
lines=$(sha256sum <gate.journal)
refused "an amount in yen from a card of euros: another currency" 1 card "card's header says EUR" pay alice 1 an12113 \
    card:alice.card --currency JPY
state "nothing on the card was changed" "another currency"
is "nor written down" "$lines" "$(sha256sum <gate.journal)"
for command in "balance" "history" "recover --journal gate.journal" \
    "credit 1 --reference 9 --journal t.journal --terminal-id 00000001"; do
    refused "a card of euros in yen: ${command%% *}" 1 card "card's header says EUR" \
        "$SCRIP" $command --reader card:alice.card $(store issuer.keys) --currency JPY
done
is "a currency that there is not is a mistake" 2 "$(pay alice 1 an12113 card:alice.card --currency XYZ 2>/dev/null; echo $?)"
is "the card's own is no other" 0 "$("$SCRIP" history --reader card:alice.card $(store gate.keys) --currency eur >out; echo $?)"
"$SCRIP" card new yen.card --currency JPY $(store issuer.keys) >/dev/null
ok "a card of yen is given yen" "$SCRIP" credit 500 --reference 1 --reader card:yen.card $(store issuer.keys) \
    --journal t.journal --terminal-id 00000001 --currency JPY
ok "and takes them" pay yen 200 an12113 card:yen.card --currency JPY
is "as many as were asked for" 300 "$(balance yen)"
ok "it shows them without being told to" "$SCRIP" balance --reader card:yen.card $(store gate.keys)
is "in their own format" 1 "$(grep -c '¥300' out)"

refused "a card torn out of the field: torn card" 1 card "left the field" \
    pay alice 1 an12113 fault:cut-after=13:card:alice.card
state "the card holds either the old or the new value" "torn"
ok "the same terminal finds its own record" pay alice 1
is "and takes nothing twice" 1900 "$(balance alice)"

refused "an order for a card that nobody registered: unknown card" 1 ledger "does not know this card" \
    "$SCRIP" order create --card 04AABBCCDDEE11 --amount 1 $SERVER
state "nothing on the card was changed" "unknown card"
"$SCRIP" order create --id f1 --card "$(cat alice.uid)" --amount 1 $SERVER >/dev/null
ok "an order is funded" "$SCRIP" order fund f1 --payment p1 $SERVER
ok "the same payment may be told again" "$SCRIP" order fund f1 --payment p1 $SERVER
refused "a second payment for the same order: funded twice" 1 ledger "funded already" \
    "$SCRIP" order fund f1 --payment p2 $SERVER
state "nothing on the card was changed" "funded twice"
"$SCRIP" order create --id f3 --card "$(cat alice.uid)" --amount 1 $SERVER >/dev/null
refused "one payment for two orders is not funded twice" 1 ledger "used before for something else" \
    "$SCRIP" order fund f3 --payment p1 $SERVER
refused "an id used before for something else: conflict" 1 ledger "used before for something else" \
    "$SCRIP" order create --id f1 --card "$(cat alice.uid)" --amount 2 $SERVER
"$SCRIP" order create --id f2 --card "$(cat alice.uid)" --amount 1 $SERVER >/dev/null
ok "an order is cancelled" "$SCRIP" order cancel f2 $SERVER
refused "a cancelled order cannot be funded" 1 ledger "order" "$SCRIP" order fund f2 --payment p3 $SERVER
refused "an unknown order" 1 ledger "no such order" "$SCRIP" order show nothing $SERVER
printf 'wrong\n' >wrong.key
refused "a wrong API key" 1 network "did not accept the key" \
    "$SCRIP" order list --server "$URL" --api-key-file wrong.key

relay() {
    "$SCRIP" topup --reader "card:$2.card" --order "$1" --token-file "${3:-$1}.token" --state "$1.state" --server "$URL" --taps 1
}
order() {
    "$SCRIP" order create --id "$1" --card "$(cat "$2.uid")" --amount "$3" --token-out "$1.token" $SERVER >/dev/null &&
        "$SCRIP" order fund "$1" --payment "pay-$1" $SERVER >/dev/null
}
cp alice.card old.card
ok "the card goes on" topup alice a2 1
ok "and pays" pay alice 0.50
order r1 alice 1
"$SCRIP" topup --reader fault:cut-after=10:card:alice.card --order r1 --token-file r1.token --state gone.state \
    --server "$URL" --taps 1 >/dev/null 2>&1 # nobody learns what became of it
cp alice.card new.card
cp old.card alice.card
refused "a card restored from a copy: rollback" 1 ledger "older state than was seen before" relay r1 alice
state "the card holds either" "an order is open"
cp new.card alice.card
refused "afterwards the card is held: held card" 1 ledger "the card is held" relay r1 alice
state "the card holds either" "an order is open still"
order r2 alice 1
refused "and so for an order that has not reached it" 1 ledger "the card is held" relay r2 alice
state "nothing on the card was changed" "a held card"

card bob an12113
curl -s -H "Authorization: Bearer $(cat operator.key)" -H 'Content-Type: application/json' "$URL/api/v1/orders" \
    -d "{\"id\":\"e1\",\"card\":\"$(cat bob.uid)\",\"kind\":\"topup\",\"amount\":100,\"currency\":\"EUR\",\"expires\":$(($(date +%s) + 2))}" \
    >e1.json
jq -r .phone_token e1.json >e1.token
"$SCRIP" order fund e1 --payment e1 $SERVER >/dev/null
sleep 2.1
refused "an order whose time is over: expired order" 1 ledger "not used in time" \
    "$SCRIP" topup --reader card:bob.card --order e1 --token-file e1.token --state e1.state --server "$URL" --taps 1
state "nothing on the card was changed" "expired order"

card carol an12113
"$SCRIP" terminal create 00000043 --merchant kiosk $SERVER >/dev/null
SERVER= card dave an12113 # nobody registered it
ok "a top-up of 5 EUR" topup carol c1 5
ok "a top-up that its issuer never heard of" "$SCRIP" credit 5 --reference 1 --reader card:dave.card \
    $(store issuer.keys) --journal other.journal --terminal-id 00000044
refused "the same order at another desk: the card remembers" 1 ledger "credited that order" \
    "$SCRIP" credit 5 --reference 1 --reader card:dave.card $(store issuer.keys) --journal desk.journal --terminal-id 00000045
charge() {
    "$SCRIP" pay 0.01 --reader "card:$1.card" $(store gate.keys) --journal long.journal --terminal-id 00000043
}
uploaded() { "$SCRIP" terminal journal long.journal --json | jq '[.lines[] | select(.uploaded)] | length'; }
ok "a debit of a card that the server does not know yet" charge dave
ok "a credit that no order knows" "$SCRIP" credit 1 --reference 2 --reader card:dave.card $(store issuer.keys) \
    --journal long.journal --terminal-id 00000043
for _ in $(seq 201); do charge carol >/dev/null || break; done # more than one request of an upload holds
refused "a line that is refused stays in the journal" 1 ledger "the server refused" \
    "$SCRIP" terminal upload long.journal $SERVER
is "which line, why, and what to do are said" "1 1" \
    "$(grep -c 'detail: line 2: a credit is booked by its order' err) $(grep -c 'remedy: .*--taken' err)"
is "and so does what came after it; the unknown card's line is set aside" 1 "$(uploaded)"
"$SCRIP" card register "$(cat dave.uid)" --purse an12113 --transactions "$(jq .tmc dave.json)" $SERVER >register.json --json
is "it is booked when the card is registered" -1 "$(jq .float.minor register.json)"
ok "an operator gives up the refused one" "$SCRIP" terminal journal long.journal --taken 2
ok "and the rest comes again" "$SCRIP" terminal upload long.journal $SERVER --json
is "booked the first time" "201 203" "$(jq .known out) $(uploaded)"

order g1 carol 499
refused "over the air: limit" 1 limit "limit of the card" relay g1 carol
state "nothing on the card was changed" "the card refused the credit"
order g2 carol 1
refused "over the air: another card" 1 card "for another card" relay g2 dave
state "nothing on the card was changed" "it is not even the card of the order"
refused "over the air: the token of another order" 1 network "token-file" relay g2 carol g1
"$SCRIP" card new blank2.card --blank --json | jq -r .uid >blank2.uid
"$SCRIP" card register "$(cat blank2.uid)" --purse an12113 $SERVER >/dev/null
order g3 blank2 1
refused "over the air: wrong application" 1 card "no such application" relay g3 blank2
state "nothing on the card was changed" "it has no purse"
"$SCRIP" card new other.card --profile an12113 --keys other.keys --passphrase-file pass2 --json | jq -r .uid >other.uid
"$SCRIP" card register "$(cat other.uid)" --purse an12113 $SERVER >/dev/null
order g5 carol 1
ok "over the air: without a home" env -u HOME -u XDG_STATE_HOME "$SCRIP" topup --reader card:carol.card --order g5 \
    --token-file g5.token --server "$URL" --taps 1
is "nothing is put where others could" "1 no" "$(grep -c 'next tap has to settle' err) $(test -e /tmp/.local && echo yes || echo no)"
order g4 other 1
refused "over the air: wrong key" 1 key "key offered is not the key on the card" relay g4 other
state "nothing on the card was changed" "no session was begun"
refused "a key file that is not there" 1 file "nowhere.key" "$SCRIP" order list --server "$URL" --api-key-file nowhere.key

printf 'short\n' >short.key
refused "an operator's key that can be guessed" 1 file "16 to 126 characters" "$SCRIP" serve --port 0 --ledger other.db \
    $(store issuer.keys) --operator-key-file short.key
(
    "$SCRIP" serve --port 0 --listen 0.0.0.0 --ledger other.db $(store issuer.keys) >out 2>err &
    for _ in $(seq 50); do
        grep -q listening out && break
        sleep 0.1
    done
    kill $!
    wait $!
)
is "a server that is open to the network without TLS says so" 1 "$(grep -c "without TLS" err)"

stop_server
/usr/bin/python3 "$here/expired.py" old.pem old.key
"$SCRIP" serve --port 0 --ledger book.db $(store issuer.keys) --operator-key-file operator.key --cert old.pem \
    --cert-key old.key --json >old.json 2>old.log &
server_pid=$!
for _ in $(seq 100); do
    OLD=$(jq -r '.url // empty' old.json 2>/dev/null)
    [ -n "$OLD" ] && break
    sleep 0.1
done
refused "a certificate of another time: clock skew" 1 clock "does not agree" \
    "$SCRIP" order show a1 --server "$OLD" --ca old.pem --api-key-file operator.key
refused "and so for the phone" 1 clock "does not agree" "$SCRIP" topup --reader card:carol.card --order g2 \
    --token-file g2.token --state g2.state --server "$OLD" --ca old.pem --taps 1 --give-up 1
state "nothing on the card was changed" "clock skew"
stop_server
refused "a server that is not there: network" 1 network "could not be reached" \
    "$SCRIP" order show a1 --server "$URL" --api-key-file operator.key
refused "no reader of that name" 1 reader "reader" "$SCRIP" balance --reader nonsense:1 $(store gate.keys)
refused "no such card file" 1 reader "" "$SCRIP" balance --reader card:nowhere.card $(store gate.keys)
finish
