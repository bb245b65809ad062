#!/bin/bash
# Storage cards, by the program alone: made, shown, judged, spoken to, carried to other programs and back.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
STORE=$(store issuer.keys)

# ---- made
for profile in classic classic-4k bcd bcd+hardened otp; do
    ok "$profile is made" "$SCRIP" card new "$profile.card" --profile "$profile" $STORE
    is "$profile is nobody else's to read" 600 "$(stat -c %a "$profile.card")"
done
ok "a blank card with a UID of four bytes" "$SCRIP" card new four.card --profile classic --blank --uid 11223344
ok "a blank card with a UID of seven bytes" "$SCRIP" card new seven.card --profile classic --blank --uid 04112233445566
is "the UID is the one that was asked for" 04112233445566 "$("$SCRIP" card show seven.card --json | jq -r .uid)"
ok "a genuine card" "$SCRIP" card new genuine.card --profile classic --blank --genuine
is "and it says so" true "$("$SCRIP" card show genuine.card --json | jq .genuine)"
refused "nothing is overwritten" 1 file "exists" "$SCRIP" card new four.card --profile classic --blank
usage() { # usage TEXT WORDS COMMAND...
    local text=$1 words=$2
    shift 2
    "$@" >out 2>err
    is "$text" 2 $?
    grep -q -- "$words" err || { echo "FAILED: $text: $(cat err)"; failures=$((failures + 1)); }
}
usage "a UID of five bytes is none" "8 or 14" "$SCRIP" card new x.card --profile classic --blank --uid 1122334455
usage "DESFire has 14 digits" "14 hex digits" "$SCRIP" card new x.card --blank --uid 11223344
usage "a DESFire option on a storage card" "only for DESFire" \
    "$SCRIP" card new x.card --profile classic --blank --keep-pending
usage "a storage option on a DESFire card" "only for storage" "$SCRIP" card new x.card --blank --genuine
usage "a UID that begins like a cascade" "88 is no first byte" "$SCRIP" card new x.card --profile classic --blank --uid 88223344
refused "a profile that is not there" 1 file "could not be read" "$SCRIP" card new x.card --profile nonsense --blank
is "and where it was looked for is said" 1 "$(grep -c 'nonsense: there is no such profile' err)"
printf '[card]\nfamily = classic\nsize = 2K\n' >wrong.profile
refused "a wrong profile" 1 file "does not follow its format" "$SCRIP" card new x.card --profile ./wrong.profile --blank
is "and its line is said" 1 "$(grep -c 'line 3: .*size' err)"
is "what failed leaves no file" "" "$(ls x.card* 2>/dev/null)"

# ---- shown
"$SCRIP" card show classic.card --json >show.json
is "the purse is found" '"classic",0,"both copies agree"' "$(jq -c '.purse, .balance, .copies' show.json | paste -sd,)"
is "key A of the purse is the card's own" "own key" "$(jq -r '.sectors[1].key_a' show.json)"
is "its rights in words" "A or B: read, decrement; B: write, increment" \
    "$(jq -r '.sectors[1].blocks[0].rights' show.json)"
is "the rest is as delivered" '{"sector":2,"to":15,"factory":true}' "$(jq -c '.sectors[2]' show.json)"
is "a 4K card has 40 sectors" 39 "$("$SCRIP" card show classic-4k.card --json | jq '.sectors[-1].to')"
is "an OTP card has its units" "50,100,0,5000" \
    "$("$SCRIP" card show otp.card --json | jq -c '.unit, .units, .used, .balance' | paste -sd,)"
"$SCRIP" card show classic.card >show.txt
is "no key is shown" 0 "$(grep -ci 'ffffffffffff' show.txt)"
is "a reader without keys sees who it is" "11223344" "$("$SCRIP" card show --reader card:four.card --json | jq -r .uid)"

# ---- judged
for profile in classic classic-4k bcd bcd+hardened otp; do
    ok "$profile passes the lint" "$SCRIP" card lint "$profile"
    ok "and so does its card" "$SCRIP" card lint "$profile.card"
    is "Crypto-1 is named in $profile" 1 "$("$SCRIP" card lint "$profile" | grep -c 'Crypto-1 is broken')"
done
"$SCRIP" card lint four.card >lint.txt
is "the transport keys of a blank card are named" 1 "$(grep -c 'sectors 0-15: key A is the transport key' lint.txt)"
sed 's/sector = 1/sector = 1 ; one of our own/' "$SCRIP_PROFILES/classic.profile" >our.profile
ok "a card of a profile of our own" "$SCRIP" card new our.card --profile ./our.profile $STORE
ok "is judged by its memory where the profile is not at hand" "$SCRIP" card lint our.card
is "and says what it looked for" 1 "$(grep -c 'there is no such profile' err)"
sed 's/access = hardened/access = compatible/' "$SCRIP_PROFILES/classic.profile" >open.profile
refused "a gate that may credit is an error" 1 right "make value" "$SCRIP" card lint ./open.profile

# ---- spoken to
printf '%s\n' FFCA000000 FF82000006FFFFFFFFFFFF FF860000050100046000 FFB0000410 FFD6000410000102030405060708090A0B0C0D0E0F \
    FFB0000410 RESET FFB0000410 | "$SCRIP" card exchange four.card >exchange.txt
is "pseudo-APDUs reach a storage card" "112233449000 9000 9000 000000000000000000000000000000009000 9000 \
000102030405060708090A0B0C0D0E0F9000 6982" "$(paste -sd' ' exchange.txt)"
ok "a DESFire card" "$SCRIP" card new desfire.card --blank --uid 04112233445566
is "the reader tells its UID too" "041122334455669000" "$(echo FFCA000000 | "$SCRIP" card exchange desfire.card)"

# ---- carried away and back
for pair in classic:mfd classic-4k:json bcd:nfc; do
    card=${pair%:*} ending=${pair#*:}
    ok "$card goes into .$ending" "$SCRIP" card export "$card.card" "$card.$ending" --with-keys
    is "$card.$ending is its owner's" 600 "$(stat -c %a "$card.$ending")"
    ok "$card comes back" "$SCRIP" card import "$card.$ending" "back-$card.card" --profile "$card"
    ok "and goes into .$ending again" "$SCRIP" card export "back-$card.card" "again.$ending" --with-keys
    is "$card.$ending is the same, byte for byte" "" "$(cmp "$card.$ending" "again.$ending" 2>&1)"
    is "$card has its purse" 0 "$("$SCRIP" balance --reader "card:back-$card.card" --purse "${card%-4k}" $STORE --json |
        jq .balance)"
    rm "again.$ending"
done
# ---- damaged: bytes of a raw dump cleared, then made into a card again
torn() { # torn NAME PROFILE MFD OFFSET...: a card of it with eight bytes cleared at each offset
    local name=$1 profile=$2 mfd=$3
    shift 3
    cp "$mfd" "$name.mfd" && chmod 600 "$name.mfd"
    for at in "$@"; do dd if=/dev/zero of="$name.mfd" bs=1 count=8 seek="$at" conv=notrunc 2>/dev/null; done
    "$SCRIP" card import "$name.mfd" "$name.card" --profile "$profile" >/dev/null && rm "$name.mfd"
}
copies() { "$SCRIP" card show "$1.card" --json | jq -r .copies; }
ok "the BCD wallet as a raw dump" "$SCRIP" card export bcd.card bcd.mfd --with-keys
for purse in classic bcd; do
    torn $purse-backup $purse $purse.mfd 80
    is "$purse: a damaged backup is seen" "the next visit writes the backup again" "$(copies $purse-backup)"
    torn $purse-main $purse $purse.mfd 64
    is "$purse: a damaged main copy is seen" "the next visit writes the main copy again" "$(copies $purse-main)"
    is "$purse: the next visit mends it" 0 \
        "$("$SCRIP" balance --reader card:$purse-main.card --purse $purse $STORE --json | jq .balance)"
    is "$purse: and then they agree" "both copies agree" "$(copies $purse-main)"
    torn $purse-both $purse $purse.mfd 64 80
    is "$purse: two damaged copies are seen" "both copies are damaged" "$(copies $purse-both)"
    is "$purse: and show no balance" null "$("$SCRIP" card show $purse-both.card --json | jq .balance)"
done
torn access classic classic.mfd 118
is "damaged access bits are shown" true "$("$SCRIP" card show access.card --json | jq '.sectors[1].damaged')"
ok "and judged" "$SCRIP" card lint access.card
is "by their sector" 1 "$(grep -c 'sector 1: the access bits are damaged' out)"
head -c 2000 classic.card >cut.card
refused "a cut card file is none" 1 file "not a card file, or damaged" "$SCRIP" card show cut.card

ok "without keys" "$SCRIP" card export classic.card classic.nfc
is "keys are question marks" 16 "$(grep -c ': ?? ?? ?? ?? ?? ?? .. .. .. .. ?? ?? ?? ?? ?? ??' classic.nfc)"
ok "a dump with gaps is read" "$SCRIP" card import classic.nfc gaps.card --json
is "and its gaps are counted" 32 "$(jq .unknown_keys out)"
is "an export overwrites nothing" 1 "$("$SCRIP" card export classic.card classic.nfc >/dev/null 2>&1; echo $?)"
usage "a name without a format" "give --format" "$SCRIP" card export classic.card classic.txt
head -c 1000 classic.mfd >cut.mfd
refused "a dump that is not there" 1 file "could not be read" "$SCRIP" card import none.mfd x.card
refused "a cut dump" 1 file "no dump that is known" "$SCRIP" card import cut.mfd x.card
refused "a cut dump that is called one" 1 file "1024 or 4096" "$SCRIP" card import cut.mfd x.card --format mfd
sed 's/^Block 7:.*/Block 7: 00/' bcd.nfc >damaged.nfc
refused "a damaged line is named" 1 file "line 18: a block is 16 bytes" "$SCRIP" card import damaged.nfc x.card
refused "a DESFire has no dump" 1 card "not a MIFARE Classic" "$SCRIP" card export desfire.card d.mfd
refused "an OTP has none either" 1 card "not a MIFARE Classic" "$SCRIP" card export otp.card o.mfd
is "what failed leaves no file" "" "$(ls x.card* d.mfd o.mfd 2>/dev/null)"
finish
