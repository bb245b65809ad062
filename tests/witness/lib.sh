# lib.sh: what the witnesses share. Sourced; expects SCRIP. Makes WORK.

SCRIP=$(cd "$(dirname "$SCRIP")" && pwd)/$(basename "$SCRIP")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/scrip-witness.XXXXXX")
SCRIP_PROFILES=${SCRIP_PROFILES:-$(cd "$here/../../profiles" && pwd)}
SCRIP_PASSPHRASE=witness
XDG_STATE_HOME=$WORK/state
export SCRIP WORK SCRIP_PROFILES SCRIP_PASSPHRASE XDG_STATE_HOME
pids=

die() {
    echo "FAILED: $*" >&2
    for log in "$WORK"/*.log; do
        [ -f "$log" ] && { echo "--- $log"; tail -n 20 "$log"; } >&2
    done
    exit 1
}

# need TOOL...: an absent tool is a failure, never a reason to pass.
need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed"
    done
}

# start NAME COMMAND...: in the background, output to WORK/NAME.log, its id in pid_NAME.
start() {
    name=$1
    shift
    "$@" >"$WORK/$name.log" 2>&1 &
    eval "pid_$name=$!"
    pids="$! $pids"
}

# stop NAME: ask it to end, and wait for it. Its exit code is left in stopped.
stop() {
    eval "pid=\$pid_$1"
    kill "$pid"
    stopped=0
    wait "$pid" || stopped=$?
    left=
    for other in $pids; do
        [ "$other" = "$pid" ] || left="$left $other"
    done
    pids=$left
}

# await WHAT COMMAND...: until the command succeeds, at most 10 seconds.
await() {
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || die "waited in vain for $what"
        sleep 0.05
    done
}

# says FILE PATTERN: an output must hold a line.
says() {
    grep -Eq -- "$2" "$1" || { cat "$1" >&2; die "no line like: $2"; }
}

card_is_in() {
    opensc-tool --list-readers 2>/dev/null | grep -Eq '^0 +Yes'
}

# present CARD-FILE: put a card into the first reader.
present() {
    start present "$SCRIP" card present "$1" --pcsc --port "$VPCD_PORT"
    await "the card in the reader" card_is_in
}

clean_up() {
    code=$?
    trap - EXIT
    for pid in $pids; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$WORK"
    exit $code
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
