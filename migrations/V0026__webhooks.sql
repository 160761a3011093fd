-- Where accounts are told of their events, and one row for every event that one is told.

CREATE TABLE webhooks (
    account_id      uuid        NOT NULL,
    id              uuid        NOT NULL,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    url             text        NOT NULL,
    description     text        NOT NULL,
    kinds           json        NOT NULL,
    listens         boolean     NOT NULL,
    disabled_reason text,
    key_id          text        NOT NULL,
    envelope        bytea       NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX webhooks_listens ON webhooks (listens, id);

CREATE TABLE webhook_deliveries (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    webhook_id   uuid        NOT NULL,
    event_id     text        NOT NULL,
    kind         text        NOT NULL,
    body         text        NOT NULL,
    status       text        NOT NULL,
    attempts     bigint      NOT NULL,
    reason       text,
    completed_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (account_id, webhook_id, event_id);
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (account_id, webhook_id, id);

-- How many wait for a webhook is asked for each page of events it is told of.
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (account_id, webhook_id, status, id);

-- What retention looks for.
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (account_id, created_at);
