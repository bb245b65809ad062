#!/bin/sh
# What an image takes: size.sh SIZE IMAGE
"$1" -A -d "$2" | awk -v name="$(basename "$2")" '
    $1 == ".text" { text = $2 } $1 == ".data" { data = $2 } $1 == ".bss" { bss = $2 } $1 == ".stack" { stack = $2 }
    END { printf "%s: flash %d bytes (code and constants %d, data %d); RAM %d bytes (data %d, bss %d, stack %d)\n", name,
          text + data, text, data, data + bss + stack, data, bss, stack }'
