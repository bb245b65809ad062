#!/bin/sh
# pn532.sh WITNESS SCRIP [PROGRAM]: runs tests/witness/WITNESS with libnfc pointed at a virtual PN532 on a serial line.
#
# The witness finds: SCRIP, PROGRAM (one of our own test programs over a library nobody here wrote), WORK, the functions
# of lib.sh and those below. Lines and files decide, not exit codes: some of these tools end with 0 whatever happens.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
witness=$1
SCRIP=$2
PROGRAM=${3:-}

. "$here/lib.sh"
LIBNFC_DEVICE=pn532_uart:$WORK/reader
LIBNFC_AUTO_SCAN=false
LIBNFC_LOG_LEVEL=1
export LIBNFC_DEVICE LIBNFC_AUTO_SCAN LIBNFC_LOG_LEVEL

# lay CARD-FILE...: before the reader.
lay() {
    start reader "$SCRIP" card present --pn532 --link "$WORK/reader" "$@"
    await "the reader" test -L "$WORK/reader"
}

# take: the cards away, and the reader.
take() {
    stop reader
    [ "$stopped" = 0 ] || die "presenting ends with exit code 0 on SIGTERM, not $stopped"
    [ ! -L "$WORK/reader" ] || die "the link to the reader is left behind"
}

# run NAME COMMAND...: it must end, and well; what it prints is in WORK/NAME.out.
run() {
    name=$1
    shift
    timeout 60 "$@" >"$WORK/$name.out" 2>&1 || { code=$?; cat "$WORK/$name.out" >&2; die "$*: exit code $code"; }
}

# make NAME PROFILE UID [OPTION...]: a card as the factory delivers it.
make() {
    card=$1 profile=$2 uid=$3
    shift 3
    "$SCRIP" card new "$WORK/$card.card" --profile "$profile" --blank --uid "$uid" "$@" >/dev/null
}

. "$here/$witness"
echo "witnessed"
