#!/bin/bash
# The manual as man reads it: no page with a fault, every command with one, and nothing left out of the overview.
. "$(dirname "$0")/lib.sh"
root=$here/../..
overview=$SCRIP_MANUAL/scrip.1
export MANWIDTH=100 LC_ALL=C.UTF-8

faults=$(for page in "$SCRIP_MANUAL"/*.1; do man --warnings -l -Tutf8 -Z "$page" 2>&1 >/dev/null; done)
is "no page has a fault" "" "$faults"
missing=$("$SCRIP" help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' | while read -r command; do
    page=$SCRIP_MANUAL/scrip-${command// /-}.1
    [ -s "$page" ] && man -l "$page" | grep -q "scrip-${command// /-}  *- " || echo "$command"
done)
is "every command has a page that names it" "" "$missing"
is "and there are more than thirty" 1 "$(($(ls "$SCRIP_MANUAL"/scrip-*.1 | wc -l) > 30))"

man -l "$overview" | col -b >overview
# What a wrong LINK is told, and what the library's manual tells, are all the kinds there are.
kinds=$("$SCRIP" card show --reader nonsense 2>&1 | sed -n 's/.*names no link//p' | grep -o '[a-z0-9]\+:')
kinds="$kinds $(sed -n 's/^ \*   \([a-z0-9]\+:\)[A-Z].*/\1/p' "$root/include/scrip/reader.h")"
for kind in $(echo "$kinds" | tr ' ' '\n' | sort -u); do
    is "the LINK $kind is explained" 1 "$(grep -c "^ *$kind" overview)"
done
for option in $(sed -n 's/^ \*        \([a-z-]*=\)[A-Z].*/\1/p' "$root/include/scrip/reader.h"); do
    is "the fault $option too" 1 "$(grep -c -m1 -- "$option" overview)"
done
for variable in $(grep -rhoE 'getenv\("(SCRIP|XDG)_[A-Z_]+"\)|"SCRIP_[A-Z]+"' "$root"/{tools,keys,host,vcard,reader,relay,server} --include=*.c |
    grep -o '[A-Z][A-Z_]*' | sort -u); do
    is "the variable $variable too" 1 "$(grep -c "^ *$variable\$" overview)"
done
finish
