# freefare_api.sh: our program over libfreefare's C API (freefare_api.c) speaks EV1 messaging to each generation.
need nfc-list
for generation in EV1 EV2 EV3; do
    make "$generation" an12113 04112233445566 --generation "$generation"
    lay "$WORK/$generation.card"
    run api "$PROGRAM"
    says "$WORK/api.out" '^all held$'
    for kind in aes 3k3des 3des d40; do
        for mode in plain MACed enciphered; do
            says "$WORK/api.out" "^$kind: values, data and records, $mode\$"
        done
        says "$WORK/api.out" "^$kind: keys changed and changed back\$"
    done
    run list nfc-list -t 1
    says "$WORK/list.out" 'ATS: 75  77  81  02  11' # as the program set it
    take
done
