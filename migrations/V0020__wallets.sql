-- Workspace wallets: accounts on Neo N3 that a tenant has proved to be its own.

CREATE TABLE workspace_wallets (
    account_id  uuid        NOT NULL,
    id          uuid        NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    script_hash text        NOT NULL,
    label       text        NOT NULL,
    public_keys json        NOT NULL,
    threshold   bigint      NOT NULL,
    status      text        NOT NULL,
    challenge   json,
    proved_at   timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX workspace_wallets_script_hash ON workspace_wallets (account_id, script_hash);
