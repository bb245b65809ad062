-- Cards have one trait more: 8, only terminals change it. Journal lines that nobody here can take yet are kept as they
-- came, so that their terminal may give them up.

CREATE TABLE aside (
    terminal INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    card     INTEGER NOT NULL,                     -- by its UID; need not be registered
    at       INTEGER NOT NULL,
    why      TEXT    NOT NULL,
    line     BLOB    NOT NULL,
    PRIMARY KEY (terminal, seq)
) WITHOUT ROWID;
CREATE INDEX aside_of_a_card ON aside (card);
