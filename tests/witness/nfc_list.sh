# nfc_list.sh: libnfc's nfc-list finds every card in the field, of whatever family, and tells them apart.
need nfc-list
make desfire an12113 04112233445566
make desfire2 an12113 04112233445567
make classic classic DEADBEEF
make classic4 classic-4k 04AABBCCDDEE80
make otp otp 11223344

# list COUNT UID...: so many are found, and these.
list() {
    count=$1
    shift
    run list nfc-list -t 1
    says "$WORK/list.out" "^$count ISO14443A passive target\(s\) found:"
    for uid in "$@"; do
        says "$WORK/list.out" "UID \(NFCID1\): $uid *\$"
    done
    [ "$(grep -c 'UID (NFCID1)' "$WORK/list.out")" = "$count" ] || die "each is listed once"
}

# refused CODE OPTION...: a way to present that cannot be.
refused() {
    code=0
    wanted=$1
    shift
    timeout 20 "$SCRIP" card present "$@" >"$WORK/refused.out" 2>&1 || code=$?
    [ "$code" = "$wanted" ] || { cat "$WORK/refused.out" >&2; die "card present $*: exit code $wanted, not $code"; }
}
refused 2 "$WORK/classic.card"
refused 2 --pn532 --tcp "$WORK/classic.card"
refused 2 --tcp --link "$WORK/reader" "$WORK/classic.card"
refused 1 --pn532 "$WORK/classic.card" "$WORK/classic.card" # a card is in one field at a time, and there once
refused 1 --pn532 --link "$WORK" "$WORK/classic.card"
says "$WORK/refused.out" 'cannot make the link'

# As JSON the device is there at once, for a program to open.
start json "$SCRIP" card present --pn532 --json "$WORK/classic.card"
await "the device as JSON" grep -q '"device": "/dev/pts/' "$WORK/json.log"
device=$(sed -n 's/.*"device": "\([^"]*\)".*/\1/p' "$WORK/json.log")
LIBNFC_DEVICE=pn532_uart:$device run json_list nfc-list -t 1
says "$WORK/json_list.out" 'UID \(NFCID1\): de  ad  be  ef'
stop json

lay "$WORK/classic.card"
list 1 'de  ad  be  ef'
says "$WORK/list.out" 'ATQA \(SENS_RES\): 00  04'
says "$WORK/list.out" 'SAK \(SEL_RES\): 08'
run verbose nfc-list -v -t 1
says "$WORK/verbose.out" '^\* MIFARE Classic 1K'
run all nfc-list # other technologies find nothing, and type A still does afterwards
says "$WORK/all.out" '^1 ISO14443A passive'
list 1 'de  ad  be  ef'
take

lay "$WORK/desfire.card"
list 1 '04  11  22  33  44  55  66'
says "$WORK/list.out" 'ATQA \(SENS_RES\): 03  44'
says "$WORK/list.out" 'SAK \(SEL_RES\): 20'
says "$WORK/list.out" 'ATS: 75  77  81  02  80'
run verbose nfc-list -v -t 1
says "$WORK/verbose.out" '^\* MIFARE DESFire EV1 2K/4K/8K'
take

lay "$WORK/otp.card"
list 1 '11  22  33  44'
says "$WORK/list.out" 'SAK \(SEL_RES\): 08'
take

# Two whose UIDs differ in the last bits only; three of three kinds; in any order.
lay "$WORK/desfire.card" "$WORK/desfire2.card"
list 2 '04  11  22  33  44  55  66' '04  11  22  33  44  55  67'
take
lay "$WORK/classic4.card" "$WORK/desfire.card" "$WORK/classic.card"
list 3 'de  ad  be  ef' '04  11  22  33  44  55  66' '04  aa  bb  cc  dd  ee  80'
list 3 'de  ad  be  ef' '04  11  22  33  44  55  66' '04  aa  bb  cc  dd  ee  80'
take
lay "$WORK/classic.card" "$WORK/classic4.card" "$WORK/desfire2.card"
list 3 'de  ad  be  ef' '04  11  22  33  44  55  67' '04  aa  bb  cc  dd  ee  80'
take
lay "$WORK/otp.card" "$WORK/desfire.card" "$WORK/classic.card" "$WORK/desfire2.card" "$WORK/classic4.card"
list 5 '11  22  33  44' '04  11  22  33  44  55  66' 'de  ad  be  ef' '04  11  22  33  44  55  67' '04  aa  bb  cc  dd  ee  80'
take
