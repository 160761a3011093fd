-- Up to when those who wait for a turn have their places, so that each is woken for its own.
ALTER TABLE oracle_gates ADD COLUMN line_until timestamptz NOT NULL DEFAULT 'epoch';
