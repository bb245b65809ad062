#!/bin/bash
# Storage cards whose terminal is killed at any moment: the card file is what a chip would be that lost its field. The
# next visit repairs it, and what is on the card is what the journal says. SCRIP_KILLS says how often [30], SCRIP_SEED
# repeats a run.
. "$(dirname "$0")/lib.sh"
kills=${SCRIP_KILLS:-30}
seed=${SCRIP_SEED:-$(($(date +%N | sed 's/^0*//') % 30000))}
RANDOM=$seed
echo "seed $seed, $kills kills"
issuer || exit 1
STORE=$(store issuer.keys)
JOURNAL="--journal till.journal --terminal-id 00000007"
purses="classic bcd otp"
for purse in $purses; do
    "$SCRIP" card new $purse.card --profile $purse $STORE --json >$purse.json || exit 1
    jq -r .uid $purse.json >$purse.uid
    [ $purse = otp ] ||
        "$SCRIP" credit 50 --reader card:$purse.card $STORE --purse $purse $JOURNAL --reference 1 >/dev/null || exit 1
done

# What the journal's settled lines leave of 50,00.
by_the_journal() {
    "$SCRIP" terminal journal till.journal --json |
        jq --arg uid "$(cat $1.uid)" '[.lines[] | select((.card | startswith($uid)) and .amount != 5000) |
            select(.state == "confirmed" or .state == "found") | .amount] | 5000 - add'
}

on_the_card() { "$SCRIP" balance --reader card:$1.card $STORE --purse $1 --json | jq .balance; }

for i in $(seq "$kills"); do
    purse=$(echo $purses | cut -d' ' -f$((RANDOM % 3 + 1)))
    after=$((RANDOM % 60))
    "$SCRIP" pay 0.50 --reader card:$purse.card $STORE --purse $purse $JOURNAL >/dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf '%03d' $after)"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    ok "kill $i: $purse opens after $after ms" "$SCRIP" card show $purse.card --json
    ok "kill $i: $purse pays the next time" "$SCRIP" pay 0.50 --reader card:$purse.card $STORE --purse $purse $JOURNAL
    is "kill $i: $purse holds what the journal says" "$(by_the_journal $purse)" "$(on_the_card $purse)"
done
for purse in classic bcd; do
    is "$purse has two equal copies" "both copies agree" "$("$SCRIP" card show $purse.card --json | jq -r .copies)"
done
finish
