#!/bin/bash
# Processes killed at any moment: the card, the terminal, the phone, the server. Afterwards further taps and uploads put
# everything in step to the cent. SCRIP_KILLS says how often [12], SCRIP_SEED repeats a run.
. "$(dirname "$0")/lib.sh"
kills=${SCRIP_KILLS:-12}
seed=${SCRIP_SEED:-$(($(date +%N | sed 's/^0*//') % 30000))}
RANDOM=$seed
echo "seed $seed, $kills kills"
issuer || exit 1
serve
card alice an12113 || exit 1
card bob ev1 || exit 1
"$SCRIP" terminal create 00000042 --merchant kiosk $SERVER >/dev/null || exit 1
ok "alice starts with value" topup alice a0 100
ok "bob starts with value" topup bob b0 100
port=${URL##*:}

# killed AFTER_MS COMMAND...: run it, and kill it so many milliseconds later
killed() {
    local after=$1 pid
    shift
    "$@" >/dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf '%03d' "$after")"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
}

restart_server() {
    "$SCRIP" serve --port "$port" --ledger book.db $(store issuer.keys) --operator-key-file operator.key --rate 0 \
        --json >serve.json 2>>serve.log &
    server_pid=$!
    for _ in $(seq 100); do
        [ -s serve.json ] && break
        sleep 0.1
    done
}

profile_of() { [ "$1" = bob ] && echo ev1 || echo an12113; }

pay_until_done() {
    for _ in 1 2 3 4; do
        pay "$1" 0.10 "$(profile_of "$1")" >out 2>err && return 0
    done
    cat err
    return 1
}

relay() {
    "$SCRIP" topup --reader "card:$1.card" --order "$2" --token-file "$2.token" --state "$2.state" --server "$URL" --taps 1
}

relay_until_done() {
    for _ in 1 2 3 4; do
        relay "$1" "$2" >out 2>err && return 0
        # A phone that was killed after everything was done finds the order over.
        "$SCRIP" order show "$2" $SERVER --json 2>/dev/null | grep -qi '"confirmed"' && return 0
        sleep 0.2
    done
    cat err
    return 1
}

for i in $(seq "$kills"); do
    who=$([ $((RANDOM % 2)) = 0 ] && echo alice || echo bob)
    after=$((RANDOM % 60))
    case $((RANDOM % 3)) in
    0)
        killed $after "$SCRIP" pay 0.10 --reader "card:$who.card" $(store gate.keys) --journal gate.journal \
            --terminal-id 00000042 --purse "$(profile_of $who)"
        ok "kill $i: $who pays after the terminal was killed at $after ms" pay_until_done $who
        ;;
    1)
        "$SCRIP" order create --id "k$i" --card "$(cat $who.uid)" --amount 1 --token-out "k$i.token" $SERVER >/dev/null
        "$SCRIP" order fund "k$i" --payment "k$i" $SERVER >/dev/null
        killed $after "$SCRIP" topup --reader "card:$who.card" --order "k$i" --token-file "k$i.token" \
            --state "k$i.state" --server "$URL" --taps 1
        ok "kill $i: $who is topped up after the phone was killed at $after ms" relay_until_done $who "k$i"
        ;;
    2)
        "$SCRIP" order create --id "k$i" --card "$(cat $who.uid)" --amount 1 --token-out "k$i.token" $SERVER >/dev/null
        "$SCRIP" order fund "k$i" --payment "k$i" $SERVER >/dev/null
        relay $who "k$i" >/dev/null 2>&1 &
        phone=$!
        sleep "0.$(printf '%03d' $after)"
        kill -9 "$server_pid"
        wait "$server_pid" 2>/dev/null
        restart_server
        wait $phone
        ok "kill $i: $who is topped up after the server was killed at $after ms" relay_until_done $who "k$i"
        ;;
    esac
done

for who in alice bob; do
    "$SCRIP" recover --reader "card:$who.card" $(store gate.keys) --journal gate.journal --terminal-id 00000042 \
        --purse "$(profile_of $who)" >/dev/null 2>&1
done
"$SCRIP" terminal upload gate.journal $SERVER >out 2>err
for who in alice bob; do
    "$SCRIP" order create --id "read-$who" --card "$(cat $who.uid)" --kind read --token-out "read-$who.token" $SERVER >/dev/null
    ok "$who is read online at last" relay $who "read-$who"
done
ok "nothing is left to upload" "$SCRIP" terminal upload gate.journal --all $SERVER
ok "every card is known to the end" "$SCRIP" ledger reconcile --ledger book.db --json
is "both are in step" 2 "$(jq .in_step out)"
for who in alice bob; do
    is "$who has in the book what is on the card" "$(balance $who "$(profile_of $who)")" \
        "$("$SCRIP" ledger balance --ledger book.db --json | jq ".cards[] | select(.uid == \"$(cat $who.uid)\").float")"
done
is "nothing is in flight" 0 "$("$SCRIP" ledger balance --ledger book.db --json | jq '.accounts | to_entries[] | select(.key | ascii_downcase | test("flight")).value')"
ok "the book verifies" "$SCRIP" ledger verify --ledger book.db
finish
