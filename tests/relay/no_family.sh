#!/bin/sh
# no_family.sh PROGRAM NM: fails if PROGRAM, into which the whole phone was linked, holds any card family, key or crypto.
set -eu
symbols=$("$2" --defined-only "$1" | awk '{ print $3 }')

# First that the list is one: the phone itself must be in it.
for wanted in scrip_relay_run scrip_relay_next scrip_relay_script_open; do
    printf '%s\n' "$symbols" | grep -qx "$wanted" || { echo "not linked: $wanted"; exit 1; }
done

# Rooms that the phone stands on; every other name of ours is one too many.
strangers=$(printf '%s\n' "$symbols" | grep '^scrip_' |
    grep -Ev '^scrip_(relay|bytes|buf|batch|replies|run$|link|strerror|status_name|equal_ct|wipe|get_|put_)' || true)
if [ -n "$strangers" ]; then
    echo "the phone has in it:"
    printf '%s\n' "$strangers"
    exit 1
fi
"$1"
