-- Executions. Input, output, logs, error and actions are JSON text that is copied out as it is: no column type takes it apart.

CREATE TABLE executions (
    account_id       uuid        NOT NULL,
    id               uuid        NOT NULL,
    version          bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    function_id      uuid        NOT NULL,
    function_version bigint      NOT NULL,
    version_id       uuid        NOT NULL,
    trigger_kind     text        NOT NULL,
    trigger_id       uuid,
    actor            text        NOT NULL,
    request_id       text,
    status           text        NOT NULL,
    input            text        NOT NULL,
    output           text,
    logs             text        NOT NULL,
    error            text,
    actions          text        NOT NULL,
    attempts         bigint      NOT NULL,
    cpu_micros       bigint      NOT NULL,
    heap_peak        bigint      NOT NULL,
    started_at       timestamptz,
    completed_at     timestamptz,
    public_key       bytea,
    signature        bytea,
    PRIMARY KEY (account_id, id)
);

CREATE INDEX executions_of_function ON executions (account_id, function_id, id);

-- The few that have not ended are counted whenever one is queued.
CREATE INDEX executions_open ON executions (account_id, status, id) WHERE status IN ('queued', 'running');

-- What retention looks for.
CREATE INDEX executions_age ON executions (account_id, created_at);
