# link.sh: our own terminal reaches a card through pcscd, and tshark reads what it wrote down.
need opensc-tool tshark

"$SCRIP" keys init "$WORK/issuer.keys" --test-cost >/dev/null
"$SCRIP" card new "$WORK/a.card" --keys "$WORK/issuer.keys" --uid 04112233445566 >/dev/null
present "$WORK/a.card"

"$SCRIP" reader list >"$WORK/readers.out"
says "$WORK/readers.out" '^pcsc:0 +Virtual PCD 00 00 +\(a card is in it\)'
"$SCRIP" balance --keys "$WORK/issuer.keys" --reader "trace:$WORK/capture.pcapng:pcsc:Virtual PCD 00 00" >"$WORK/balance.out"
says "$WORK/balance.out" '0,00'
"$SCRIP" balance --keys "$WORK/issuer.keys" --reader pcsc:7 >"$WORK/absent.out" 2>&1 && die "there is no reader 7"
says "$WORK/absent.out" 'no PC/SC reader'
"$SCRIP" balance --keys "$WORK/issuer.keys" --wait 1 --reader pcsc:1 >"$WORK/empty.out" 2>&1 && die "reader 1 is empty"
says "$WORK/empty.out" '[Nn]o card'

# Every frame is one that Wireshark knows; the wallet's selection and an authentication are in it.
tshark -r "$WORK/capture.pcapng" -T fields -e iso14443.inf >"$WORK/frames.out" 2>"$WORK/tshark.log" ||
    die "tshark cannot read the capture"
tshark -r "$WORK/capture.pcapng" >"$WORK/summary.out" 2>>"$WORK/tshark.log"
says "$WORK/summary.out" 'PCD → PICC +ISO 14443 .*Select'
says "$WORK/summary.out" 'PICC → PCD +ISO 14443 .*I-block'
says "$WORK/frames.out" '905a00000399440100'
says "$WORK/frames.out" '907100000'
tshark -r "$WORK/capture.pcapng" -T fields -e iso14443.uid_cln -e iso14443.hist_bytes >"$WORK/names.out" 2>>"$WORK/tshark.log"
says "$WORK/names.out" '^041122'   # the UID 04112233445566, by cascade levels
says "$WORK/names.out" '^33445566'
tshark -r "$WORK/capture.pcapng" -Y '_ws.malformed' >"$WORK/malformed.out" 2>>"$WORK/tshark.log"
[ -s "$WORK/malformed.out" ] && die "tshark finds frames malformed"

# The text form holds the same APDUs.
stop present
"$SCRIP" balance --keys "$WORK/issuer.keys" --reader "trace:$WORK/capture.txt:card:$WORK/a.card" >/dev/null
says "$WORK/capture.txt" '> 905A00000399440100$'
