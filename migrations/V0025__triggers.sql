-- Triggers as their owners define them; how far each schedule was decided (apart, so that a slot is no change of the
-- trigger); the secrets of inbound webhooks, two while one replaces the other; and one row for every time one fired.

CREATE TABLE triggers (
    account_id  uuid        NOT NULL,
    id          uuid        NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    function_id uuid        NOT NULL,
    type        text        NOT NULL,
    rule        text        NOT NULL,
    config      json        NOT NULL,
    enabled     boolean     NOT NULL,
    listens     boolean     NOT NULL,
    token_hash  bytea,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX triggers_listens ON triggers (listens, id);
CREATE INDEX triggers_listening ON triggers (account_id, id) WHERE listens;
CREATE INDEX triggers_token ON triggers (token_hash) WHERE token_hash IS NOT NULL;

CREATE TABLE trigger_states (
    account_id    uuid        NOT NULL,
    id            uuid        NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    trigger_id    uuid        NOT NULL,
    decided       timestamptz NOT NULL,
    dropped_until timestamptz,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE trigger_secrets (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    trigger_id uuid        NOT NULL,
    key_id     text        NOT NULL,
    envelope   bytea       NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX trigger_secrets_of ON trigger_secrets (account_id, trigger_id, id);

CREATE TABLE trigger_deliveries (
    account_id    uuid        NOT NULL,
    id            uuid        NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    trigger_id    uuid        NOT NULL,
    cause         text        NOT NULL,
    source        text,
    actor         text        NOT NULL,
    status        text        NOT NULL,
    input         json        NOT NULL,
    redelivery_of uuid,
    execution_id  uuid,
    reason        text,
    started_at    timestamptz,
    completed_at  timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX trigger_deliveries_source ON trigger_deliveries (account_id, trigger_id, source);
CREATE INDEX trigger_deliveries_of ON trigger_deliveries (account_id, trigger_id, id);

-- What retention looks for.
CREATE INDEX trigger_deliveries_age ON trigger_deliveries (account_id, created_at);
