-- Randomness: what was answered (the value follows from the signature), and how far the counters of each signing key are given out.

CREATE TABLE random_values (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    request_id text        NOT NULL,
    length     bigint      NOT NULL,
    encoding   text        NOT NULL,
    counter    bigint      NOT NULL,
    ephemeral  boolean     NOT NULL,
    public_key bytea       NOT NULL,
    signature  bytea       NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE UNIQUE INDEX random_values_request ON random_values (account_id, request_id);

-- What retention looks for.
CREATE INDEX random_values_age ON random_values (account_id, created_at);

CREATE TABLE random_counters (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    public_key bytea       NOT NULL,
    reserved   bigint      NOT NULL,
    PRIMARY KEY (account_id, id)
);
