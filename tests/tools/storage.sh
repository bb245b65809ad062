#!/bin/bash
# Purses of storage cards as a user runs them: made, credited, spent, torn at every command, mended, re-keyed, forced;
# cards of the original BCD code; every refusal by its own name.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
"$SCRIP" keys export-terminal till.keys --keys issuer.keys --passphrase-file pass --with-bcd --test-cost >/dev/null || exit 1

desk() { echo "$(store issuer.keys) --journal desk.journal --terminal-id 00000001"; }
gate() { echo "$(store "${1:-gate.keys}") --journal gate.journal --terminal-id 00000042"; }
on() { echo "--reader card:$1.card --purse $2"; }
left() { "$SCRIP" balance $(on "$1" "$2") $(store issuer.keys) --json | jq .balance; }

# ---- each purse ----

reference=0
for purse in classic bcd bcd+hardened classic+sector=9; do
    name=${purse//[+=]/-}
    till=gate.keys
    [[ $purse == bcd* ]] && till=till.keys
    "$SCRIP" card new "$name.card" --profile classic --blank >/dev/null || exit 1
    refused "$purse: a blank sector is called that" 1 card "no purse in the sector yet" \
        "$SCRIP" balance $(on "$name" "$purse") $(store issuer.keys)
    ok "$purse: init" "$SCRIP" purse init $(on "$name" "$purse") $(store issuer.keys)
    ok "$purse: credit" "$SCRIP" credit 20 --reference $((++reference)) $(on "$name" "$purse") $(desk)
    refused "$purse: the same order again" 1 ledger "credited that order" \
        "$SCRIP" credit 20 --reference $reference $(on "$name" "$purse") $(desk)
    ok "$purse: pay" "$SCRIP" pay 2.50 $(on "$name" "$purse") $(gate $till)
    is "$purse: what is left" 1750 "$(left "$name" "$purse")"
    refused "$purse: not enough" 1 limit "not enough value" "$SCRIP" pay 17.51 $(on "$name" "$purse") $(gate $till)
    refused "$purse: no history" 1 card "kind of purse cannot do that" \
        "$SCRIP" history $(on "$name" "$purse") $(store issuer.keys)
    refused "$purse: a second init with another value" 1 card "has a purse already" \
        "$SCRIP" purse init $(on "$name" "$purse") $(store issuer.keys) --amount 99
    for cut in 1 2 3 4 5 6 7 8; do
        for side in before after; do
            "$SCRIP" pay 0.10 --reader "fault:cut-$side=$cut:card:$name.card" --purse "$purse" $(gate $till) >/dev/null 2>&1
            accepted=$?
            [ $accepted -eq 0 ] || "$SCRIP" pay 0.10 $(on "$name" "$purse") $(gate $till) >/dev/null 2>&1 ||
                { echo "FAILED: $purse: cut $side $cut: the next tap"; failures=$((failures + 1)); }
        done
    done
    is "$purse: cut at every command, each fare was taken once" 1590 "$(left "$name" "$purse")"
    ok "$purse: nothing is open" "$SCRIP" recover $(on "$name" "$purse") $(gate $till)
    grep -q "nothing was open" out || { echo "FAILED: $(cat out)"; failures=$((failures + 1)); }
done
refused "a gate's keys cannot credit" 1 key "no key for this" \
    "$SCRIP" credit 1 --reference 99 $(on classic classic) $(gate)
refused "nor pay with a BCD wallet" 1 key "no key for this" "$SCRIP" pay 1 $(on bcd bcd) $(gate)
refused "more than the limit" 1 limit "limit of the card" \
    "$SCRIP" credit 490 --reference 99 $(on classic classic) $(desk)

# ---- families ----

"$SCRIP" card new desfire.card $(store issuer.keys) >/dev/null
refused "a DESFire is no BCD wallet" 1 card "another family" "$SCRIP" balance $(on desfire bcd) $(store issuer.keys)
refused "a Classic is no DESFire" 1 card "another family" "$SCRIP" balance $(on classic an12113) $(store issuer.keys)
refused "another purse's sector is foreign" 1 key "neither the purse's key" \
    "$SCRIP" pay 1 $(on classic bcd) $(gate till.keys)
"$SCRIP" card new otp.card --profile otp $(store issuer.keys) >/dev/null
ok "the one-time wallet pays" "$SCRIP" pay 1 $(on otp otp) $(gate)
refused "and is never credited" 1 card "kind of purse cannot do that" \
    "$SCRIP" credit 1 --reference 7 $(on otp otp) $(desk)
"$SCRIP" balance $(on classic nonsense) $(store issuer.keys) >out 2>err
is "a purse that nobody knows is wrong usage" 2 $?
"$SCRIP" balance $(on classic classic+hardened) $(store issuer.keys) >out 2>err
is "and so is an option that does not fit" 2 $?

"$SCRIP" card new fresh.card --profile otp --blank >/dev/null
"$SCRIP" purse init --amount 30 $(on fresh otp) $(store issuer.keys) >out 2>err
is "a one-time wallet is not made without its unit" 2 $?
ok "and is with it" "$SCRIP" purse init --amount 30 --unit 0.50 $(on fresh otp) $(store issuer.keys)
refused "half a unit is not paid" 1 limit "no multiple of what one unit" "$SCRIP" pay 0.75 $(on fresh otp) $(gate)
ok "whole ones are" "$SCRIP" pay 1.50 $(on fresh otp) $(gate)
is "and are gone" 2850 "$(left fresh otp)"

# ---- the same purse over every way to it ----

present() { # HOW [--link PATH]: sets presenter
    rm -f present.json line
    "$SCRIP" card present bcd.card "$@" --json >present.json 2>present.log &
    presenter=$!
    for _ in $(seq 100); do
        [ -s present.json ] && { [ "${2:-}" != --link ] || [ -e line ]; } && return
        sleep 0.05
    done
}
gone() { kill "$presenter" && wait "$presenter"; } 2>/dev/null
value=$(left bcd bcd)
for way in "tcp --port 0" pn532 mfrc522-uart; do
    present --${way% --*} ${way#"${way% --*}"} $([ "$way" = "tcp --port 0" ] || echo --link ./line)
    case $way in
    tcp*) link=tcp:127.0.0.1:$(jq .port present.json) ;;
    pn532) link=pn532:./line ;;
    *) link=mfrc522:./line ;;
    esac
    ok "a payment over $way" "$SCRIP" pay 0.10 --reader "$link" --purse bcd $(gate till.keys)
    gone
    value=$((value - 10))
    is "and what is left" "$value" "$(left bcd bcd)"
done

"$SCRIP" terminal journal gate.journal --json >journal.json
is "the journal tells purses apart, and short UIDs from long ones" "desfire 0 short 8" \
    "desfire $(jq '[.lines[] | select(.purse == "desfire")] | length' journal.json) short $(jq -r '.lines[0].card | length' journal.json)"
is "and has the balance that each payment began with" "2000 250 classic debit confirmed" \
    "$(jq -r '.lines[0] | "\(.balance_before) \(.amount) \(.purse) \(.kind) \(.state)"' journal.json)"

# ---- a payment that nobody can decide any more ----

"$SCRIP" card new two.card --profile classic --blank >/dev/null
"$SCRIP" purse init --amount 10 $(on two classic) $(store issuer.keys) >/dev/null
refused "a payment is torn" 1 card "left the field" \
    "$SCRIP" pay 2 --reader fault:cut-after=5:card:two.card --purse classic $(gate)
ok "another gate takes something else" \
    "$SCRIP" pay 1 $(on two classic) $(store gate.keys) --journal other.journal --terminal-id 00000044
refused "what is open then is not what is wrong with the next payment" 1 limit "not enough value" \
    "$SCRIP" pay 50 $(on two classic) $(gate)
refused "and is told by recover" 1 ledger "does not prove" "$SCRIP" recover $(on two classic) $(gate)

# ---- a journal that nobody takes in ----

"$SCRIP" pay 0.10 $(on classic classic) $(store gate.keys) --journal small.journal --terminal-id 00000043 >/dev/null
truncate -s 640 small.journal # two lines
ok "the second line fits" "$SCRIP" pay 0.10 $(on classic classic) $(store gate.keys) --journal small.journal
refused "a full journal stops the terminal, not the card" 1 file "journal is full" \
    "$SCRIP" pay 0.10 $(on classic classic) $(store gate.keys) --journal small.journal
grep -q "nothing on the card was changed" err
is "and the card is as it was" "0 1570" "$? $(left classic classic)"
"$SCRIP" terminal journal small.journal --taken 3 >out 2>err
is "a line that there is not cannot be taken" 2 $?
ok "lines are taken elsewhere" "$SCRIP" terminal journal small.journal --taken 1
is "and are called that" "true false" "$("$SCRIP" terminal journal small.journal --json | jq -r '[.lines[].uploaded] | join(" ")')"
ok "and make place" "$SCRIP" pay 0.10 $(on classic classic) $(store gate.keys) --journal small.journal
refused "for one line" 1 file "journal is full" \
    "$SCRIP" pay 0.10 $(on classic classic) $(store gate.keys) --journal small.journal
is "which was paid" 1560 "$(left classic classic)"

# ---- a card of the original code: its own key, a backup two transactions old ----

printf 'B0 B1 B2 B3 B4 B5\n' >my_key
ok "the key of existing cards comes from a file" "$SCRIP" keys add $(store till.keys) --role bcd --from my_key --test-cost
"$SCRIP" keys list $(store till.keys) >out
[ "$(grep -c "^bcd" out)" = 2 ] && ! grep -qi "B0B1B2" out && ! grep -qi "B0 B1" out
is "and is listed without being shown" 0 $?
printf 'B0B1B2\n' >short_key
"$SCRIP" keys add $(store till.keys) --role bcd --from short_key --test-cost >out 2>err
is "a key of three bytes is wrong usage" 2 $?
printf 'BOB1B2B3B4B5\n' >mistyped_key
"$SCRIP" keys add $(store till.keys) --role bcd --from mistyped_key --test-cost >out 2>err
is "and so is one with a letter for a digit" 2 $?
ok "a key may come from standard input" bash -c \
    "printf '000102030405060708090A0B0C0D0E0F' | '$SCRIP' keys add $(store issuer.keys) --role bcd --version 9 --from - --test-cost"

original() { # NAME DATA BACKUP
    "$SCRIP" card new "$1.card" --profile classic --blank --uid 01020304 >/dev/null
    printf '%s\n' FF82000006FFFFFFFFFFFF FF860000050100046000 "FFD6000410$2" "FFD6000510$3" \
        FFD6000710B0B1B2B3B4B5FF078069B0B1B2B3B4B5 | "$SCRIP" card exchange "$1.card" >/dev/null
}
till="$(gate till.keys)"
original stale 00000700FFFFF8FF0000000000000000 00000950FFFFF6AF0000000000000000
ok "a card of the original code pays" "$SCRIP" pay 1 $(on stale bcd) $till
grep -q "was mended" out || { echo "FAILED: $(cat out)"; failures=$((failures + 1)); }
original torn 00000701FFFFF8FF0000000000000000 00000950FFFFF6AF0000000000000000
is "a torn one has what its backup says" 950 \
    "$("$SCRIP" balance $(on torn bcd) $(store till.keys) --json | jq .balance)"

# ---- both copies damaged ----

original broken 00000701FFFFF8FF0000000000000000 00000700FFFFF8F00000000000000000
refused "two damaged copies are nobody's to decide" 1 card "both copies of the value are damaged" \
    "$SCRIP" pay 1 $(on broken bcd) $till
grep -q "main 00000701FFFFF8FF0000000000000000" err && grep -q "nothing on the card was changed" err
is "and both are shown" 0 $?
is "with what they suggest" 700 \
    "$("$SCRIP" recover $(on broken bcd) $till --json 2>/dev/null | jq .damaged.proposal)"
force() { "$SCRIP" purse force-init "$@" $(on broken bcd) $(store till.keys) --log forced.log; }
refused "force-init wants the card's UID" 1 card "not confirmed for just this card" force 7
refused "of just this card" 1 card "not confirmed for just this card" force 7 --confirm 01020305
[ ! -e forced.log ]
is "and nothing is logged or written before" 0 $?
ok "with it the operator's amount counts" force 7 --confirm 01020304
grep -q "card 01020304 .* main 00000701FFFFF8FF0000000000000000 backup 00000700FFFFF8F0.* set to 700" forced.log
is "what was there is in the log" 0 $?
is "the card holds it" 700 "$("$SCRIP" balance $(on broken bcd) $(store till.keys) --json | jq .balance)"
refused "a card that is not damaged is not forced" 1 card "at least one copy of the value is good" \
    force 999 --confirm 01020304

# A card file in which there is no card: the reader finds nobody, and the program ends in order.
cp classic.card dead.card
printf 'XXXX' | dd of=dead.card bs=1 seek="$(grep -obUa SMFC dead.card | cut -d: -f1)" conv=notrunc 2>/dev/null
refused "a card that does not start is no card" 1 reader "no card in the field" \
    "$SCRIP" balance $(on dead classic) $(store issuer.keys)
refused "neither to a gate" 1 reader "no card in the field" "$SCRIP" pay 1 $(on dead classic) $(gate)

# ---- another purse ----

for made in bcd+hardened classic; do
    "$SCRIP" card new "made.$made.card" --profile "$made" $(store issuer.keys) >/dev/null
done
refused "a BCD wallet is no damaged native purse" 1 card "another family than the purse" \
    "$SCRIP" balance $(on made.bcd+hardened classic) $(store issuer.keys)
grep -q "bcd+hardened" err
is "its name is told" 0 $?
refused "nor the other way round" 1 card "another family than the purse" \
    "$SCRIP" balance $(on made.classic bcd+hardened) $(store issuer.keys)

# ---- keys ----

"$SCRIP" keys add $(store issuer.keys) --role pay --test-cost >/dev/null
"$SCRIP" keys add $(store issuer.keys) --role topup --test-cost >/dev/null
refused "after a new version of the keys a card has the old ones" 1 key "neither the purse's key" \
    "$SCRIP" balance $(on classic classic) $(store issuer.keys)
ok "rekey" "$SCRIP" purse rekey --from-version 1 $(on classic classic) $(store issuer.keys)
is "the value has stayed" 1560 "$(left classic classic)"
ok "rekey again is no harm" "$SCRIP" purse rekey --from-version 1 $(on classic classic) $(store issuer.keys)

# ---- traces ----

ok "a traced payment" "$SCRIP" pay 0.10 --reader trace:t.pcapng:card:broken.card --purse bcd $till
grep -qaP '\xB0\xB1\xB2\xB3\xB4\xB5' t.pcapng
is "no key is in the capture" 1 $?
# A capture that another program wrote, with keys in it: a trailer written and read in raw frames.
{
    printf '# scrip capture 1\n1700000000.000000000 card uid 01020304 atr 3B8F8001804F0CA000000306030001000000006A\n'
    printf '1700000000.000000001 %s\n' '> FFC20001049502A007' '< C00300900097010A9000' \
        '> FFC20001129510A0A1A2A3A4A5FF078069B0B1B2B3B4B5' '< C00300900097010A9000' \
        '> FFC200010495023007' '< C0030090009710000000000000FF078069B0B1B2B3B4B59000'
} >foreign.txt
ok "a foreign capture is explained" "$SCRIP" trace explain foreign.txt
is "and its keys are not" "0 2" "$(grep -c 'A0A1A2\|B0B1B2' out) $(grep -c '000000000000FF078069000000000000' out)"
finish
