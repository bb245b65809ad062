/* topup.pml: the over-the-air top-up as a protocol model for Spin. README.md says how to run it and what it shows.
 *
 * One card, two orders for it, two phones, two server instances over one database, and nobody to be trusted with a message:
 * whatever was once sent can be delivered later, again, to another, or never. What the card's cryptography guarantees is
 * built in (a session's commands run in their order, once, and only while the card is in that session; answers cannot be
 * invented); everything else is left to chance, and Spin tries all of it.
 *
 * Compile-time switches: -DSESSIONS=n (sessions that phones may begin), -DEV1 (EV1 messaging: the commit is not
 * protected), one -DDEFECT_... at a time, and -DPROBE_... which claims that something good never happens, so that a
 * counterexample shows that it can. */
#ifndef SESSIONS
#define SESSIONS 3
#endif
#define LAST   (SESSIONS + 1) /* the honest tap at the end */
#define ORDERS 2
#define NONE_YET 15

mtype:state = { CREATED, FUNDED, ISSUED, CONFIRMED, CANCELLED, EXPIRED, CLAIMED, REFUNDED, OWED, WRITTEN_OFF, DISPUTED }
mtype:event = { FUND, CANCEL, EXPIRE, ISSUE, PROOF_COMMIT, PROOF_NONE, CHEATED, CONTRADICTION, CLAIM, RESOLVE_ON_CARD,
                RESOLVE_NOT_ON_CARD, COLLECT, WRITE_OFF, ROLLBACK }

/* ---- The database ---- */

mtype:state state[ORDERS];
byte issue_no;                /* newest issue of the card */
byte order_of[LAST + 1];      /* issue -> order */
byte open_issue;              /* the issue whose outcome is open; 0: none */
bool held, denied;
short funding, in_flight, card_account, dispute, receivable, breakage;

/* ---- The card ---- */

bool keep;                    /* keeps pending changes at a new authentication; some cards do */
byte challenge, current;      /* session that it waits for part 2 of; session that it is in */
byte log;                     /* references that are in the top-up log, as bits */
byte marked;                  /* EV1: those with their mark */
byte pending_reference;
bool pending_mark;
byte pending_value[ORDERS];
byte value[ORDERS];           /* what every order has put on the card */

/* ---- What the attacker holds: everything that was ever sent, by session ---- */

byte sessions = 1;            /* number of the next session */
byte token[LAST + 1];         /* issue number sealed in it when part 2 was made */
bool proved[LAST + 1];        /* the card has answered part 2 */
bool asked[LAST + 1];         /* the server has sent reads */
bool read[LAST + 1];          /* the card has answered them */
byte shown[LAST + 1];         /* with this log */
byte shown_marks[LAST + 1];
byte batch[LAST + 1];         /* the top-up with this reference was sent */
byte step[LAST + 1];          /* how far the card has run it */
bool done[LAST + 1];          /* the card has answered the commit of this session's batch */
bool refused[LAST + 1];       /* the phone has reported a refusal */
bool over;                    /* nobody interferes any more */

/* ---- The table: core/settle/table.def, line by line (a test compares them) ---- */

#define BOOK_NONE            skip
#define BOOK_FUND            funding--; in_flight++
#define BOOK_CONFIRM         in_flight--; card_account++
#define BOOK_REFUND          in_flight--; funding++
#define BOOK_DISPUTE         in_flight--; dispute++
#define BOOK_DISPUTE_CONFIRM dispute--; card_account++
#define BOOK_DISPUTE_REFUND  dispute--; funding++
#define BOOK_LATE_CONFIRM    receivable--; card_account++
#define BOOK_COLLECT         funding--; receivable++
#define BOOK_WRITE_OFF       breakage--; receivable++
#define MARK_NOTHING         skip
#define MARK_HOLD            held = true
#define MARK_DENY            denied = true

#define T(from, event, to, booking, mark) :: (state[o] == from && e == event) -> state[o] = to; BOOK_##booking; MARK_##mark

/* Pairs that leave the order as it is and hold the card. All other pairs change nothing. */
#define H(from, event) :: (state[o] == from && e == event) -> held = true

inline settle(o, e)
{
    if
    T(CREATED, FUND, FUNDED, FUND, NOTHING)
    T(CREATED, CANCEL, CANCELLED, NONE, NOTHING)
    T(CREATED, EXPIRE, EXPIRED, NONE, NOTHING)
    T(FUNDED, CANCEL, CANCELLED, REFUND, NOTHING)
    T(FUNDED, EXPIRE, EXPIRED, REFUND, NOTHING)
    T(FUNDED, ISSUE, ISSUED, NONE, NOTHING)
    T(FUNDED, PROOF_COMMIT, DISPUTED, DISPUTE, HOLD)
    T(FUNDED, CHEATED, DISPUTED, DISPUTE, HOLD)
    T(ISSUED, PROOF_COMMIT, CONFIRMED, CONFIRM, NOTHING)
    T(ISSUED, PROOF_NONE, FUNDED, NONE, NOTHING)
    T(ISSUED, CHEATED, DISPUTED, DISPUTE, HOLD)
    T(ISSUED, CONTRADICTION, DISPUTED, DISPUTE, HOLD)
    T(ISSUED, CLAIM, CLAIMED, REFUND, DENY)
    T(CANCELLED, PROOF_COMMIT, OWED, LATE_CONFIRM, HOLD)
    T(EXPIRED, PROOF_COMMIT, OWED, LATE_CONFIRM, HOLD)
    T(CLAIMED, PROOF_COMMIT, OWED, LATE_CONFIRM, NOTHING)
    T(CLAIMED, PROOF_NONE, REFUNDED, NONE, NOTHING)
    T(CLAIMED, RESOLVE_ON_CARD, OWED, LATE_CONFIRM, NOTHING)
    T(CLAIMED, RESOLVE_NOT_ON_CARD, REFUNDED, NONE, NOTHING)
    T(REFUNDED, PROOF_COMMIT, OWED, LATE_CONFIRM, HOLD)
    T(OWED, COLLECT, CONFIRMED, COLLECT, NOTHING)
    T(OWED, WRITE_OFF, WRITTEN_OFF, WRITE_OFF, NOTHING)
    T(DISPUTED, RESOLVE_ON_CARD, CONFIRMED, DISPUTE_CONFIRM, NOTHING)
    T(DISPUTED, RESOLVE_NOT_ON_CARD, REFUNDED, DISPUTE_REFUND, NOTHING)
    H(CREATED, PROOF_COMMIT)
    H(CREATED, CHEATED)
    H(CREATED, CONTRADICTION)
    H(CREATED, ROLLBACK)
    H(FUNDED, CONTRADICTION)
    H(FUNDED, ROLLBACK)
    H(ISSUED, ROLLBACK)
    H(CONFIRMED, PROOF_NONE)
    H(CONFIRMED, CHEATED)
    H(CONFIRMED, CONTRADICTION)
    H(CONFIRMED, ROLLBACK)
    H(CANCELLED, CHEATED)
    H(CANCELLED, CONTRADICTION)
    H(CANCELLED, ROLLBACK)
    H(EXPIRED, CHEATED)
    H(EXPIRED, CONTRADICTION)
    H(EXPIRED, ROLLBACK)
    H(CLAIMED, CHEATED)
    H(CLAIMED, CONTRADICTION)
    H(CLAIMED, ROLLBACK)
    H(REFUNDED, CHEATED)
    H(REFUNDED, CONTRADICTION)
    H(REFUNDED, ROLLBACK)
    H(OWED, PROOF_NONE)
    H(OWED, CHEATED)
    H(OWED, CONTRADICTION)
    H(OWED, ROLLBACK)
    H(WRITTEN_OFF, PROOF_NONE)
    H(WRITTEN_OFF, CHEATED)
    H(WRITTEN_OFF, CONTRADICTION)
    H(WRITTEN_OFF, ROLLBACK)
    H(DISPUTED, CHEATED)
    H(DISPUTED, CONTRADICTION)
    H(DISPUTED, ROLLBACK)
#ifdef DEFECT_refund_by_clock
    :: (state[o] == ISSUED && e == EXPIRE) -> state[o] = EXPIRED; BOOK_REFUND
#endif
#ifdef DEFECT_cancel_without_cas
    :: (state[o] == ISSUED && e == CANCEL) -> state[o] = CANCELLED; BOOK_REFUND
#endif
#ifdef DEFECT_double_confirm_booking
    :: (state[o] == CONFIRMED && e == PROOF_COMMIT) -> BOOK_CONFIRM
#endif
    :: else -> skip
    fi;
    assert(funding + in_flight + card_account + dispute + receivable + breakage == 0)
}

/* ---- What must always hold: an order's value is on the card at most once, and never beside its money ---- */

#define ON_CARD(o)     (state[o] == CONFIRMED || state[o] == OWED)
#define OFF_CARD(o)    (state[o] == FUNDED || state[o] == CANCELLED || state[o] == EXPIRED || state[o] == REFUNDED)
#define ORDER_RIGHT(o) (value[o] <= 1 && (!ON_CARD(o) || value[o] == 1) && (!OFF_CARD(o) || value[o] == 0))

inline check()
{
    assert(ORDER_RIGHT(0));
    assert(ORDER_RIGHT(1));
    assert(card_account <= value[0] + value[1]);
#ifdef PROBE_both_topups_succeed
    assert(!(state[0] == CONFIRMED && state[1] == CONFIRMED))
#endif
#ifdef PROBE_value_after_a_claim
    assert(state[0] != OWED)
#endif
#ifdef PROBE_second_issue_succeeds
    assert(!(state[0] == CONFIRMED && issue_no > 1 && order_of[1] == 0 && order_of[2] == 0))
#endif
    skip
}

/* ---- The card at work ---- */

inline drop_pending()
{
    pending_reference = 0; pending_mark = false; pending_value[0] = 0; pending_value[1] = 0
}

inline flush()
{
#ifndef DEFECT_no_abort_of_pending
    drop_pending()
#else
    skip
#endif
}

inline commit()
{
    value[0] = value[0] + pending_value[0];
    value[1] = value[1] + pending_value[1];
    log = log | (1 << pending_reference);
    if
    :: pending_mark -> marked = marked | (1 << pending_reference)
    :: else -> skip
    fi;
    drop_pending();
    check()
}

/* The log, under the session's MAC. */
inline answer_reads(s)
{
    flush();
    read[s] = true; shown[s] = log; shown_marks[s] = marked
}

/* ---- The phones: whatever can be done to the card, in any order ---- */

proctype Phone()
{
    byte s;
end:
    do
    :: atomic { !over && sessions <= SESSIONS -> /* a tap, or another authentication in the same field */
        challenge = sessions; sessions++; current = 0;
        if
        :: keep -> skip
        :: else -> drop_pending()
        fi }
    :: atomic { !over && (current != 0 || challenge != 0) -> /* the card is taken away */
        current = 0; challenge = 0; drop_pending() }
    :: atomic { !over && challenge != 0 && token[challenge] != NONE_YET -> /* part 2 fits the newest challenge only */
        current = challenge; challenge = 0; proved[current] = true }
    :: atomic { !over && current != 0 && asked[current] && !read[current] && step[current] == 0 -> answer_reads(current) }
    :: atomic { !over && current != 0 && batch[current] != 0 && step[current] == 0 -> /* the batch begins */
        flush();
        pending_reference = batch[current]; step[current] = 1;
#ifndef EV1
        pending_value[order_of[batch[current]]]++
#endif
        }
#ifdef EV1
    :: atomic { !over && current != 0 && step[current] == 1 -> /* Credit */
        pending_value[order_of[batch[current]]]++; step[current] = 2 }
    :: atomic { !over && current != 0 && step[current] == 2 -> /* the mark */
        pending_mark = true; step[current] = 3 }
    :: atomic { !over && current != 0 && step[current] >= 1 && step[current] <= 2 -> /* nothing protects the commit */
        commit(); step[current] = 9 }
    :: atomic { !over && current != 0 && step[current] == 3 -> commit(); step[current] = 9; done[current] = true }
#else
    :: atomic { !over && current != 0 && step[current] == 1 -> commit(); step[current] = 9; done[current] = true }
#endif
#ifdef DEFECT_refusal_taken_as_proof
    :: atomic { !over -> select(s : 1 .. SESSIONS); if :: batch[s] != 0 -> refused[s] = true :: else -> skip fi; s = 0 }
#endif
    :: over -> break
    od
}

/* ---- The server: instances without memory. What is between looking and writing, another instance may do. ---- */

/* Evidence of session s: judged and written in one compare-and-swap on the issue number. */
inline judge(s)
{
    if
#ifndef DEFECT_evidence_without_cas
    :: token[s] != issue_no || open_issue == 0 -> skip /* overtaken: 410 */
#else
    :: open_issue == 0 -> skip
#endif
    :: else ->
        if
        :: (shown[s] & (1 << open_issue)) == 0 -> settle(order_of[open_issue], PROOF_NONE); open_issue = 0
#ifdef EV1
#ifndef DEFECT_ev1_bit_ignored
        :: (shown[s] & (1 << open_issue)) != 0 && (shown_marks[s] & (1 << open_issue)) == 0 ->
            settle(order_of[open_issue], CHEATED); open_issue = 0
        :: (shown[s] & (1 << open_issue)) != 0 && (shown_marks[s] & (1 << open_issue)) != 0 ->
            settle(order_of[open_issue], PROOF_COMMIT); open_issue = 0
#else
        :: (shown[s] & (1 << open_issue)) != 0 -> settle(order_of[open_issue], PROOF_COMMIT); open_issue = 0
#endif
#else
        :: (shown[s] & (1 << open_issue)) != 0 -> settle(order_of[open_issue], PROOF_COMMIT); open_issue = 0
#endif
        fi
    fi;
    check()
}

/* The answers to a batch. They may come late, after the issue was settled in another way. */
inline take_answer(s)
{
    settle(order_of[batch[s]], PROOF_COMMIT);
    if
    :: open_issue == batch[s] -> open_issue = 0
    :: else -> skip
    fi;
    check()
}

#ifdef EV1
#define MAY_ISSUE(s) (token[s] != NONE_YET) /* together with part 2 */
#else
#define MAY_ISSUE(s) (proved[s])
#endif

proctype Instance()
{
    byte s, o;
    byte seen;
end:
    do
    :: atomic { !over -> select(s : 1 .. SESSIONS); /* make part 2 */
        if :: (s < sessions && token[s] == NONE_YET) -> token[s] = issue_no :: else -> skip fi; s = 0 }
    :: atomic { !over && open_issue != 0 -> /* settle first */
        select(s : 1 .. SESSIONS);
        if :: (MAY_ISSUE(s) && token[s] == issue_no) -> asked[s] = true :: else -> skip fi; s = 0 }
    :: atomic { !over -> select(s : 1 .. SESSIONS); if :: read[s] -> judge(s) :: else -> skip fi; s = 0 }
    :: atomic { !over -> select(s : 1 .. SESSIONS); if :: done[s] -> take_answer(s) :: else -> skip fi; s = 0 }
#ifdef DEFECT_refusal_taken_as_proof
    :: atomic { !over -> select(s : 1 .. SESSIONS);
        if
        :: (refused[s] && open_issue != 0 && open_issue == batch[s]) ->
            settle(order_of[open_issue], PROOF_NONE); open_issue = 0; check()
        :: else -> skip
        fi; s = 0 }
#endif
    :: atomic { !over -> /* issue: look ... */
        select(s : 1 .. SESSIONS); select(o : 0 .. ORDERS - 1);
        if
        :: (MAY_ISSUE(s) && batch[s] == 0 && state[o] == FUNDED && open_issue == 0 && !held && !denied) ->
            seen = issue_no + 1
        :: else -> s = 0; o = 0
        fi };
#ifdef DEFECT_issue_before_durable
        if
        :: atomic { !over && seen != 0 && token[s] == seen - 1 -> /* the batch is out, and the instance dies */
            batch[s] = seen; order_of[seen] = o; seen = 0; s = 0; o = 0 }
        :: skip
        fi;
#endif
        atomic { /* ... and compare and swap */
            if
            :: (!over && seen == issue_no + 1 && token[s] == issue_no && open_issue == 0 && state[o] == FUNDED &&
                batch[s] == 0 && !held && !denied) ->
#ifdef DEFECT_reused_reference
                if
                :: issue_no == 0 -> issue_no++
                :: else -> skip
                fi;
#else
                issue_no++;
#endif
                open_issue = issue_no; order_of[issue_no] = o;
                settle(o, ISSUE);    /* durable ... */
                batch[s] = issue_no; /* ... before it leaves */
                check()
            :: else -> skip
            fi;
            s = 0; o = 0; seen = 0 }
    :: over -> break
    od
}

/* The shop, the clock and the operator. */
proctype Desk()
{
    byte o;
end:
    do
    :: atomic { !over -> select(o : 0 .. ORDERS - 1);
        if
        :: state[o] == FUNDED -> settle(o, CANCEL)
        :: state[o] == ISSUED -> settle(o, CLAIM)
#ifdef DEFECT_cancel_without_cas
        :: state[o] == ISSUED -> settle(o, CANCEL)
#endif
#ifdef DEFECT_refund_by_clock
        :: state[o] == ISSUED -> settle(o, EXPIRE)
#endif
        :: else -> skip
        fi;
        check(); o = 0 }
    :: over -> break
    od
}

/* At any moment interference may end. Then one honest tap settles what is open: no order is lost. */
proctype Honest()
{
    atomic {
        over = true;
        current = LAST; challenge = 0;
        if
        :: keep -> skip
        :: else -> drop_pending()
        fi;
        token[LAST] = issue_no;
        answer_reads(LAST);
        if
        :: !held -> judge(LAST)
        :: else -> skip
        fi;
        assert(held || (state[0] != ISSUED && state[0] != CLAIMED && state[1] != ISSUED && state[1] != CLAIMED));
        assert(held || card_account == value[0] + value[1])
    }
}

init
{
    byte i;
    atomic {
        for (i : 0 .. LAST) { token[i] = NONE_YET }
        i = 0;
        if
        :: keep = true
        :: keep = false
        fi;
        for (i : 0 .. ORDERS - 1) { state[i] = CREATED; settle(i, FUND) }
        i = 0;
        run Phone(); run Phone();
        run Instance(); run Instance();
        run Desk();
        run Honest()
    }
}
