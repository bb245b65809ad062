#!/bin/bash
# A server that cannot start says why, and leaves no new file behind; one that can makes what is missing.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
serve
port=${URL##*:}
mkdir new
# fails TEXT CODE LAYER WORDS OPTIONS...: it ends with that, and nothing was made
fails() {
    local text=$1 code=$2 layer=$3 words=$4
    shift 4
    refused "$text" "$code" "$layer" "$words" timeout 20 "$SCRIP" serve --ledger new/book.db \
        --operator-key-file new/operator.key "$@"
    is "and nothing was made" "" "$(ls new)"
}

fails "a port that another program has" 1 network "listening on 127.0.0.1 port $port: the server cannot listen" \
    --port "$port" $(store issuer.keys)
fails "nor with a certificate of its own making" 1 network "cannot listen there" \
    --port "$port" $(store issuer.keys) --cert new/srv.pem --cert-key new/srv.key --dev-cert
fails "an address that is another machine's" 1 network "listening on 192.0.2.1" --listen 192.0.2.1 --port 0 $(store issuer.keys)
fails "a store that is not one" 1 file "opening the key store pass" --port 0 $(store pass)
fails "a terminal's store" 1 key "starting a server with the key store gate.keys: the key store has no key" \
    --port 0 $(store gate.keys)
is "what it lacks is said, all of it" 1 "$(grep -c 'detail: a server needs keys of it: topup, tmac, seal$' err)"
# A store that lacks one role only: the file is sealed, so such a one is made with the keys of a terminal's.
for lacking in topup tmac seal; do
    cp gate.keys lacks.keys
    for role in topup tmac seal; do
        [ $role = $lacking ] || "$SCRIP" keys add $(store lacks.keys) --role $role --test-cost >/dev/null
    done
    fails "a store without a $lacking key" 1 key "no key for this" --port 0 $(store lacks.keys)
    is "which is named" 1 "$(grep -c "detail: a server needs keys of it: $lacking\$" err)"
done
fails "a certificate that is none" 1 file "reading the certificate pass and its key pass" --port 0 $(store issuer.keys) \
    --cert pass --cert-key pass
printf 'mine\n' >mine.key
fails "a key that is somebody's is not written over" 1 file "making the certificate new/srv.pem and its key mine.key" \
    --port 0 $(store issuer.keys) --cert new/srv.pem --cert-key mine.key --dev-cert
is "it is as it was" mine "$(cat mine.key)"
printf 'short\n' >short.key
refused "an operator's key that can be guessed" 1 file "16 to 126 characters" timeout 20 "$SCRIP" serve --port 0 \
    --ledger new/book.db --operator-key-file short.key $(store issuer.keys)
is "makes nothing either" "" "$(ls new)"
refused "a folder that is not there: the ledger" 1 file "nowhere/book.db" timeout 20 "$SCRIP" serve --port 0 $(store issuer.keys) \
    --ledger nowhere/book.db --operator-key-file new/operator.key
is "leaves no operator's key" "" "$(ls new)"
refused "a folder that is not there: the operator's key" 1 file "nowhere/operator.key" timeout 20 "$SCRIP" serve --port 0 \
    $(store issuer.keys) --ledger new/book.db --operator-key-file nowhere/operator.key
is "leaves no ledger" "" "$(ls new)"
refused "a file that is no ledger" 1 ledger "no ledger of scrip" timeout 20 "$SCRIP" serve --port 0 $(store issuer.keys) \
    --ledger pass --operator-key-file new/operator.key --cert new/srv.pem --cert-key new/srv.key --dev-cert
is "leaves neither a key nor a certificate" "" "$(ls new)"
limited() { (ulimit -f 1 && exec "$SCRIP" card new new/big.card $(store issuer.keys)); }
refused "a limit on the size of files" 1 file "File too large" limited
is "leaves no card" "" "$(ls new)"
stop_server

"$SCRIP" serve --port "$port" --ledger new/book.db --operator-key-file new/operator.key $(store issuer.keys) --json \
    --cert new/srv.pem --cert-key new/srv.key --dev-cert >new.json 2>new.log &
server_pid=$!
for _ in $(seq 100); do
    [ -s new.json ] && break
    sleep 0.1
done
is "the port that is free again, and all that was missing" "book.db operator.key srv.key srv.pem" \
    "$(ls new | grep -v -- - | sort | tr '\n' ' ' | sed 's/ $//')"
ok "it serves" "$SCRIP" order list --server "$(jq -r .url new.json)" --ca new/srv.pem --api-key-file new/operator.key
stop_server
finish
