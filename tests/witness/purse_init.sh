# purse_init.sh: a blank card in a PC/SC reader becomes a purse by the program alone, is registered, topped up over the
# air and spent there; OpenSC sees a DESFire with the application on it.
need opensc-tool jq

keys="--keys $WORK/issuer.keys"
"$SCRIP" keys init "$WORK/issuer.keys" --test-cost >/dev/null
"$SCRIP" serve --port 0 --ledger "$WORK/book.db" $keys --operator-key-file "$WORK/operator.key" --rate 0 --json \
    >"$WORK/serve.json" 2>"$WORK/serve.log" &
pids="$! $pids"
await "the server" sh -c 'jq -r .url "$WORK/serve.json" | grep -q "^http"'
URL=$(jq -r .url "$WORK/serve.json")
server="--server $URL --api-key-file $WORK/operator.key"

empty_reader() {
    stop present
    await "the reader to be empty" sh -c '! opensc-tool --list-readers | grep -Eq "^0 +Yes"'
}

# at_reader COMMAND...: at reader 0, with the store and the purse under test.
at_reader() {
    "$SCRIP" "$@" $keys --purse "$purse" --reader pcsc:0
}

for purse in an12113 ev1; do
    "$SCRIP" card new "$WORK/$purse.card" --profile "$purse" --blank --json >"$WORK/$purse.json"
    uid=$(jq -r .uid "$WORK/$purse.json")
    present "$WORK/$purse.card"
    "$SCRIP" purse init $keys --purse "$purse" --reader fault:cut-after=30:pcsc:0 >"$WORK/$purse.torn" 2>&1 &&
        die "a card that left was personalised"
    says "$WORK/$purse.torn" 'half made'
    at_reader purse init >"$WORK/$purse.made"
    says "$WORK/$purse.made" "$uid.*has the purse $purse now.*half made"
    at_reader purse init >"$WORK/$purse.again"
    says "$WORK/$purse.again" 'left as it is'
    "$SCRIP" card show --reader pcsc:0 >"$WORK/$purse.show"
    says "$WORK/$purse.show" '014499'
    "$SCRIP" card register "$uid" --purse "$purse" $server >/dev/null
    "$SCRIP" order create --id "o-$purse" --card "$uid" --amount 20 --token-out "$WORK/$purse.token" $server >/dev/null
    "$SCRIP" order fund "o-$purse" --payment "p-$purse" $server >/dev/null
    "$SCRIP" topup --reader pcsc:0 --server "$URL" --order "o-$purse" --token-file "$WORK/$purse.token" \
        --state "$WORK/$purse.state" >/dev/null
    at_reader pay 2.50 --journal "$WORK/$purse.journal" --terminal-id 0000002A >"$WORK/$purse.paid"
    says "$WORK/$purse.paid" '17,50'
    # SelectApplication, and the card's own list of applications: nobody of ours in between
    opensc-tool --reader 0 --send-apdu 90:5A:00:00:03:99:44:01:00 --send-apdu 90:5A:00:00:03:00:00:00:00 \
        --send-apdu 90:6A:00:00:00 >"$WORK/$purse.opensc" 2>&1
    says "$WORK/$purse.opensc" 'SW1=0x91, SW2=0x00'
    says "$WORK/$purse.opensc" '^99 44 01'
    empty_reader
    "$SCRIP" balance $keys --purse "$purse" --reader "card:$WORK/$purse.card" >"$WORK/$purse.file"
    says "$WORK/$purse.file" '17,50'
done
