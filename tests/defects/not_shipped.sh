#!/bin/sh
# not_shipped.sh NM WITH WITHOUT...: the program WITH has the switch of the deliberate defects, each WITHOUT has not.
nm=$1 with=$2
shift 2
has() { "$nm" "$1" | grep -q " $2\$"; }
has "$with" scrip_test_defect || { echo "$with: no scrip_test_defect, so this test would not see it elsewhere"; exit 1; }
for program; do
    has "$program" main || { echo "$program: its symbols cannot be read"; exit 1; }
    ! has "$program" scrip_test_defect || { echo "$program: carries deliberate defects"; exit 1; }
done
