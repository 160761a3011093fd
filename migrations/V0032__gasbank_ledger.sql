-- What an auditor asks of the gas bank: approvals that lapse and keep the policy they were asked under, decisions by hand
-- with their reason, ends that the resolver contradicts, debts, lost transfers, recurring withdrawals.

ALTER TABLE gas_accounts
    ADD COLUMN owed          bigint NOT NULL DEFAULT 0 CHECK (owed >= 0),
    ADD COLUMN missing       bigint NOT NULL DEFAULT 0,
    ADD COLUMN differs_since timestamptz;
ALTER TABLE gas_accounts ALTER COLUMN owed DROP DEFAULT, ALTER COLUMN missing DROP DEFAULT;
CREATE INDEX gas_accounts_differing ON gas_accounts (differs_since) WHERE differs_since IS NOT NULL;

ALTER TABLE gas_transactions
    ADD COLUMN approvers       json NOT NULL DEFAULT '[]',
    ADD COLUMN expires_at      timestamptz,
    ADD COLUMN decisions       json NOT NULL DEFAULT '[]',
    ADD COLUMN contradicted_at timestamptz,
    ADD COLUMN schedule_id     uuid,
    ADD COLUMN slot            timestamptz;
ALTER TABLE gas_transactions ALTER COLUMN approvers DROP DEFAULT, ALTER COLUMN decisions DROP DEFAULT;
CREATE UNIQUE INDEX gas_transactions_slot ON gas_transactions (account_id, schedule_id, slot);
CREATE INDEX gas_transactions_contradicted ON gas_transactions (contradicted_at) WHERE contradicted_at IS NOT NULL;

-- What waits for approvals keeps the approvers of its gas account, and lapses in a week.
UPDATE gas_transactions AS t SET approvers = a.approvers, expires_at = now() + interval '7 days'
FROM gas_accounts AS a
WHERE t.status = 'pending_approval' AND a.account_id = t.account_id AND a.id = t.gas_account_id;
INSERT INTO work (account_id, id, duty, subject, priority, due_at, ready, attempt, fence, payload)
SELECT account_id, gen_random_uuid(), 'gasbank-settlement', id, 0, expires_at, false, 0, 0, 'null'
FROM gas_transactions WHERE status = 'pending_approval';

-- A deposit that failed gives its transaction of the chain back.
DELETE FROM gas_claims AS c USING gas_transactions AS t
WHERE t.direction = 'deposit' AND t.status = 'failed' AND c.what = 'transaction/' || t.chain_id;

CREATE TABLE gas_schedules (
    account_id     uuid        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    gas_account_id uuid        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    to_address     text        NOT NULL,
    schedule       text        NOT NULL,
    timezone       text        NOT NULL,
    dst_gap        text        NOT NULL,
    dst_fold       text        NOT NULL,
    ends_at        timestamptz,
    decided        timestamptz NOT NULL,
    next_slot      timestamptz,
    dropped_until  timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX gas_schedules_account ON gas_schedules (account_id, gas_account_id, id);
