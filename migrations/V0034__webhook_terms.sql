-- Which of a webhook's times of being enabled a delivery belongs to: what waits from an earlier one is cancelled, however
-- soon the webhook was enabled again.
ALTER TABLE webhooks ADD COLUMN term bigint NOT NULL DEFAULT 1;
ALTER TABLE webhook_deliveries ADD COLUMN term bigint NOT NULL DEFAULT 1;
