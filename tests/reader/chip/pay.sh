#!/bin/bash
# The program with its cards before a reader chip on a serial line: every purse, both chips, cards torn in between; and
# what is said of devices that are not as they should be.
. "$(dirname "$0")/../../tools/lib.sh"
issuer || exit 1
STORE=$(store issuer.keys)
presenter=
trap '[ -z "$presenter" ] || { kill "$presenter"; wait "$presenter"; } 2>/dev/null; cd /; rm -rf "$work"' EXIT

# present CHIP CARD...: sets LINK
present() {
    local chip=$1 option=$1
    shift
    [ "$chip" = mfrc522 ] && option=mfrc522-uart
    "$SCRIP" card present "--$option" --link line "$@" >present.log 2>&1 &
    presenter=$!
    for _ in $(seq 100); do
        [ -e line ] && break
        sleep 0.05
    done
    LINK="$chip:$PWD/line"
}

withdraw() {
    kill "$presenter" && wait "$presenter"
    presenter=
}

money() { # money COMMAND AMOUNT LINK PURSE [OPTION...]
    local command=$1 amount=$2 link=$3 purse=$4
    shift 4
    "$SCRIP" "$command" "$amount" --reader "$link" --purse "$purse" --journal gate.journal --terminal-id 00000042 "$@"
}

held() { "$SCRIP" balance --reader "$1" $STORE --purse "$2" --json | jq .balance; }

# ---- every purse before both chips
reference=0
for chip in pn532 mfrc522; do
    for purse in an12113 split ev1 classic bcd otp; do
        keys=gate.keys
        [ "$purse" = bcd ] && keys=issuer.keys # the original layout has one key for all
        rm -f "$purse.card"
        ok "$purse is made" "$SCRIP" card new "$purse.card" --profile "$purse" $STORE
        present "$chip" "$purse.card"
        before=5000
        if [ "$purse" != otp ]; then
            reference=$((reference + 1))
            before=2000
            ok "$chip: $purse is credited" money credit 20.00 "$LINK" "$purse" $STORE --reference "$reference"
        fi
        ok "$chip: $purse pays" money pay 2.50 "$LINK" "$purse" $(store "$keys")
        is "$chip: $purse holds the rest" $((before - 250)) "$(held "$LINK" "$purse")"
        withdraw
        is "and so says the card itself" $((before - 250)) "$(held "card:$purse.card" "$purse")"
    done
done

# ---- torn at each command: what the terminal is told holds, and the next tap settles it
for chip in pn532 mfrc522; do
    for purse in an12113 classic otp; do
        rm -f torn.card torn.journal
        "$SCRIP" card new torn.card --profile "$purse" $STORE >/dev/null
        present "$chip" torn.card
        [ "$purse" = otp ] || money credit 20.00 "$LINK" "$purse" $STORE --reference 77 >/dev/null
        taken=0
        full=$(held "$LINK" "$purse")
        for cut in 3 6 9 11; do
            money pay 1.00 "fault:cut-after=$cut:$LINK" "$purse" $(store gate.keys) --wait 1 >/dev/null 2>&1
            money pay 1.00 "$LINK" "$purse" $(store gate.keys) --wait 1 >/dev/null 2>&1
            left=$(held "$LINK" "$purse")
            step=$((full - taken - left))
            [ $step -eq 100 ] || [ $step -eq 200 ] || is "$chip: $purse cut after $cut" "100 or 200" "$step"
            taken=$((full - left))
        done
        withdraw
        is "$chip: $purse has what the last tap said" "$((full - taken))" "$(held card:torn.card "$purse")"
    done
done

# ---- links around it
present pn532 an12113.card
ok "a capture of it" "$SCRIP" balance --reader "trace:visit.txt:$LINK" $STORE
is "holds the selection" true "$(jq -n --rawfile t visit.txt '$t | test("> 905A0000"; "i")')"
ok "the speed may be said" "$SCRIP" balance --reader "$LINK:115200" $STORE
refused "a line that another program holds" 1 reader "in use by another program" \
    flock -n line "$SCRIP" balance --reader "$LINK" $STORE --wait 0
refused "a PN532 is no MFRC522" 1 reader "what answers .* is no mfrc522|garbles|no mfrc522 answers" \
    "$SCRIP" balance --reader "mfrc522:$PWD/line" $STORE
ok "and is itself again afterwards" "$SCRIP" balance --reader "$LINK" $STORE
withdraw

# ---- devices
refused "no such device" 1 reader "no /dev/ttyUSB99: is the adapter plugged in" \
    "$SCRIP" balance --reader pn532:/dev/ttyUSB99 $STORE
: >file
refused "no serial line" 1 reader "is no serial line" "$SCRIP" balance --reader pn532:file $STORE
"$SCRIP" reader list --json >list.json 2>/dev/null
is "candidates are listed beside PC/SC's readers" array "$(jq -r '.devices | type' list.json)"
finish
