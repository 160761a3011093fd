-- The gas bank: gas accounts with their balances, deposits and withdrawals, the transfers that make the balances, and
-- what belongs to one gas account of all accounts.

CREATE TABLE gas_accounts (
    account_id         uuid        NOT NULL,
    id                 uuid        NOT NULL,
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    wallet             text        NOT NULL,
    available          bigint      NOT NULL CHECK (available >= 0),
    locked             bigint      NOT NULL CHECK (locked >= 0),
    pending            bigint      NOT NULL CHECK (pending >= 0),
    posted             bigint      NOT NULL,
    minimum_balance    bigint      NOT NULL,
    daily_limit        bigint,
    required_approvals bigint      NOT NULL,
    approvers          json        NOT NULL,
    withdrawn_on       timestamptz,
    withdrawn          bigint      NOT NULL,
    last_withdrawal_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX gas_accounts_wallet ON gas_accounts (account_id, wallet);

CREATE TABLE gas_transactions (
    account_id         uuid        NOT NULL,
    id                 uuid        NOT NULL,
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    gas_account_id     uuid        NOT NULL,
    direction          text        NOT NULL,
    status             text        NOT NULL,
    amount             bigint      NOT NULL CHECK (amount > 0),
    chain_id           text,
    from_address       text,
    to_address         text,
    not_before         timestamptz,
    required_approvals bigint      NOT NULL,
    approvals          json        NOT NULL,
    error              text,
    unclear            bigint      NOT NULL,
    submitted_at       timestamptz,
    completed_at       timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX gas_transactions_account ON gas_transactions (account_id, gas_account_id, id);
CREATE INDEX gas_transactions_open ON gas_transactions (account_id, gas_account_id, id)
    WHERE status IN ('pending_approval', 'pending', 'submitted', 'needs_reconcile');

CREATE TABLE gas_transfers (
    account_id     uuid        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    gas_account_id uuid        NOT NULL,
    number         bigint      NOT NULL,
    movement       text        NOT NULL,
    source         text        NOT NULL,
    target         text        NOT NULL CHECK (target <> source),
    amount         bigint      NOT NULL CHECK (amount > 0),
    transaction_id uuid,
    actor          text        NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX gas_transfers_number ON gas_transfers (account_id, gas_account_id, number);
CREATE INDEX gas_transfers_account ON gas_transfers (account_id, gas_account_id, id);

CREATE TABLE gas_claims (
    account_id     uuid        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    what           text        NOT NULL,
    owner          uuid        NOT NULL,
    gas_account_id uuid        NOT NULL,
    PRIMARY KEY (account_id, id)
);
