-- Accounts and their tokens, and what the runtime itself keeps: answers of repeatable requests, pauses, dead letters.

-- Accounts stand under the system's account; `id` is the tenant.
CREATE TABLE accounts (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    owner text NOT NULL,
    metadata json NOT NULL,
    status text NOT NULL,
    limits json NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- Every daemon reads the few that are not active, several times a second.
CREATE INDEX accounts_stopped ON accounts (account_id, status, id) WHERE status <> 'active';

CREATE TABLE tokens (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    prefix text NOT NULL,
    scopes json NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (account_id, id)
);

CREATE UNIQUE INDEX tokens_name ON tokens (account_id, name);
CREATE UNIQUE INDEX tokens_hash ON tokens (account_id, hash);

-- When a token was last used, apart from the token so that a use is no change of it.
CREATE TABLE token_uses (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE idempotency_records (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    fingerprint bytea NOT NULL,
    status bigint NOT NULL,
    body bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE INDEX idempotency_records_expiry ON idempotency_records (expires_at);

-- Pauses stand under the system's account.
CREATE TABLE pauses (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    scope text NOT NULL,
    target text NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE dead_letters (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    duty text NOT NULL,
    subject uuid NOT NULL,
    gate uuid,
    payload json NOT NULL,
    reason text NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    attempts bigint NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE INDEX dead_letters_subject ON dead_letters (account_id, subject);
CREATE INDEX dead_letters_gate ON dead_letters (account_id, gate) WHERE gate IS NOT NULL;
