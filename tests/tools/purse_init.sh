#!/bin/bash
# A blank DESFire becomes a purse by the program alone, on its file and through both reader chips: torn at every frame
# the same command finishes it, and then it is registered, topped up and spent through the same LINK. Every card that is
# not what it should be is refused by its own name.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
serve

blank() { # NAME PROFILE [OPTION...]: a card as the factory delivers it
    "$SCRIP" card new "$1.card" --profile "$2" --blank --json "${@:3}" >"$1.json" && jq -r .uid "$1.json" >"$1.uid"
}
init() { "$SCRIP" purse init --reader "${3:-card:$1.card}" --purse "$2" $(store issuer.keys) "${@:4}"; }

# untouched TEXT CARD COMMAND...: the command leaves the file as it is, whatever it answers
untouched() {
    local text=$1 card=$2 before
    before=$(tail -c +65 "$card.card" | sha256sum)
    shift 2
    "$@"
    is "$text: the card is what it was" "$before" "$(tail -c +65 "$card.card" | sha256sum)"
}

# story NAME PURSE LINK: from a purse to the books
story() {
    ok "$2: registered" "$SCRIP" card register "$(cat "$1.uid")" --purse "$2" $SERVER
    ok "$2: topped up over the air" topup "$1" "o-$1" 20 "$3"
    ok "$2: spent" pay "$1" 2.50 "$2" "$3"
    is "$2: and 17,50 are left" 1750 \
        "$("$SCRIP" balance --reader "$3" --purse "$2" $(store gate.keys) --json | jq .balance)"
}

# ---- on a card file ----

for purse in an12113 split ev1 plain an12113+smallest; do
    name=${purse//+/-}
    blank "$name" "$purse" || exit 1
    ok "$purse: made" init "$name" "$purse"
    grep -q "card register $(cat "$name.uid") --purse $purse" out
    is "$purse: and what comes next is said" 0 $?
    ok "$purse: a card that has it is left alone" init "$name" "$purse" "" --number 5
    grep -q "left as it is" out && grep -q "its card number stays" err
    is "$purse: and that is said" 0 $?
    is "$purse: card show knows it" "$purse 014499" \
        "$("$SCRIP" card show "$name.card" --json | jq -r '"\(.profile) \(.applications[0])"')"
    ok "$purse: card lint too" "$SCRIP" card lint "$name.card"
    story "$name" "$purse" "card:$name.card"
done
ok "the gate's journal is uploaded" "$SCRIP" terminal create 00000042 --merchant kiosk $SERVER
ok "and taken" "$SCRIP" terminal upload gate.journal $SERVER
is "and every card is in step" "in step" \
    "$("$SCRIP" ledger reconcile --ledger book.db --json | jq -r '[.cards[].verdict] | unique | join(" ")')"

# What the header is to say; the random UID hides the card from all but its keys.
blank rita an12113+random-id || exit 1
ok "with a header of one's own" init rita an12113+random-id "" --number 1001 --issuer "A maker" --currency CHF --json
is "JSON has it all" "true 1001 $(cat rita.uid) 0 1 0 CHF" \
    "$(jq -r '"\(.made) \(.card_number) \(.card) \(.balance) \(.key_version) \(.tmc) \(.currency)"' out)"
"$SCRIP" keys export-terminal gate-id.keys $(store issuer.keys) --test-cost --with-id >/dev/null
is "a terminal reads it" "1001 A maker CHF" "$("$SCRIP" history --reader card:rita.card --purse an12113+random-id \
    $(store gate-id.keys) --json | jq -r '"\(.card_number) \(.issuer) \(.currency)"')"
refused "it counts in francs" 1 card "another currency" init rita an12113+random-id "" --currency EUR

# ---- torn at every frame ----

# What is on the card after each of them is for tests/core/wallet; here it is what the program says, and that it goes on.
for case in "an12113 cut-after 3" "plain lose-after 7"; do
    read -r purse fault step <<<"$case"
    cut=1
    until [ $cut -gt 100 ]; do
        rm -f torn.card
        blank torn $purse --uid 04A1B2C3D4E5F6 || exit 1
        init torn $purse "fault:$fault=$cut:card:torn.card" >out 2>err && break
        cat err >>all
        grep -qE "same command again|on the reader and try again" err && init torn $purse >/dev/null 2>&1 && init torn $purse | grep -q "already" ||
            { echo "FAILED: $purse, $fault=$cut: $(cat err)"; failures=$((failures + 1)); }
        cut=$((cut + step))
    done
    is "$purse: $fault up to $cut frames" "40 100" "$((cut > 40 ? 40 : cut)) $((cut > 100 ? cut : 100))"
done
rm -f torn.card
grep -q "card:   nothing on the card was changed" all && grep -q "card:   its purse may be half made, and holds no value" all
is "what a tear left is said rightly" 0 $?

# ---- the wrong card ----

blank old ev1 || exit 1
untouched "EV1" old refused "an EV1 has no EV2 messaging" 1 card "too old" init old an12113
untouched "EV1" old refused "nor has it for split" 1 card "too old" init old split
blank classic classic || exit 1
refused "a Classic is no DESFire" 1 card "another family" init classic an12113
refused "nor a DESFire a Classic" 1 card "another family" init old classic
refused "a purse of another profile" 1 card "of another profile" init an12113 split
refused "or of a sister" 1 card "of another profile" init ev1 plain
"$SCRIP" keys init other.keys --passphrase-file pass --test-cost >/dev/null
refused "another issuer's" 1 card "not made with this purse and key store" \
    "$SCRIP" purse init --reader card:an12113.card $(store other.keys)
refused "a terminal's store makes no cards" 1 key "no key for this" \
    "$SCRIP" purse init --reader card:old.card --purse ev1 $(store gate.keys)
"$SCRIP" keys add $(store issuer.keys) --role pay --test-cost >/dev/null
refused "an older card keeps its keys" 1 key "not with the newest keys" init split split
grep -q "the key of role pay" err
is "and the key is named" 0 $?
ok "--key-version compares with those" init split split "" --key-version 1

# ---- the card's own master key ----

echo "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF" >known
"$SCRIP" keys init first.keys --passphrase-file pass --test-cost >/dev/null
"$SCRIP" keys add $(store first.keys) --role picc --from known --test-cost >/dev/null
for cut in $(seq 8 16); do # somebody's master key, and no application: a card on which their attempt was torn just there
    rm -f keyed.card
    blank keyed an12113 || exit 1
    "$SCRIP" purse init --reader "fault:cut-after=$cut:card:keyed.card" $(store first.keys) >/dev/null 2>&1
    init keyed an12113 >out 2>err || break
done
refused "a master key that is not known" 1 key "master key is neither" init keyed an12113
echo "00112233445566778899AABBCCDDEEFF" >wrong
refused "or is another one" 1 key "master key is neither" init keyed an12113 "" --picc-key wrong
ok "its name opens the card" init keyed an12113 "" --picc-key known
ok "and is not needed any more" init keyed an12113
echo "zz" >bad
for wrong in "--picc-key bad" "--picc-key pass" "--amount 5" "--unit 1" "--number 12x" \
    "--number 123456789012345678901" "--currency QQQ" "--key-version 300"; do
    init old ev1 "" $wrong >out 2>err
    is "wrong usage: $wrong" 2 $?
done
echo "A0A1A2" >short
init old ev1 "" --picc-key short >out 2>err
is "a key of three bytes is none" 2 $?
refused "a key file that is not there" 1 file "could not be read" init old ev1 "" --picc-key absent
for wrong in "--number 5" "--issuer me" "--key-version 1" "--picc-key known"; do
    init classic classic "" $wrong >out 2>err
    is "not for a storage card: $wrong" 2 $?
done

# ---- through the chips, and over a network ----

present() { # NAME HOW...
    rm -f present.json line
    "$SCRIP" card present "$1.card" "${@:2}" --json >present.json 2>present.log &
    presenter=$!
    for _ in $(seq 100); do
        [ -s present.json ] && { [ "$2" = --tcp ] || [ -e line ]; } && return
        sleep 0.05
    done
}
gone() { kill "$presenter" && wait "$presenter"; } 2>/dev/null
cp gate.keys older.keys
for way in pn532 mfrc522-uart tcp; do
    blank "over-$way" an12113 || exit 1
    case $way in
    tcp) present "over-$way" --tcp --port 0 && link=tcp:127.0.0.1:$(jq .port present.json) ;;
    pn532) present "over-$way" --pn532 --link ./line && link=pn532:./line ;;
    *) present "over-$way" --mfrc522-uart --link ./line && link=mfrc522:./line ;;
    esac
    ok "over $way: made" init "over-$way" an12113 "$link" --key-version 1
    ok "over $way: and left alone" init "over-$way" an12113 "$link" --key-version 1
    ok "over $way: card show" "$SCRIP" card show --reader "$link"
    story "over-$way" an12113 "$link"
    gone
done
finish
