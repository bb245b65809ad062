# scriptor.sh: scriptor drives a card by a script, resets included; pcsc_scan knows what card it is.
need scriptor pcsc_scan opensc-tool timeout

"$SCRIP" card new "$WORK/ev3.card" --blank --uid 04112233445566 >/dev/null
present "$WORK/ev3.card"

# A selection dies with a reset; another class, garbage and short commands get their status words.
cat >"$WORK/script.txt" <<SCRIPT
reset
90 5A 00 00 03 00 00 00 00
90 CA 00 00 05 53 10 F5 0F 02 00
90 5A 00 00 03 53 10 F5 00
90 CD 00 00 07 01 00 EE EE 08 00 00 00
90 3D 00 00 0B 01 00 00 00 04 00 00 DE AD BE EF 00
90 BD 00 00 07 01 00 00 00 00 00 00 00
reset
90 BD 00 00 07 01 00 00 00 00 00 00 00
90 FE 00 00 00
A0 60 00 00 00
90 60 00
SCRIPT
scriptor -r "Virtual PCD 00 00" "$WORK/script.txt" >"$WORK/scriptor.out" 2>&1
grep '^<' "$WORK/scriptor.out" >"$WORK/answers.out"
sed -n 's/^< OK: *//p' "$WORK/answers.out" >"$WORK/resets.out"
[ "$(grep -c '3B 81 80 01 80 80' "$WORK/resets.out")" = 2 ] || { cat "$WORK/scriptor.out" >&2; die "two resets"; }
says "$WORK/scriptor.out" '^< DE AD BE EF 00 00 00 00 91 00'
says "$WORK/scriptor.out" '^< 91 9D|^< 91 F0' # no file at card level, where the reset has led
says "$WORK/scriptor.out" '^< 91 1C'
says "$WORK/scriptor.out" '^< 6E 00'
says "$WORK/scriptor.out" '^< 67 00'

timeout 5 pcsc_scan >"$WORK/scan.out" 2>&1 || true
says "$WORK/scan.out" 'NXP DESFire or DESFire EV1 or EV2'

# pcscd goes and comes back: so does the card.
stop pcscd
start pcscd pcscd --foreground --info -c "$WORK/conf.d"
await "the card in the new pcscd" card_is_in
opensc-tool -r 0 -c default -s 90:60:00:00:00 >"$WORK/again.out"
says "$WORK/again.out" 'SW1=0x91, SW2=0xAF'
