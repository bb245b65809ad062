#!/bin/bash
# The demonstration: no terminal, no answers, an end by itself, and a server that stays up when asked to.
. "$(dirname "$0")/lib.sh"
start=$SECONDS
ok "the demonstration ends with 0" "$SCRIP" demo --dir shown </dev/null
is "its last line says that the books balance" 1 "$(tail -1 out | grep -c 'The books balance')"
is "within 50 seconds" 1 $((SECONDS - start < 50))
is "its files are there" 4 "$(ls shown/alice.card shown/book.db shown/gate.journal shown/alice.pcapng 2>/dev/null | wc -l)"
is "no process is left in its folder" 0 "$(readlink /proc/[0-9]*/cwd 2>/dev/null | grep -c "^$PWD/shown" || true)"
"$SCRIP" demo --json >demo.json 2>/dev/null
is "in JSON too" true "$(jq -r '.ok and .balanced' demo.json)"
rm -rf "$(jq -r .directory demo.json)"
refused "a folder that is there already is left alone" 1 file "exists already" "$SCRIP" demo --dir shown
"$SCRIP" demo --serve --dir up --json >up.json 2>up.err &
demo_pid=$!
for _ in $(seq 300); do
    grep -q '"ok"' up.json && break
    sleep 0.1
done
is "with --serve the server answers" 200 \
    "$(curl -s --cacert up/server.pem -o metrics -w '%{http_code}' "$(jq -r .url up.json)/metrics")"
kill $demo_pid
wait $demo_pid
is "until it is stopped" 0 $?
finish
