-- Functions as they are now, each of their versions, and each version's source (kept apart so that lists never read it).

CREATE TABLE functions (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    name         text        NOT NULL,
    description  text        NOT NULL,
    secrets      json        NOT NULL,
    limits       json        NOT NULL,
    keep_context boolean     NOT NULL,
    name_key     text        NOT NULL,
    version_id   uuid        NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX functions_name ON functions (account_id, name_key);

CREATE TABLE function_versions (
    account_id    uuid        NOT NULL,
    id            uuid        NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    name          text        NOT NULL,
    description   text        NOT NULL,
    secrets       json        NOT NULL,
    limits        json        NOT NULL,
    keep_context  boolean     NOT NULL,
    function_id   uuid        NOT NULL,
    number        bigint      NOT NULL,
    source_sha256 text        NOT NULL,
    created_by    text        NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX function_versions_number ON function_versions (account_id, function_id, number);
CREATE INDEX function_versions_of ON function_versions (account_id, function_id, id);

CREATE TABLE function_sources (
    account_id  uuid        NOT NULL,
    id          uuid        NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    function_id uuid        NOT NULL,
    text        text        NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX function_sources_of ON function_sources (account_id, function_id, id);
