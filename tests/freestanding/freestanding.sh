#!/bin/sh
# The core on a Cortex-M3 without a C library: every room links; what its objects leave open is memcpy, memmove, memset,
# memcmp and the compiler's own helpers (__aeabi_*); and nothing has a mutable global.
# usage: freestanding.sh SOURCE_DIR BUILD_DIR
set -eu
source=$1
build=$2
cd "$source"
cmake --preset freestanding -B "$build" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }

failed=0
archives=$(find "$build" -name 'libscrip_*.a')
[ -n "$archives" ] || { echo "no rooms were built"; exit 1; }

# Defined anywhere in the core, and asked for anywhere in it.
# shellcheck disable=SC2086
arm-none-eabi-nm -g --defined-only $archives 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$build/defined"
# shellcheck disable=SC2086
arm-none-eabi-nm -u $archives 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u >"$build/asked"
printf 'memcmp\nmemcpy\nmemmove\nmemset\n' | sort -u - "$build/defined" >"$build/allowed"
foreign=$(comm -23 "$build/asked" "$build/allowed" | grep -v '^__aeabi_' || true)
if [ -n "$foreign" ]; then
    echo "the core asks for what it may not have: $foreign"
    failed=1
fi

images=0
for image in "$build"/core/freestanding/image_*; do
    images=$((images + 1))
    name=$(basename "$image")
    if [ -n "$(arm-none-eabi-nm -u "$image")" ]; then
        echo "$name: open symbols"
        failed=1
    fi
    globals=$(arm-none-eabi-nm "$image" | awk '$2 ~ /^[bBdDC]$/ && $3 !~ /^_/ { print $3 }')
    if [ -n "$globals" ]; then
        echo "$name: mutable globals: $globals"
        failed=1
    fi
    arm-none-eabi-size "$image" | awk -v name="$name" 'NR == 2 { printf "%-24s %6d bytes of code and constants\n", name, $1 }'
done
[ "$images" -ge 6 ] || { echo "only $images images"; exit 1; }
exit $failed
