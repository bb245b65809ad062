# lib.sh: what the tests of the program share. SCRIP is the program; each test runs in a folder of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work" || exit 1
server_pid=
trap '[ -z "$server_pid" ] || { kill "$server_pid"; wait "$server_pid"; } 2>/dev/null; cd /; rm -rf "$work"' EXIT
failures=0

# ok TEXT COMMAND...: the command succeeds
ok() {
    local text=$1
    shift
    if "$@" >out 2>err; then
        echo "ok: $text"
    else
        echo "FAILED: $text: $* ended with $?"
        cat out err
        failures=$((failures + 1))
    fi
}

# refused TEXT CODE LAYER WORDS COMMAND...: it ends with the code, and its message names the layer and these words
refused() {
    local text=$1 wanted=$2 layer=$3 words=$4 code
    shift 4
    "$@" >out 2>err
    code=$?
    if [ $code -eq "$wanted" ] && grep -q ": $layer: " err && grep -qiE "$words" err && grep -q "remedy: " err; then
        echo "ok: $text"
    else
        echo "FAILED: $text: code $code, wanted $wanted, layer $layer, words '$words'"
        cat err
        failures=$((failures + 1))
    fi
}

# is TEXT WANTED GOT
is() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: '$3' instead of '$2'"
        failures=$((failures + 1))
    fi
}

finish() { exit $((failures > 0)); }

# issuer: a key store and a terminal's
issuer() {
    printf 'secret of the test\n' >pass
    "$SCRIP" keys init issuer.keys --passphrase-file pass --test-cost >/dev/null &&
        "$SCRIP" keys export-terminal gate.keys --keys issuer.keys --passphrase-file pass --test-cost >/dev/null
}

store() { echo "--keys $1 --passphrase-file pass"; }

# serve: a server on a free port; sets URL and the options that reach it
serve() {
    "$SCRIP" serve --port 0 --ledger book.db $(store issuer.keys) --operator-key-file operator.key --rate 0 --json \
        >serve.json 2>serve.log &
    server_pid=$!
    for _ in $(seq 100); do
        URL=$(jq -r '.url // empty' serve.json 2>/dev/null)
        [ -n "$URL" ] && break
        sleep 0.1
    done
    SERVER="--server $URL --api-key-file operator.key"
}

stop_server() {
    kill "$server_pid" && wait "$server_pid"
    server_pid=
}

# card NAME PROFILE: made, personalised, registered; its UID is in NAME.uid
card() {
    "$SCRIP" card new "$1.card" --profile "$2" $(store issuer.keys) --json >"$1.json" || return 1
    jq -r .uid "$1.json" >"$1.uid"
    [ -z "${SERVER:-}" ] ||
        "$SCRIP" card register "$(cat "$1.uid")" --purse "$2" --transactions "$(jq .tmc "$1.json")" $SERVER >/dev/null
}

# topup NAME ID AMOUNT [LINK]: order, fund, relay
topup() {
    "$SCRIP" order create --id "$2" --card "$(cat "$1.uid")" --amount "$3" --token-out "$2.token" $SERVER >/dev/null &&
        "$SCRIP" order fund "$2" --payment "pay-$2" $SERVER >/dev/null &&
        "$SCRIP" topup --reader "${4:-card:$1.card}" --order "$2" --token-file "$2.token" --state "$2.state" \
            --server "$URL" --taps 1
}

# pay NAME AMOUNT [PROFILE [LINK]]
pay() {
    "$SCRIP" pay "$2" --reader "${4:-card:$1.card}" $(store gate.keys) --journal gate.journal --terminal-id 00000042 \
        --purse "${3:-an12113}" "${@:5}"
}

balance() { "$SCRIP" balance --reader "card:$1.card" $(store gate.keys) --purse "${2:-an12113}" --json | jq .balance; }
