-- When an account that was suspended was made active again: what came due before was held back by it.

ALTER TABLE accounts ADD COLUMN resumed_at timestamptz;
