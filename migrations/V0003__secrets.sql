-- Secrets: sealed values by name and version. A secret's own row carries the sealed value that is in force, so that a run
-- finds all it needs in one look-up.

CREATE TABLE secrets (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    active bigint NOT NULL,
    latest bigint NOT NULL,
    pinned boolean NOT NULL,
    kept json NOT NULL,
    key_id text NOT NULL,
    envelope bytea NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE UNIQUE INDEX secrets_name ON secrets (account_id, name_key);
-- What a rotation of the root key looks for.
CREATE INDEX secrets_key ON secrets (key_id, id);

CREATE TABLE secret_versions (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    secret_id uuid NOT NULL,
    number bigint NOT NULL,
    key_id text NOT NULL,
    envelope bytea NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE UNIQUE INDEX secret_versions_number ON secret_versions (account_id, secret_id, number);
CREATE INDEX secret_versions_key ON secret_versions (key_id, id);
