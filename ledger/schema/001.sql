-- Schema 1. Amounts are minor units, times are milliseconds since 1970, enumerations are the numbers of
-- include/scrip/settle.h and ledger.h. A card is known by its 7-byte UID read as one big-endian number.

CREATE TABLE card (
    id           INTEGER PRIMARY KEY CHECK (id > 0),
    profile      TEXT    NOT NULL,
    traits       INTEGER NOT NULL,                 -- 1 TMAC, 2 EV1 marks, 4 debits leave no log entry
    key_version  INTEGER NOT NULL,
    issue_no     INTEGER NOT NULL DEFAULT 0 CHECK (issue_no BETWEEN 0 AND 2147483647),
    tmc          INTEGER NOT NULL,                 -- highest seen
    tmc_start    INTEGER NOT NULL,                 -- at enrolment
    committed    INTEGER NOT NULL DEFAULT 0,       -- newest reference proved on the card
    float        INTEGER NOT NULL DEFAULT 0,       -- balance of the card's account
    held         INTEGER NOT NULL DEFAULT 0,       -- 1 held
    denied       INTEGER NOT NULL DEFAULT 0,
    verdict      INTEGER NOT NULL DEFAULT 0,       -- 2 fork or 3 rollback was seen
    reason       TEXT    NOT NULL DEFAULT '',
    seen         INTEGER NOT NULL DEFAULT 0,
    seen_tmc     INTEGER NOT NULL DEFAULT 0,
    seen_balance INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE orders (
    n         INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    card      INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount >= 0),
    state     INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,                    -- 0 never
    reference INTEGER NOT NULL DEFAULT 0,          -- newest issue
    funding   TEXT,
    data      BLOB,
    result    BLOB
);
CREATE INDEX orders_of_a_card ON orders (card);
CREATE UNIQUE INDEX one_issued_order_per_card ON orders (card) WHERE state = 2;
CREATE UNIQUE INDEX one_use_of_a_funding ON orders (funding) WHERE funding IS NOT NULL;
CREATE INDEX orders_that_can_expire ON orders (expires) WHERE state IN (0, 1, 11) AND expires > 0;

CREATE TABLE issue (
    card       INTEGER NOT NULL,
    reference  INTEGER NOT NULL CHECK (reference BETWEEN 1 AND 2147483647),
    ord        INTEGER NOT NULL,
    session    BLOB    NOT NULL,
    record     BLOB    NOT NULL,
    tmri       BLOB    NOT NULL,
    state      BLOB    NOT NULL,
    tmc_issued INTEGER NOT NULL,
    issued     INTEGER NOT NULL,
    outcome    INTEGER NOT NULL DEFAULT 0,
    tmc        INTEGER,                            -- of the commit
    PRIMARY KEY (card, reference)
) WITHOUT ROWID;

-- The journal. One row moves one amount from one account to another, so every row, and so every transaction, balances.
CREATE TABLE entry (
    id       INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL,                     -- > 0 a card, < 0 a merchant, 0 the house
    seq      INTEGER NOT NULL CHECK (seq > 0),
    at       INTEGER NOT NULL,
    booking  INTEGER NOT NULL CHECK (booking > 0),
    src      INTEGER NOT NULL,
    dst      INTEGER NOT NULL CHECK (dst <> src),
    amount   INTEGER NOT NULL CHECK (amount > 0),
    card     INTEGER,
    ord      INTEGER,
    merchant INTEGER,
    evidence BLOB,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
);
CREATE UNIQUE INDEX entry_chain ON entry (stream, seq);
CREATE INDEX entry_of_a_merchant ON entry (merchant) WHERE merchant IS NOT NULL;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE merchant (
    n      INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    name   TEXT    NOT NULL,
    fee_bp INTEGER NOT NULL CHECK (fee_bp BETWEEN 0 AND 10000)
);

CREATE TABLE terminal (
    id       INTEGER PRIMARY KEY,                  -- reader id, big-endian
    merchant INTEGER NOT NULL,
    name     TEXT    NOT NULL
);

CREATE TABLE api_key (
    hash     BLOB    PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    role     INTEGER NOT NULL,
    terminal INTEGER NOT NULL,
    revoked  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE debit (
    n        INTEGER PRIMARY KEY,
    card     INTEGER NOT NULL,
    tmc      INTEGER,                              -- after it; absent: none, not known, or not in the book
    state    INTEGER NOT NULL,                     -- see ledger/debits.c
    terminal INTEGER,
    seq      INTEGER,
    amount   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    record   BLOB,
    tmri     BLOB,
    prev     BLOB,
    tmv      BLOB,
    before   INTEGER,                              -- TMC before it, of an intent
    balance  INTEGER,
    UNIQUE (card, tmc),
    UNIQUE (terminal, seq)
);

CREATE TABLE harvest (
    card  INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    tmc   INTEGER NOT NULL,                        -- highest TMC of the card when it was read
    entry BLOB    NOT NULL,
    PRIMARY KEY (card, n)
) WITHOUT ROWID;

CREATE TABLE oddity (
    n      INTEGER PRIMARY KEY,
    card   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    what   TEXT    NOT NULL,
    detail BLOB
);

CREATE TABLE posting (
    id    TEXT PRIMARY KEY,
    entry INTEGER NOT NULL
) WITHOUT ROWID;
