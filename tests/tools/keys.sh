#!/bin/bash
# Old keys leave a store: which may, what that means, what terminals get; and a program that is killed while it writes
# leaves the old store or the new one.
. "$(dirname "$0")/lib.sh"
issuer || exit 1
card alice an12113 || exit 1
for role in pay write topup tmac seal; do
    "$SCRIP" keys add $(store issuer.keys) --role $role --test-cost >/dev/null || exit 1
done
card nora an12113 || exit 1
# versions STORE ROLE: those that it has, the newest first
versions() { "$SCRIP" keys list $(store "$1") --json | jq -r "[.keys[] | select(.role == \"$2\") | .version] | join(\" \")"; }
remove() { "$SCRIP" keys remove $(store "${3:-issuer.keys}") --role "$1" --version "$2" --test-cost; }
opens() { "$SCRIP" balance --reader "card:$1.card" $(store "$2") --json | jq .balance; }

# ---- what a terminal gets

ok "a terminal gets every pay key" "$SCRIP" keys export-terminal both.keys $(store issuer.keys) --test-cost
is "both" "2 1" "$(versions both.keys pay)"
ok "or the newer ones" "$SCRIP" keys export-terminal new.keys $(store issuer.keys) --test-cost --from 2 --with-id
is "of the pay key; others it gets as they are" "2 1" "$(versions new.keys pay) $(versions new.keys id)"
refused "newer than there are is nothing" 1 key "no key for this" \
    "$SCRIP" keys export-terminal none.keys $(store issuer.keys) --test-cost --from 3
is "and makes no file" no "$([ -e none.keys ] && echo yes || echo no)"
is "with both it opens both cards" "0 0" "$(opens alice both.keys) $(opens nora both.keys)"
is "with the newer one the new card" 0 "$(opens nora new.keys)"
refused "and not the old one" 1 key "key offered is not the key on the card" \
    "$SCRIP" balance --reader card:alice.card $(store new.keys)

# ---- what may go

cp issuer.keys before.keys
refused "the newest key of a role stays" 1 key "newest key of a role stays" remove pay 2
refused "and so does the only one" 1 key "newest key of a role stays" remove picc 1
refused "a version that is not there cannot go" 1 key "removing version 7 of role pay: the key store has no key" remove pay 7
refused "nor one that no key can have" 1 key "removing version 257 of role pay" remove pay 257
is "a role that is none is a mistake" 2 "$(remove gate 1 >/dev/null 2>&1; echo $?)"
is "and so is a version left out" 2 "$("$SCRIP" keys remove $(store issuer.keys) --role pay >/dev/null 2>&1; echo $?)"
is "none of this touched the store" 0 "$(cmp -s issuer.keys before.keys; echo $?)"
ok "an old one goes" remove pay 1
is "and is told, with what still has it" 1 "$(grep -c 'version 1 of the pay key is gone from it: cards that still have it are refused' out)"
is "it alone" "2|2 1|2 1" "$(versions issuer.keys pay)|$(versions issuer.keys topup)|$(versions issuer.keys seal)"
is "to programs too" "pay 1 true" \
    "$("$SCRIP" keys remove $(store before.keys) --role pay --version 1 --test-cost --json | jq -r '"\(.role) \(.version) \(.left_behind | test("terminal"))"')"
refused "it does not go twice" 1 key "no key for this" remove pay 1
refused "the card that still has it is not opened" 1 key "key offered is not the key on the card" \
    "$SCRIP" balance --reader card:alice.card $(store issuer.keys)
is "the others are" 0 "$(opens nora issuer.keys)"
ok "a terminal's own store loses its old key in the same way" remove pay 1 both.keys
is "and keeps the new one" 2 "$(versions both.keys pay)"
for role in write topup tmac seal; do
    ok "the old $role key goes" remove $role 1
    is "and it is said what that means" 1 "$(grep -c "version 1 of the $role key is gone from it: ..........*" out)"
done

# ---- killed at every system call that writes: strace stops the program there

stopped_at() {
    ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=prctl,$1 -e inject=prctl:retval=0 \
        -e inject=$1:signal=KILL:when=$2 "$SCRIP" keys remove $(store killed.keys) --role pay --version 2 --test-cost
}
cp before.keys killed.keys
"$SCRIP" keys add $(store killed.keys) --role pay --version 3 --test-cost >/dev/null # versions 3 and 2
cp killed.keys start.keys
old=0 new=0
for call in openat write fsync rename close; do
    for n in $(seq 200); do
        cp start.keys killed.keys
        { stopped_at $call $n; } >/dev/null 2>&1 # bash itself says who was killed
        code=$?
        left=$(versions killed.keys pay)
        case $left in
        "3 2") old=$((old + 1)) ;;
        "3") new=$((new + 1)) ;;
        *) echo "FAILED: killed at $call $n the store has pay keys '$left'" && failures=$((failures + 1)) ;;
        esac
        [ $code -ne 0 ] || break
    done
    is "with call $call the loop went on until nothing was killed" "0 3" "$code $left"
done
is "killed everywhere: the old store or the new one, and each of them was seen" "1 1" "$((old > 10)) $((new > 5))"
ok "afterwards the same command is done, or was" bash -c "'$SCRIP' keys remove $(store killed.keys) --role pay --version 2 --test-cost || true"
is "and the store is the new one" 3 "$(versions killed.keys pay)"
finish
