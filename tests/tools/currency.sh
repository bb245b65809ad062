#!/bin/bash
# Amounts that people type are in the currency that the card counts in: what it costs to know it, and what is refused
# where nobody can.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
desk="$(store issuer.keys) --journal desk.journal --terminal-id 00000001"
"$SCRIP" keys init other.keys --passphrase-file pass --test-cost >/dev/null
made() { "$SCRIP" card new "$1.card" --profile "$2" --currency "$3" $(store issuer.keys) >/dev/null; }
# given NAME PROFILE AMOUNT
given() { "$SCRIP" credit "$3" --reference 1 --reader "card:$1.card" --purse "$2" $desk; }
# costs COMMANDS NAME PROFILE AMOUNT [OPTIONS]: a payment that is accepted, and how many commands it took
costs() {
    local wanted=$1 name=$2 profile=$3 amount=$4
    shift 4
    pay "$name" "$amount" "$profile" "card:$name.card" --json "$@" >out 2>err
    is "$profile: $amount $* costs $wanted commands" "accepted $wanted" "$(jq -r '"\(.outcome) \(.apdus)"' out)"
}
# mistaken TEXT WORDS COMMAND...: wrong usage, in these words
mistaken() {
    local text=$1 words=$2
    shift 2
    "$@" >out 2>err
    is "$text" "2 1" "$? $(grep -cF "$words" err)"
}

# ---- the header is read in the payment's own session, and costs one command

made euro an12113 EUR
ok "a card of euros is given some" given euro an12113 20
costs 13 euro an12113 1
costs 13 euro an12113 1 --currency EUR
costs 8 euro an12113 1 --currency EUR --shortest
mistaken "the shortest has to be told" "say it with --currency" pay euro 1 an12113 card:euro.card --shortest
is "and took nothing then" 1700 "$(balance euro)"
made five an12113+smallest EUR
ok "so is a card of the smallest debit" given five an12113+smallest 20
costs 8 five an12113+smallest 1
costs 8 five an12113+smallest 1 --currency EUR
costs 5 five an12113+smallest 1 --currency EUR --shortest
for profile in split ev1 plain; do
    made "$profile" "$profile" EUR
    ok "$profile is given euros" given "$profile" "$profile" 20
    ok "$profile pays" pay "$profile" 2.50 "$profile"
    is "$profile: so many cents" 1750 "$(balance "$profile" "$profile")"
done

# ---- another currency than most have

for profile in an12113 ev1 plain split an12113+smallest; do
    made yen "$profile" JPY
    ok "$profile: yen are given without a word about them" given yen "$profile" 500
    is "$profile: as many as were typed" 500 "$(balance yen "$profile")"
    ok "$profile: and taken" pay yen 1 "$profile"
    is "$profile: one, not a hundred" 499 "$(balance yen "$profile")"
    rm yen.card
done
made yen an12113 JPY
given yen an12113 500 >/dev/null
costs 17 yen an12113 1
costs 13 yen an12113 1 --currency JPY
is "what was paid is told in yen" "JPY 1" "$(jq -r '"\(.currency) \(.amount)"' out)"
ok "with its sign" pay yen ¥100
is "and so to people" 1 "$(grep -c 'paid: ¥100' out)"
made dinar ev1 KWD
ok "a currency with three decimals" given dinar ev1 1.125
ok "pays a thousandth" pay dinar 0.001 ev1
is "of them" 1124 "$(balance dinar ev1)"

# ---- mistakes: nothing is done, and nothing written down

lines=$(sha256sum <gate.journal)
mistaken "decimals that a currency has not" "'1.5' has decimals, and Japanese yen (JPY) has none" pay yen 1.5
mistaken "nor when it is named" "'1.5' has decimals, and Japanese yen (JPY) has none" \
    pay yen 1.5 an12113 card:yen.card --currency JPY
mistaken "more than there are" "'0.125' has more decimals than the 2 of euro (EUR)" pay euro 0.125
mistaken "what some would read as a thousand" "'1.250' has more decimals than the 2 of euro (EUR), or is thousands" \
    pay euro 1.250
mistaken "another currency's sign" "'¥100' is no amount of euro above zero" pay euro ¥100
mistaken "more than a card holds" "more than any card holds" pay euro 30000000
mistaken "no amount at all" "'abc' is no amount above zero" pay euro abc
mistaken "nothing" "'0' is no amount above zero" pay euro 0
mistaken "less than nothing" "'-1' is no amount above zero" pay euro -1
mistaken "what is typed at a desk, too" "'1.5' has decimals" "$SCRIP" credit 1.5 --reference 2 --reader card:yen.card $desk
mistaken "and on a storage card" "'0.125' has more decimals than the 2 of euro (EUR)" pay euro 0.125 classic
refused "a card of another currency than --currency" 1 card "card's header says JPY" \
    pay yen 1 an12113 card:yen.card --currency EUR
refused "more than there is, in its own money" 1 limit "paying ¥1,000: there is not enough" pay yen 1000
refused "as it was typed, where the card was not opened" 1 key "paying 7: the key offered" \
    "$SCRIP" pay 7 --reader card:yen.card --keys other.keys --passphrase-file pass --journal other.journal --terminal-id 00000007
is "nothing was taken, and the journal is as it was" "398 1700 0" \
    "$(balance yen) $(balance euro) $([ "$lines" = "$(sha256sum <gate.journal)" ]; echo $?)"

# ---- a header that says nothing

printf X | dd of=euro.card bs=1 seek="$(grep -obUa SCRP euro.card | cut -d: -f1)" conv=notrunc 2>/dev/null
refused "a header that is none" 1 card "does not show in which currency" pay euro 1
is "nothing on the card was changed" "1 1700" "$(grep -c 'card:   nothing on the card was changed' err) $(balance euro)"
is "is called that to programs" "currency not known declined" \
    "$(pay euro 1 an12113 card:euro.card --json 2>/dev/null | jq -r '"\(.error.problem) \(.outcome)"')"
refused "nor is it credited" 1 card "does not show in which currency" given euro an12113 1
ok "who names the currency pays" pay euro 1 an12113 card:euro.card --currency EUR
made hidden an12113 EUR
sed '/^\[file 1\]/,/^\[file 2\]/s/^read = pay/read = write/' "$SCRIP_PROFILES/an12113.profile" >hidden.profile
rm hidden.card
"$SCRIP" card new hidden.card --profile ./hidden.profile $(store issuer.keys) >/dev/null
refused "a card that keeps its header from the pay key" 1 card "does not show in which currency" pay hidden 1
is "was not changed" 1 "$(grep -c 'card:   nothing on the card was changed' err)"
refused "nor is it given anything" 1 card "does not show in which currency" given hidden an12113 1
refused "not even for who names the currency" 1 right "may not do this" pay hidden 1 an12113 card:hidden.card --currency EUR
refused "but for who trusts it as well" 1 limit "not enough value" \
    pay hidden 1 an12113 card:hidden.card --currency EUR --shortest

# ---- what was read goes into no MAC that the server could not verify

serve
"$SCRIP" terminal create 00000042 --merchant kiosk $SERVER >/dev/null
rm gate.journal
for profile in an12113 split an12113+smallest; do
    rm -f "$profile.card"
    card "$profile" "$profile"
    ok "$profile is topped up" topup "$profile" "t-${profile//+/.}" 10
    for option in "" "--currency EUR" "--currency EUR --shortest"; do
        ok "$profile pays $option" pay "$profile" 1 "$profile" "card:$profile.card" $option
    done
done
ok "the server takes every line" "$SCRIP" terminal upload gate.journal $SERVER --json
is "at once" 9 "$(jq .booked out)"
finish
