-- The fence a given-up item had: put back into the queue, it goes on from there, so that nobody who held it before can
-- settle it.

ALTER TABLE dead_letters ADD COLUMN fence bigint NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ALTER COLUMN fence DROP DEFAULT;
