-- Oracle: sources, the requests to them, and how often sources may be asked.

CREATE TABLE oracle_sources (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    name         text        NOT NULL,
    name_key     text        NOT NULL,
    description  text        NOT NULL,
    kind         text        NOT NULL,
    url          text        NOT NULL,
    method       text        NOT NULL,
    header_names json        NOT NULL,
    body         text,
    result_path  text,
    result_type  text        NOT NULL,
    timeout_ms   bigint      NOT NULL,
    rate_limit   text,
    enabled      boolean     NOT NULL,
    key_id       text        NOT NULL,
    envelope     bytea       NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX oracle_sources_name ON oracle_sources (account_id, name_key);
-- What a rotation of the root key looks for.
CREATE INDEX oracle_sources_key ON oracle_sources (key_id, id);

CREATE TABLE oracle_requests (
    account_id            uuid        NOT NULL,
    id                    uuid        NOT NULL,
    version               bigint      NOT NULL,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    question              json        NOT NULL,
    status                text        NOT NULL,
    result                json,
    error                 text,
    answers               json        NOT NULL,
    attempts              json        NOT NULL,
    expires_at            timestamptz NOT NULL,
    completed_at          timestamptz,
    callback_function_id  uuid,
    callback_execution_id uuid,
    callback_error        text,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX oracle_requests_status ON oracle_requests (account_id, status, id);
-- What retention looks for.
CREATE INDEX oracle_requests_ended ON oracle_requests (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE oracle_gates (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    filled_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
