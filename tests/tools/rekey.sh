#!/bin/bash
# New card keys, by the program alone: added to the store, and brought to cards one by one while all of them go on paying.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
serve
card alice an12113 || exit 1
card erna ev1 || exit 1
card rita an12113+random-id || exit 1
"$SCRIP" keys export-terminal gate-id.keys --keys issuer.keys --passphrase-file pass --test-cost --with-id >/dev/null || exit 1
ok "alice is topped up" topup alice a1 20
ok "erna is topped up" topup erna e1 20
ok "rita is topped up" topup rita r1 20
is "a new card has the store's version" 1 "$(jq .key_version alice.json)"

# ---- new keys in the store, and in the terminals'
cp gate.keys old-gate.keys
cp issuer.keys old-issuer.keys
for role in pay write topup; do
    ok "a new $role key" "$SCRIP" keys add $(store issuer.keys) --role $role --test-cost
    [ $role = pay ] || continue
    ok "a card made half way" "$SCRIP" card new half.card $(store issuer.keys) --json
    cp out half.json
    is "has the newest of each; the server opens it with the one for top-ups" 1 "$(jq .key_version half.json)"
    grep -q "version 2 of the pay key, 1 of write and 1 of topup" err ||
        { echo "FAILED: different versions are not said: $(cat err)"; failures=$((failures + 1)); }
    is "and each key says which it is" "9100 029100 019100 019100" "$(printf '%s\n' 905A00000399440100 90640000010100 \
        90640000010200 90640000010300 | "$SCRIP" card exchange half.card | paste -sd' ')"
done
rm gate.keys gate-id.keys
ok "terminals get both versions" "$SCRIP" keys export-terminal gate.keys $(store issuer.keys) --test-cost
ok "and those that meet random UIDs" "$SCRIP" keys export-terminal gate-id.keys $(store issuer.keys) --test-cost --with-id

# ---- cards of the older version go on
paid() { # paid NAME AMOUNT PROFILE KEYS
    "$SCRIP" pay "$2" --reader "card:$1.card" $(store "$4") --journal gate.journal --terminal-id 00000042 --purse "$3" --json
}
ok "the older alice pays" paid alice 1 an12113 gate.keys
is "with the older key" 1 "$(jq .key_version out)"
grep -q "this card has version 1 of the pay key" err || { echo "FAILED: the version is not said: $(cat err)"; failures=$((failures + 1)); }
ok "the older erna pays" paid erna 1 ev1 gate.keys
is "with the older key" 1 "$(jq .key_version out)"
ok "the older rita pays" paid rita 1 an12113+random-id gate-id.keys
is "with the older key" 1 "$(jq .key_version out)"
is "the balance is read" 1900 "$(balance alice)"
ok "so is the history" "$SCRIP" history --reader card:alice.card $(store gate.keys)
ok "a trusted terminal credits" "$SCRIP" credit 1 --reference 9 --reader card:half.card $(store issuer.keys) \
    --journal till.journal --terminal-id 00000001 --json
is "with the older key, too" 1 "$(jq .key_version out)"
ok "a payment that is torn" test "$(pay alice 1 an12113 fault:cut-after=17:card:alice.card >/dev/null 2>&1; echo $?)" = 1
ok "is found" pay alice 1
is "and taken once" 1800 "$(balance alice)"

# ---- a card made now
stop_server
serve
card nora an12113 || exit 1
is "a new card has the new version" 2 "$(jq .key_version nora.json)"
"$SCRIP" card register "$(cat nora.uid)" --purse an12113 --key-version 2 $SERVER >/dev/null || exit 1
ok "it is topped up" topup nora n1 5
ok "it pays" paid nora 1 an12113 gate.keys
is "without being asked for a version" null "$(jq .key_version out)"
refused "a terminal that was forgotten cannot open it" 1 key "key offered is not the key on the card" \
    "$SCRIP" balance --reader card:nora.card $(store old-gate.keys)
grep -q "this card has version 2 of the pay key" err || { echo "FAILED: the version is not said: $(cat err)"; failures=$((failures + 1)); }
ok "the older version can be asked for" "$SCRIP" card new late.card --key-version 1 $(store issuer.keys) --json
is "and is what the card gets" 1 "$(jq .key_version out)"
ok "the card made half way pays" paid half 0.50 an12113 gate.keys
is "with the new key" null "$(jq .key_version out)"
refused "a version that is not there cannot be asked for" 1 key "version 3 of the pay key" "$SCRIP" card new x.card --key-version 3 $(store issuer.keys)
is "and leaves no card" "" "$(ls x.card* 2>/dev/null)"

# ---- the roll-over, card by card
relay() { # relay NAME ID [LINK]
    "$SCRIP" topup --reader "${3:-card:$1.card}" --order "$2" --token-file "$2.token" --state "$2.state" \
        --server "$URL" --taps 1
}
order_keys() { # order_keys NAME ID
    "$SCRIP" order create --id "$2" --card "$(cat "$1.uid")" --kind rekey --key-version 2 --token-out "$2.token" $SERVER
}
jq -r .uid half.json >half.uid
"$SCRIP" card register "$(cat half.uid)" --purse an12113 --key-version 1 --balance 1 $SERVER >/dev/null || exit 1
ok "new keys are ordered for the card made half way" order_keys half keys-half
ok "and become one" relay half keys-half
ok "it pays" paid half 0.25 an12113 gate.keys
ok "it is topped up" topup half h1 2
is "it has its value" 225 "$(balance half)"
for name in alice:an12113:gate.keys erna:ev1:gate.keys rita:an12113+random-id:gate-id.keys; do
    IFS=: read -r card profile keys <<<"$name"
    ok "new keys are ordered for $card" order_keys "$card" "keys-$card"
    for cut in 6 7 8 9 10; do # the last ones between the first and the last key: the card has some of each
        relay "$card" "keys-$card" "fault:cut-after=$cut:card:$card.card" >/dev/null 2>&1
        ok "torn after $cut frames, $card pays" paid "$card" 0.10 "$profile" "$keys"
        [ $card-$cut = alice-8 ] || continue
        is "the pay key is new by then" null "$(jq .key_version out)"
        ok "and a trusted terminal credits" "$SCRIP" credit 0.10 --reference 19 --reader card:alice.card \
            $(store issuer.keys) --journal till.journal --terminal-id 00000001 --json
        is "with a key that is not" 1 "$(jq .key_version out)"
    done
    ok "the keys are changed" relay "$card" "keys-$card"
    is "and the server knows" 2 "$("$SCRIP" order show "keys-$card" $SERVER --json | jq .key_version)"
    ok "$card pays" paid "$card" 1 "$profile" "$keys"
    is "with the new key" null "$(jq .key_version out)"
    ok "$card is topped up" topup "$card" "again-$card" 1
done
refused "an old terminal does not open alice any more" 1 key "key offered is not the key on the card" \
    "$SCRIP" balance --reader card:alice.card $(store old-gate.keys)
is "nothing was lost on the way" "1760 1850 1850" "$(balance alice) $(balance erna ev1) $(
    "$SCRIP" balance --reader card:rita.card $(store gate-id.keys) --purse an12113+random-id --json | jq .balance)"
refused "keys that the store does not have cannot be ordered" 1 ledger "" \
    "$SCRIP" order create --id k9 --card "$(cat alice.uid)" --kind rekey --key-version 9 $SERVER
ok "data are ordered" "$SCRIP" order create --id w1 --card "$(cat alice.uid)" --kind write --data 0102 --offset 4 \
    --token-out w1.token $SERVER
ok "and written" relay alice w1
ok "the terminal's journal is whole" test "$("$SCRIP" terminal create 00000042 --merchant kiosk --api-key-out gate.api $SERVER >/dev/null;
    "$SCRIP" terminal upload gate.journal --server "$URL" --api-key-file gate.api >/dev/null; echo $?)" = 0
stop_server
ok "and the books balance" "$SCRIP" ledger verify --ledger book.db
finish
