#!/bin/sh
# nginx.sh SCRIP NGINX CONF: the documented configuration, with a real nginx and a real server behind it.
set -eu
scrip=$1 nginx=$2 conf=$3
dir=$(mktemp -d)
server= proxy=
cleanup() {
    [ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir"

fail() {
    echo "nginx.sh: $1" >&2
    cat ./*.log >&2
    exit 1
}

echo secret >pass
"$scrip" keys init issuer.keys --passphrase-file pass --test-cost >/dev/null
"$scrip" serve --keys issuer.keys --passphrase-file pass --ledger book.db --operator-key-file operator.key \
    --port 0 --trust-forwarded --rate 20 --json >ready.json 2>server.log &
server=$!
for _ in $(seq 100); do
    grep -q '"ok"' ready.json 2>/dev/null && break
    sleep 0.1
done
port=$(jq -r .port ready.json)

# A certificate for the front; any server of ours can make one.
"$scrip" serve --keys issuer.keys --passphrase-file pass --ledger other.db --port 0 --cert server.pem \
    --cert-key server.key --dev-cert --json >front.json 2>front.log &
maker=$!
for _ in $(seq 100); do
    grep -q '"ok"' front.json 2>/dev/null && break
    sleep 0.1
done
front=$(jq -r .port front.json)
kill "$maker"
wait "$maker" || true

sed -e "s|^pid .*|pid $dir/nginx.pid;|" -e "s|server 127.0.0.1:8080|server 127.0.0.1:$port|" \
    -e "s|listen 443 ssl|listen 127.0.0.1:$front ssl|" -e "s|server\.pem|$dir/server.pem|" \
    -e "s|server\.key|$dir/server.key|" "$conf" >nginx.conf
"$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/nginx.log" -g 'daemon off; master_process off;' 2>>nginx.log &
proxy=$!

key=$(cat operator.key)
url=https://localhost:$front
call() {
    curl -sS --cacert server.pem -H "Authorization: Bearer $key" -w '%{http_code}' -o answer "$@" 2>>curl.log || true
}
for _ in $(seq 50); do
    [ "$(call "$url/api/v1/orders")" = 200 ] && break
    sleep 0.1
done

[ "$(call -d '{"uid":"045B2C8A916E80","profile":"an12113"}' "$url/api/v1/cards")" = 201 ] || fail "register"
[ "$(call -d '{"id":"o-1","card":"045B2C8A916E80","kind":"topup","amount":2000,"currency":"EUR"}' \
    "$url/api/v1/orders")" = 201 ] || fail "create"
token=$(jq -r .phone_token answer)
[ "$(call -d '{"funding_id":"f-1"}' "$url/api/v1/orders/o-1/fund")" = 200 ] || fail "fund"

# The relay protocol: empty first POST, a script back, and where to go on.
code=$(curl -sS --cacert server.pem -H "Authorization: Bearer $token" -H 'X-Admin-Protocol: scrip-remote-admin/1.0' \
    -X POST -D headers -o script -w '%{http_code}' "$url/ota/o/o-1")
[ "$code" = 200 ] || fail "preamble: $code"
grep -qi '^X-Admin-Next-URI: /ota/s/' headers || fail "no next URI"
[ "$(head -c1 script | od -An -tx1 | tr -d ' ')" = aa ] || fail "no script"

# Too much is refused at the front, what is inside stays inside.
head -c 70000 /dev/zero >big
[ "$(call --data-binary @big "$url/api/v1/orders")" = 413 ] || fail "body limit"
[ "$(call "$url/metrics")" = 404 ] || fail "metrics are shown outside"

# The address that is counted is the client's, not the proxy's.
key=guess
for _ in $(seq 25); do
    code=$(call -H 'X-Forwarded-For: 192.0.2.77' "$url/api/v1/orders")
done
[ "$code" = 429 ] || fail "rate limit: $code"
grep -q '"peer":"127.0.0.1"' server.log || fail "peer"
echo "nginx: ok"
