# nfc_classic.sh: libnfc and libfreefare read, format and fill MIFARE Classic cards, 1K and 4K.
need nfc-mfclassic mifare-classic-format mifare-classic-write-ndef mifare-classic-read-ndef cmp
make small classic DEADBEEF
make double classic 04112233445566
make big classic-4k 04AABBCCDDEE80

# What nfc-mfclassic reads is what the card's file holds. It takes the keys from the export; left to itself it tries the
# transport key and leaves key B out of its dump. (Its write mode is broken in 1.8.0, and it cannot read any honest 4K.)
for card in small double; do
    "$SCRIP" card export "$WORK/$card.card" "$WORK/$card-export.mfd" --with-keys >/dev/null
    lay "$WORK/$card.card"
    run read nfc-mfclassic r a u "$WORK/$card.mfd" "$WORK/$card-export.mfd"
    says "$WORK/read.out" '^Done, 64 of 64 blocks read\.'
    run guess nfc-mfclassic r a u "$WORK/guess.mfd"
    says "$WORK/guess.out" '^Done, 64 of 64 blocks read\.'
    take
    cmp "$WORK/$card.mfd" "$WORK/$card-export.mfd" || die "the dump over the air is the export of the file"
    [ "$(cmp -l "$WORK/guess.mfd" "$WORK/$card.mfd" | wc -l)" = 96 ] || die "sixteen keys B apart it is the same"
done

# A chip that lets itself be rewritten through a back door would answer the unlock; a wanted UID that is not there.
lay "$WORK/small.card"
timeout 60 nfc-mfclassic R a u "$WORK/none.mfd" >"$WORK/unlock.out" 2>&1 || true
says "$WORK/unlock.out" 'Unlock command \[1/2\]: failed'
if timeout 60 nfc-mfclassic r a U00112233 "$WORK/none.mfd" >"$WORK/other.out" 2>&1; then die "another UID is not found"; fi
says "$WORK/other.out" 'no tag was found'
take

head -c 500 /dev/urandom >"$WORK/500.bin"
head -c 1400 /dev/urandom >"$WORK/1400.bin"
# ndef CARD SECTORS MESSAGE DIRECTORIES: format, write an NDEF message, read it back; then format again with the keys it has now.
ndef() {
    lay "$WORK/$1.card"
    run format mifare-classic-format -y
    says "$WORK/format.out" "Formatting $2 sectors \[.*$2\] done\."
    run write mifare-classic-write-ndef -y -i "$WORK/$3"
    run back mifare-classic-read-ndef -y -o "$WORK/back.bin"
    says "$WORK/back.out" 'contains a "NDEF Message TLV"'
    cmp "$WORK/$3" "$WORK/back.bin" || die "what was written is read"
    run again mifare-classic-format -y
    says "$WORK/again.out" "Formatting $2 sectors \[.*$2\] done\."
    run fast mifare-classic-format -f -y
    says "$WORK/fast.out" "Formatting $4 sectors \[\.+\] done\." # those of the directory
    take
}
ndef small 16 500.bin 1
ndef double 16 500.bin 1
ndef big 40 1400.bin 2

# Formatted, the card is as new: transport keys, nothing in it.
lay "$WORK/small.card"
run read nfc-mfclassic r a u "$WORK/formatted.mfd" "$WORK/small-export.mfd"
says "$WORK/read.out" '^Done, 64 of 64 blocks read\.'
take
cmp "$WORK/small.mfd" "$WORK/formatted.mfd" || die "a formatted card is as the factory made it"
