#!/bin/sh
# Run the protocol model. usage: docs/model/check.sh [quick|full]
#   quick  two sessions, EV2, two deliberate defects: about 20 seconds
#   full   three sessions, EV2 and EV1, exhaustive, probes and every deliberate defect: two to five minutes (default)
# Needs spin and a C compiler (CC, default gcc), and 2 GB of memory for full. Exit 0: all as expected.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mode=${1:-full}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work" || exit 2
failed=0
hash=26
[ "$mode" = quick ] && hash=21

# run NAME EXPECT FLAGS...: EXPECT is "holds" or "breaks"
run() {
    name=$1 expect=$2
    shift 2
    if ! { spin -a "$@" "$here/topup.pml" >spin.log 2>&1 && "${CC:-gcc}" -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c; }; then
        cat spin.log
        echo "model: $name: cannot be built"
        exit 2
    fi
    ./pan -m3000000 -w$hash >pan.log 2>&1
    states=$(awk '/states, stored/ { print $1 }' pan.log)
    seconds=$(awk '/elapsed time/ { print $4 }' pan.log)
    if grep -q 'errors: 0' pan.log && ! grep -q 'Search not completed' pan.log; then
        found=holds
    elif grep -q 'assertion violated' pan.log; then
        found=breaks
    else
        found=unclear
    fi
    printf 'model: %-44s %-7s %10s states %7s s\n' "$name" "$found" "$states" "$seconds"
    if [ "$found" != "$expect" ]; then
        echo "model: $name: expected that it $expect"
        grep -E 'pan:|errors' pan.log
        failed=1
    fi
}

if [ "$mode" = quick ]; then
    run "EV2, two sessions" holds -DSESSIONS=2
    run "defect no_abort_of_pending" breaks -DSESSIONS=2 -DDEFECT_no_abort_of_pending
    run "defect refund_by_clock" breaks -DSESSIONS=2 -DDEFECT_refund_by_clock
else
    run "EV2, three sessions" holds -DSESSIONS=3
    run "EV1, three sessions" holds -DSESSIONS=3 -DEV1
    for probe in both_topups_succeed value_after_a_claim second_issue_succeeds; do
        run "can it happen: $probe" breaks -DSESSIONS=3 -DPROBE_$probe
    done
    for defect in evidence_without_cas no_abort_of_pending refusal_taken_as_proof refund_by_clock \
        cancel_without_cas double_confirm_booking reused_reference issue_before_durable; do
        run "defect $defect" breaks -DSESSIONS=3 -DDEFECT_$defect
    done
    run "defect ev1_bit_ignored (EV1)" breaks -DSESSIONS=3 -DEV1 -DDEFECT_ev1_bit_ignored
fi
[ "$failed" = 0 ] && echo "model: all as expected"
exit "$failed"
