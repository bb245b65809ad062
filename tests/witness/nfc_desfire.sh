# nfc_desfire.sh: libfreefare's tools on our DESFire: D40 messaging, ISO wrapping, files, NDEF, and the configuration of
# an EV1 (what each of those does is asserted where it is called).
need mifare-desfire-info mifare-desfire-format mifare-desfire-create-ndef mifare-desfire-write-ndef \
    mifare-desfire-read-ndef mifare-desfire-access mifare-desfire-ev1-configure-ats \
    mifare-desfire-ev1-configure-default-key mifare-desfire-ev1-configure-random-uid nfc-list cmp
make ev1 an12113 04112233445566 --generation EV1
make ev2 an12113 04112233445567 --generation EV2
make ev3 an12113 04112233445568 --generation EV3
head -c 16 /dev/urandom >"$WORK/16.bin"
head -c 1000 /dev/urandom >"$WORK/1000.bin"

for card in ev1 ev2 ev3; do
    lay "$WORK/$card.card"
    run info mifare-desfire-info
    says "$WORK/info.out" '^UID: +0x0411223344556[678]'
    says "$WORK/info.out" 'Storage size: +0x1a \(=8192 bytes\)'
    says "$WORK/info.out" '^Free memory: [0-9]+ bytes'
    says "$WORK/info.out" '^Use random UID: no'
    free=$(grep '^Free memory' "$WORK/info.out")
    run format mifare-desfire-format -y
    run create mifare-desfire-create-ndef -y
    for message in 16 1000; do
        run write mifare-desfire-write-ndef -y -i "$WORK/$message.bin"
        says "$WORK/write.out" "NDEF file is $((message + 2)) bytes long"
        run read mifare-desfire-read-ndef -y -o "$WORK/back.bin"
        says "$WORK/read.out" "NDEF size: $message bytes"
        cmp "$WORK/$message.bin" "$WORK/back.bin" || die "what was written is read"
    done
    run info mifare-desfire-info
    if grep -qxF "$free" "$WORK/info.out"; then die "an application takes memory"; fi
    run format mifare-desfire-format -y
    run info mifare-desfire-info
    says "$WORK/info.out" "^$free\$"

    # Creates an application with an enciphered file, writes and reads it, and formats the card; says nothing itself,
    # so every status of the card is looked at.
    LIBNFC_LOG_LEVEL=3 run access mifare-desfire-access
    grep -E 'RX: .* 91  ?[0-9a-f]{2} *$' "$WORK/access.out" >"$WORK/status.out" || die "the card was asked"
    if grep -vE ' 91  ?(00|af) *$' "$WORK/status.out"; then die "the card refuses nothing"; fi
    [ "$(grep -cE 'TX: .* d4 40 01 90 (ca|cd|3d|bd|fc) ' "$WORK/access.out")" -ge 5 ] || die "create, write, read, format"
    take
done

# The ATS that it sets is the one the card has.
lay "$WORK/ev1.card"
run ats mifare-desfire-ev1-configure-ats -y
says "$WORK/ats.out" '^Found Mifare DESFire with UID 04112233445566'
run list nfc-list -t 1
says "$WORK/list.out" 'ATS: 75  77  81  02  80'

# It sets a default key, makes an application, checks key and version of it, and takes all of it back.
run key mifare-desfire-ev1-configure-default-key -y
says "$WORK/key.out" '^Found Mifare DESFire with UID 04112233445566'
if grep -q 'Wrong key version' "$WORK/key.out"; then die "a new application has the default key's version"; fi

# For ever: another UID at each power-on, four bytes beginning with 08; GetVersion does not tell the true one.
run random mifare-desfire-ev1-configure-random-uid -y
run one nfc-list -t 1
run two nfc-list -t 1
for list in one two; do
    says "$WORK/$list.out" 'UID \(NFCID3\): 08  '
    says "$WORK/$list.out" 'ATQA \(SENS_RES\): 03  04'
done
if cmp -s "$WORK/one.out" "$WORK/two.out"; then die "each power-on has another UID"; fi
run info mifare-desfire-info
says "$WORK/info.out" '^UID: +0x00000000000000'
says "$WORK/info.out" '^Use random UID: yes'
take
