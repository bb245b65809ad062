# opensc.sh: OpenSC's opensc-tool sees a DESFire EV3, and reads the plain profile as any ISO 7816-4 card.
need opensc-tool

"$SCRIP" card new "$WORK/ev3.card" --blank --uid 04112233445566 >/dev/null
present "$WORK/ev3.card"

opensc-tool -r 0 -a >"$WORK/atr.out"
says "$WORK/atr.out" '^3b:81:80:01:80:80'

# GetVersion in its three frames: vendor NXP (04), DESFire (01), 8K (1A), protocol 14443-4 (05); then UID and batch.
opensc-tool -r 0 -c default -s 90:60:00:00:00 -s 90:AF:00:00:00 -s 90:AF:00:00:00 >"$WORK/version.out"
says "$WORK/version.out" '^04 01 .. 33 .. 1A 05'
[ "$(grep -c 'SW1=0x91, SW2=0xAF' "$WORK/version.out")" = 2 ] || die "two frames of GetVersion say that more follows"
says "$WORK/version.out" 'SW1=0x91, SW2=0x00'
says "$WORK/version.out" '^04 11 22 33 44 55 66'

# The reader's own commands never reach the card.
opensc-tool -r 0 -c default -s FF:CA:00:00:00 -s FF:CA:01:00:00 >"$WORK/uid.out"
says "$WORK/uid.out" '^04 11 22 33 44 55 66'
says "$WORK/uid.out" '^06 75 77 81 02 80'

# Left to itself, opensc-tool knocks with a dozen selections of other cards' applications; the card stays.
opensc-tool -r 0 -n >"$WORK/probe.out" 2>&1 || true
await "the card after the probes" card_is_in
stop present
[ "$stopped" = 0 ] || die "presenting ends with exit code 0 on SIGTERM, not $stopped"

"$SCRIP" keys init "$WORK/issuer.keys" --test-cost >/dev/null
"$SCRIP" card new "$WORK/plain.card" --keys "$WORK/issuer.keys" --profile plain >/dev/null
await "the reader to be empty" sh -c '! opensc-tool --list-readers | grep -Eq "^0 +Yes"'
present "$WORK/plain.card"

# SELECT by DF name, READ BINARY by short file id and by SELECT of the file: the header of the wallet.
opensc-tool -r 0 -c default -s 00:A4:04:00:07:F0:73:63:72:69:70:01 -s 00:B0:81:00:20 \
    -s 00:A4:00:0C:02:EF:01 -s 00:B0:00:00:20 >"$WORK/iso.out"
[ "$(grep -c 'SW1=0x90, SW2=0x00' "$WORK/iso.out")" = 4 ] || { cat "$WORK/iso.out" >&2; die "four commands, four times 9000"; }
[ "$(grep -Ec '^([0-9A-F]{2} ){16}' "$WORK/iso.out")" = 4 ] || die "32 bytes of header, twice"
[ "$(grep -E '^([0-9A-F]{2} ){16}' "$WORK/iso.out" | sort | uniq -c | awk '$1 != 2' | wc -l)" = 0 ] ||
    die "both ways read the same bytes"

# The purse itself is closed to them.
opensc-tool -r 0 -c default -s 00:A4:04:00:07:F0:73:63:72:69:70:01 -s 00:B2:01:14:00 >"$WORK/closed.out"
says "$WORK/closed.out" 'SW1=0x69, SW2=0x82'
