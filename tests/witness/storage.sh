# storage.sh: storage cards before PC/SC. pcsc_scan must name each, and scriptor drives a MIFARE Classic card with the
# reader's commands, every answer to the byte; the card file then holds what was written.
need scriptor pcsc_scan opensc-tool

# named CARD PATTERN: as any machine with pcsc-tools would name it.
named() {
    present "$WORK/$1.card"
    start scan pcsc_scan
    await "pcsc_scan to name $1" grep -q "$2" "$WORK/scan.log"
    stop scan
    stop present
    await "the reader to be empty" sh -c '! opensc-tool --list-readers | grep -Eq "^0 +Yes"'
}

"$SCRIP" card new "$WORK/classic.card" --profile classic --blank --uid DEADBEEF >/dev/null
"$SCRIP" card new "$WORK/classic-4k.card" --profile classic-4k --blank --uid 04112233445566 >/dev/null
"$SCRIP" card new "$WORK/otp.card" --profile otp --blank --uid 5C0A1199 >/dev/null
"$SCRIP" card new "$WORK/desfire.card" --blank >/dev/null
named classic-4k 'NXP Mifare card with 4k EEPROM'
named otp 'NXP/Philips MIFARE Classic 1K'
named desfire 'NXP DESFire or DESFire EV1 or EV2'
named classic 'NXP/Philips MIFARE Classic 1K'

# Each line of the script with the answer that is due; 2000 and 1995 as value blocks of block 5.
cat >"$WORK/dialogue" <<'DIALOGUE'
FF CA 00 00 00 | DE AD BE EF 90 00
FF CA 00 00 04 | DE AD BE EF 90 00
FF CA 00 00 03 | 6C 04
FF CA 01 00 00 | 6A 81
FF B0 00 04 10 | 69 82
FF 82 00 00 06 FF FF FF FF FF FF | 90 00
FF 82 00 01 06 A0 A1 A2 A3 A4 A5 | 90 00
FF 82 00 02 06 FF FF FF FF FF FF | 69 88
FF 86 00 00 05 01 00 04 60 01 | 63 00
FF 86 00 00 05 01 00 04 60 00 | 90 00
FF B0 00 04 10 | 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 90 00
FF D6 00 04 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F | 90 00
FF B0 00 04 10 | 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 90 00
FF D7 00 05 05 00 00 00 07 D0 | 90 00
FF B0 00 05 10 | D0 07 00 00 2F F8 FF FF D0 07 00 00 05 FA 05 FA 90 00
FF D7 00 05 05 02 00 00 00 0A | 90 00
FF D7 00 05 05 01 00 00 00 05 | 90 00
FF B1 00 05 04 | 00 00 07 CB 90 00
FF D7 00 05 02 03 06 | 90 00
FF B0 00 06 10 | CB 07 00 00 34 F8 FF FF CB 07 00 00 05 FA 05 FA 90 00
FF B0 00 04 20 | 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F CB 07 00 00 34 F8 FF FF CB 07 00 00 05 FA 05 FA 90 00
FF D7 00 04 05 01 00 00 00 01 | 63 00
FF B0 00 05 10 | 69 82
FF 88 00 05 60 00 | 90 00
FF B0 00 07 10 | 00 00 00 00 00 00 FF 07 80 69 FF FF FF FF FF FF 90 00
FF D6 00 07 10 FF FF FF FF FF FF FF 07 81 69 FF FF FF FF FF FF | 6A 80
FF B0 00 08 10 | 69 82
FF B0 00 40 10 | 6A 82
FF 12 00 00 00 | 6D 00
00 A4 04 00 00 | 6D 00
FF C2 00 00 02 81 00 00 | C0 03 00 90 00 90 00
FF C2 00 02 04 8F 02 00 03 00 | C0 03 00 90 00 8F 01 08 90 00
FF C2 00 00 02 82 00 00 | C0 03 00 90 00 90 00
FF 00 00 00 04 D4 4A 01 00 00 | D5 4B 01 01 00 04 08 04 DE AD BE EF 90 00
FF 00 48 00 00 | 41 43 52 31 32 32 55 32 30 37
DIALOGUE

present "$WORK/classic.card"
sed 's/ *|.*//' "$WORK/dialogue" >"$WORK/script.txt"
sed 's/.*| *//' "$WORK/dialogue" >"$WORK/due"
scriptor -r "Virtual PCD 00 00" "$WORK/script.txt" >"$WORK/scriptor.out" 2>&1
# An answer stands behind "<", 16 bytes to the line, and ends with words about its status behind a colon.
awk '/^< / { said = ""; on = 1; sub(/^< /, "") }
     on { more = $0; sub(/ *:.*/, "", more); sub(/ +$/, "", more); said = said (said == "" ? "" : " ") more }
     on && /:/ { print said; on = 0 }' "$WORK/scriptor.out" >"$WORK/heard"
diff "$WORK/due" "$WORK/heard" >&2 || die "scriptor hears what is due (<), not this (>)"
stop present

# What was written is in the file: block b is page b behind the header.
"$SCRIP" card show "$WORK/classic.card" >"$WORK/show.out"
says "$WORK/show.out" '000102030405060708090A0B0C0D0E0F'
