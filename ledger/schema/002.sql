-- SQLite builds a table of its own for every IN (...) each time it keeps an index up to date: two for every step of an
-- order, a fifth of a top-up's work.

DROP INDEX orders_that_can_expire;
CREATE INDEX orders_that_can_expire ON orders (expires) WHERE (state <= 1 OR state = 11) AND expires > 0;
