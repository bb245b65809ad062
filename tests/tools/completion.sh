#!/bin/bash
# The shells complete what the program knows: commands, options, their values, files, and LINKs piece by piece.
. "$(dirname "$0")/lib.sh"
. "$SCRIP_COMPLETIONS/scrip.bash" || exit 1
mkdir deck
touch alice.card deck/bob.card out.pcapng 'with blank'

# replies TYPED: what bash would insert behind what it takes for the beginning of the last word
replies() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    _scrip
    echo "${COMPREPLY[*]}" | tr ' ' '\n' | sed '/^$/d' | sort | tr '\n' ' ' | sed 's/ $//'
}

is "commands" "terminal topup trace" "$(replies 'scrip t')"
is "commands of a group" "verify" "$(replies 'scrip ledger v')"
is "commands behind help" "explain" "$(replies 'scrip help trace ')"
is "options" "--state --server" "$(replies 'scrip topup --st') $(replies 'scrip topup --se')"
is "options behind an operand" "--random" "$(replies 'scrip card exchange alice.card --r')"
is "the choices of an option" "EV1 EV2 EV3" "$(replies 'scrip card new --generation ')"
is "and with an equals sign, which bash cuts at" "EV1 EV2 EV3" "$(replies 'scrip card new --generation=E')"
is "files of an operand" "alice.card" "$(replies 'scrip card show al')"
is "files of an option" "alice.card" "$(replies 'scrip topup --state al')"
is "nothing for a value of the user's own" "" "$(replies 'scrip topup --order ')"
is "kinds of LINKs" "card: fault: mfrc522: pcsc: pn532: tcp: trace:" "$(replies 'scrip balance --reader ')"
is "some of them" "pcsc: pn532:" "$(replies 'scrip balance --reader p')"
is "the file of a LINK, which bash cuts at colons" "alice.card" "$(replies 'scrip balance --reader card:al')"
is "in a folder" "deck/bob.card" "$(replies 'scrip balance --reader card:deck/b')"
is "the file of a capture" "out.pcapng" "$(replies 'scrip balance --reader trace:o')"
is "the LINK behind it" "card:" "$(replies 'scrip balance --reader trace:out.pcapng:c')"
is "and its file" "alice.card" "$(replies 'scrip balance --reader trace:out.pcapng:fault:seed=7,drop=50:card:al')"
is "with an equals sign too" "alice.card" "$(replies 'scrip balance --reader=card:al')"
is "a reader's name is the user's own" "" "$(replies 'scrip balance --reader pcsc:')"
COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]/}
is "where bash does not cut, the whole word" "--reader=card:alice.card" "$(replies 'scrip balance --reader=card:al')"
COMPREPLY=() COMP_LINE='scrip card show with' COMP_POINT=20
_scrip
is "a name with a blank is one reply" "with blank" "${COMPREPLY[*]}"

# zsh itself: what stands on its line after a tabulator.
cat >.zshrc <<ZSH
fpath=("$SCRIP_COMPLETIONS" \$fpath)
autoload -Uz compinit && compinit -u -d "$work/dump"
show() { print -r -- "<\$BUFFER>"; zle kill-buffer }
zle -N show
bindkey '^X' show
bindkey '^I' complete-word
PS1='ready'
ZSH
cat >ask.zsh <<'ZSH'
zmodload zsh/zpty
zpty shell 'ZDOTDIR=. TERM=dumb zsh -d -i'
zpty -r -m shell out '*ready*' || exit 1
zpty -w -n shell "$1"$'\t'$'\x18'
zpty -r -m shell out '*<*>*'
print -r -- "${${out##*<}%%>*}"
ZSH
zsh_line() { timeout 20 zsh -f ask.zsh "$1" 2>/dev/null | sed 's/ *$//'; }
is "zsh: a command" "scrip terminal" "$(zsh_line 'scrip term')"
is "zsh: a command of a group" "scrip ledger verify" "$(zsh_line 'scrip ledger v')"
is "zsh: behind help" "scrip help topup" "$(zsh_line 'scrip help top')"
is "zsh: an option of a command of one word" "scrip topup --token-file" "$(zsh_line 'scrip topup --tok')"
is "zsh: and its value" "scrip topup --state alice.card" "$(zsh_line 'scrip topup --state al')"
is "zsh: an option" "scrip card exchange alice.card --random" "$(zsh_line 'scrip card exchange alice.card --ra')"
is "zsh: one of an option's choices" "scrip order create --kind rekey" "$(zsh_line 'scrip order create --kind rek')"
is "zsh: a file" "scrip card show alice.card" "$(zsh_line 'scrip card show al')"
is "zsh: the file of a LINK" "scrip balance --reader card:alice.card" "$(zsh_line 'scrip balance --reader card:al')"
is "zsh: the LINK behind a capture" "scrip balance --reader trace:out.pcapng:card:" \
    "$(zsh_line 'scrip balance --reader trace:out.pcapng:c')"
finish
