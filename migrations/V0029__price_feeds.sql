-- Price feeds: what tenants say of them, where they stand, their rounds and observations, and hosts that asked to wait.

CREATE TABLE price_feeds (
    account_id         uuid        NOT NULL,
    id                 uuid        NOT NULL,
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    base_asset         text        NOT NULL,
    quote_asset        text        NOT NULL,
    pair               text        NOT NULL,
    update_interval_ms bigint      NOT NULL,
    rules              json        NOT NULL,
    sources            json        NOT NULL,
    active             boolean     NOT NULL,
    activated_at       timestamptz NOT NULL,
    key_id             text,
    envelope           bytea,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX price_feeds_pair ON price_feeds (account_id, pair);
-- What a rotation of the root key looks for.
CREATE INDEX price_feeds_key ON price_feeds (key_id, id);

CREATE TABLE price_states (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    feed_id      uuid        NOT NULL,
    round        bigint      NOT NULL,
    open         boolean     NOT NULL,
    published    json,
    refreshed_at timestamptz,
    last_error   text,
    failures     bigint      NOT NULL,
    stale_since  timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX price_states_of ON price_states (account_id, feed_id, id);

CREATE TABLE price_rounds (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    feed_id    uuid        NOT NULL,
    number     bigint      NOT NULL,
    status     text        NOT NULL,
    content    json        NOT NULL,
    closed_at  timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX price_rounds_number ON price_rounds (account_id, feed_id, number);
CREATE INDEX price_rounds_of ON price_rounds (account_id, feed_id, id);

CREATE TABLE price_snapshots (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    feed_id      uuid        NOT NULL,
    round        bigint      NOT NULL,
    price        text        NOT NULL,
    source       text        NOT NULL,
    collected_at timestamptz NOT NULL,
    published    boolean     NOT NULL,
    verdict      json        NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX price_snapshots_of ON price_snapshots (account_id, feed_id, id);

CREATE TABLE price_hosts (
    account_id    uuid        NOT NULL,
    id            uuid        NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    host          text        NOT NULL,
    blocked_until timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
