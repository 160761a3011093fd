-- Stored answers say which root key they are under, so that they are sealed again when it is rotated. Those from before do
-- not, and are bound to their rows in another way.
DELETE FROM idempotency_records;
ALTER TABLE idempotency_records RENAME COLUMN body TO envelope;
ALTER TABLE idempotency_records ADD COLUMN key_id text NOT NULL;
CREATE INDEX idempotency_records_key ON idempotency_records (key_id, id);
