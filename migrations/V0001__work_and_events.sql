-- The durable work queue and the event log.
--
-- account_id leads every key, so that the tables can be distributed by it. JSON is kept as json, not jsonb: it comes back
-- as it went, U+0000 and all, and nothing here looks inside it.

CREATE TABLE work (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    duty         text        NOT NULL,
    subject      uuid        NOT NULL,
    gate         uuid,
    priority     smallint    NOT NULL,
    due_at       timestamptz NOT NULL,
    -- Whether claims look at it: it was due when it was added or looked at last, and nobody holds it. Claims set it first
    -- for what has become due or whose lease ran out, so that walking the accounts with due work never meets the
    -- others.
    ready        boolean     NOT NULL,
    attempt      integer     NOT NULL,
    fence        bigint      NOT NULL,
    holder       uuid,
    leased_until timestamptz,
    last_error   text,
    payload      json        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, id)
) WITH (
    -- The table is small and its rows short-lived: sweep it often and without pauses.
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.2,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.2
);

CREATE INDEX work_subject ON work (account_id, subject);
CREATE INDEX work_ready ON work (duty, account_id, priority DESC, due_at, id) WHERE ready;
CREATE INDEX work_sleeping ON work (duty, due_at) WHERE NOT ready AND holder IS NULL;
CREATE INDEX work_held ON work (duty, leased_until) WHERE NOT ready AND holder IS NOT NULL;

CREATE TABLE events (
    account_id     uuid        NOT NULL,
    -- The transaction that wrote it. A sequence alone would let a reader pass the number of a transaction that is still
    -- open; readers are shown only what is below the oldest open one.
    transaction_id bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    sequence       bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 32),
    service        text        NOT NULL,
    kind           text        NOT NULL,
    subject        uuid        NOT NULL,
    actor          text        NOT NULL,
    request_id     text,
    origin         text,
    data           json        NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, transaction_id, sequence)
);

CREATE INDEX events_position ON events (transaction_id, sequence);
