# storage_pay.sh: our own terminal on storage cards through pcscd, as it would be on a reader from a shop; and its
# captures, which hold every command and no key.
need opensc-tool

keys="--keys $WORK/issuer.keys"
"$SCRIP" keys init "$WORK/issuer.keys" --test-cost >/dev/null

# term COMMAND...: at reader 0, with the purse under test, its journal, and a capture.
term() {
    command=$1
    shift
    "$SCRIP" "$command" $keys --purse "$purse" --reader "trace:$WORK/$purse.$command.txt:pcsc:0" "$@"
}

empty_reader() {
    stop present
    await "the reader to be empty" sh -c '! opensc-tool --list-readers | grep -Eq "^0 +Yes"'
}

# A key goes to the reader in Load Keys alone, and the capture has zeros in its place.
no_key_in() {
    says "$1" '> FF82000[01]06000000000000$'
    grep -E '> FF82' "$1" | grep -Ev '> FF82000[01]06000000000000$' >&2 && die "a key in the capture $1"
    return 0
}

for purse in classic bcd; do
    "$SCRIP" card new "$WORK/$purse.card" $keys --profile "$purse" >/dev/null
    present "$WORK/$purse.card"
    journal="--journal $WORK/$purse.journal --terminal-id 0000002A"
    term credit 20,00 $journal --reference 1 >/dev/null
    term pay 20,01 $journal >"$WORK/$purse.refused" 2>&1 && die "more than there is was paid"
    says "$WORK/$purse.refused" 'not enough value'
    term pay 2,50 $journal >"$WORK/$purse.paid"
    says "$WORK/$purse.paid" '17,50'
    term balance >"$WORK/$purse.balance"
    says "$WORK/$purse.balance" '17,50'
    for command in credit pay balance; do
        no_key_in "$WORK/$purse.$command.txt"
    done
    empty_reader
    "$SCRIP" balance $keys --purse "$purse" --reader "card:$WORK/$purse.card" >"$WORK/$purse.file"
    says "$WORK/$purse.file" '17,50'
done
says "$WORK/classic.pay.txt" '> FFD7000[0-9A-F]0502000000FA$' # the reader's own decrement, by 250
"$SCRIP" trace explain "$WORK/classic.pay.txt" >"$WORK/explained"
says "$WORK/explained" 'load a key \(not shown\) into slot [01] -> OK$'
says "$WORK/explained" 'decrement block [0-9]+ by 250 -> OK$'

purse=otp
"$SCRIP" card new "$WORK/otp.card" $keys --profile otp >/dev/null
present "$WORK/otp.card"
term pay 1,50 --journal "$WORK/otp.journal" --terminal-id 0000002A >"$WORK/otp.paid"
says "$WORK/otp.paid" '48,50'
term credit 1,50 --journal "$WORK/otp.journal" --terminal-id 0000002A --reference 1 >"$WORK/otp.credit" 2>&1 &&
    die "a one-time wallet was credited"
term balance >"$WORK/otp.balance"
says "$WORK/otp.balance" '48,50'
