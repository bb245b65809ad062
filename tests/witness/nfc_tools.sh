# nfc_tools.sh: libnfc's small tools: anticollision by hand, polling until a card leaves, the chip's own tests, a REPL.
need nfc-anticol nfc-poll nfc-scan-device pn53x-diagnose pn53x-tamashell
make desfire an12113 04112233445566
make classic classic DEADBEEF
make double classic-4k 04AABBCCDDEE80

lay "$WORK/classic.card"
run scan nfc-scan-device -v
says "$WORK/scan.out" '^chip: PN532 v1.6'
run diagnose pn53x-diagnose
for test in 'Communication line' ROM RAM; do
    says "$WORK/diagnose.out" "$test test: OK"
done

# Bits of the standard, one by one: REQA, the cascade levels, SELECT, RATS, HLTA.
run anticol nfc-anticol
says "$WORK/anticol.out" '^ UID: deadbeef'
says "$WORK/anticol.out" '^ATQA: 0004'
says "$WORK/anticol.out" '^ SAK: 08'
says "$WORK/anticol.out" '^Received bits: de  ad  be  ef  22'
take
lay "$WORK/double.card"
run anticol nfc-anticol
says "$WORK/anticol.out" '^ UID: 04aabbccddee80'
says "$WORK/anticol.out" '^ SAK: 18'
says "$WORK/anticol.out" '^Received bits: 88  04  aa  bb'
take

lay "$WORK/desfire.card"
run anticol nfc-anticol
says "$WORK/anticol.out" '^ UID: 04112233445566'
says "$WORK/anticol.out" '^ATQA: 0344'
says "$WORK/anticol.out" '^ SAK: 20'
says "$WORK/anticol.out" '^ ATS: 06  75  77  81  02  80  02  f0'

# One hex line a command: finite retries, list, GetVersion wrapped, R(NAK), deselect, list by UID with its cascade tag.
printf '%s\n' 02 3205000102 4a0100 40019060000000 4001905a00000300000000 42b2 4400 4a0100 4a01008804112233445566 04 |
    timeout 60 pn53x-tamashell >"$WORK/tama.out" 2>&1 || die "pn53x-tamashell ends well"
says "$WORK/tama.out" '^Rx: 32  01  06  07'
says "$WORK/tama.out" '^Rx: 00  04  01  01  33  00  1a  05  91  af'
[ "$(grep -c '^Rx: 01  01  03  44  20  07  04  11  22  33  44  55  66  06  75  77  81  02  80' "$WORK/tama.out")" = 2 ] ||
    die "listed at first, and by its UID when it sleeps"
says "$WORK/tama.out" '^Rx: 00 *$' # a list of nobody: the card sleeps
says "$WORK/tama.out" '^Rx: 00  01  01  01  00  00  00  00' # field on, one target
if grep -q Error "$WORK/tama.out"; then die "the chip refuses nothing of this"; fi

# It finds the card, then waits until it is taken away.
start poll nfc-poll
await "nfc-poll to see the card" grep -q 'Waiting for card removing' "$WORK/poll.log"
says "$WORK/poll.log" 'UID \(NFCID1\): 04  11  22  33  44  55  66'
says "$WORK/poll.log" 'ATS: 75  77  81  02  80'
kill -USR1 "$pid_reader"
await "nfc-poll to miss the card" grep -q '^done\.' "$WORK/poll.log"
says "$WORK/poll.log" 'Target Released'
run none nfc-list -t 1
if grep -q 'UID' "$WORK/none.out"; then die "a card that was taken away is not listed"; fi
kill -USR1 "$pid_reader"
await "the card to be back" sh -c 'nfc-list -t 1 | grep -q "04  11  22  33  44  55  66"'
take
lay "$WORK/classic.card"
start poll nfc-poll
await "nfc-poll to see the Classic card" grep -q 'Waiting for card removing' "$WORK/poll.log"
says "$WORK/poll.log" 'UID \(NFCID1\): de  ad  be  ef'
kill -USR1 "$pid_reader"
await "nfc-poll to miss the Classic card" grep -q 'Target Released' "$WORK/poll.log"
take

# A client that was killed in the middle leaves nothing behind for the next.
lay "$WORK/desfire.card"
i=0
while [ $i -lt 5 ]; do
    timeout -s KILL 0.08 nfc-list >/dev/null 2>&1 || true
    run after nfc-list -t 1
    says "$WORK/after.out" '04  11  22  33  44  55  66'
    i=$((i + 1))
done
take
