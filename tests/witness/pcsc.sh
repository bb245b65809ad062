#!/bin/sh
# pcsc.sh WITNESS SCRIP: runs tests/witness/WITNESS with a pcscd of its own, whose readers nobody else sees.
#
# pcscd's socket has one fixed place and the vpcd driver listens on all addresses, so it runs in mount and network
# namespaces of its own. Where those are not permitted, such tests wait for each other instead.
#
# The witness finds: SCRIP (the program), WORK (an empty directory, removed afterwards), VPCD_PORT, and the functions of
# lib.sh. Only processes started here are ever stopped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
witness=$1
SCRIP=$2
stage=${3:-outside}

if [ "$stage" = outside ]; then
    if unshare --mount --net true 2>/dev/null; then
        exec unshare --mount --net sh "$0" "$witness" "$SCRIP" inside
    elif unshare -r --mount --net true 2>/dev/null; then
        exec unshare -r --mount --net sh "$0" "$witness" "$SCRIP" inside
    fi
    exec flock -w 300 "${TMPDIR:-/tmp}/scrip-witness.lock" sh "$0" "$witness" "$SCRIP" shared
fi

. "$here/lib.sh"
need pcscd
DRIVER=$(find /usr/lib -name libifdvpcd.so 2>/dev/null | head -n 1)
[ -n "$DRIVER" ] || die "the vpcd driver is not installed (package vsmartcard-vpcd)"

if [ "$stage" = inside ]; then
    mkdir -p /run/pcscd 2>/dev/null || { mount -t tmpfs none /run && mkdir /run/pcscd; }
    mount -t tmpfs none /run/pcscd
    ip link set lo up
    VPCD_PORT=35963
else
    VPCD_PORT=$((20000 + $$ % 20000))
fi
export VPCD_PORT

mkdir "$WORK/conf.d"
cat >"$WORK/conf.d/vpcd" <<CONF
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:$VPCD_PORT
LIBPATH      $DRIVER
CHANNELID    $VPCD_PORT
CONF
start pcscd pcscd --foreground --info -c "$WORK/conf.d"
await "pcscd to listen" test -S /run/pcscd/pcscd.comm

case $witness in
*.py) /usr/bin/python3 "$here/$witness" ;;
*) . "$here/$witness" ;;
esac
echo "witnessed"
