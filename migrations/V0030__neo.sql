-- How far the Neo chain was read, moved in the batch that has the events of a block; and who waits for what happens on
-- the chain, so that nobody else is looked at when something does.

CREATE TABLE neo_chains (
    account_id     uuid        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    network        bigint,
    next_height    bigint,
    last_hash      text,
    part_of        text,
    parts          bigint      NOT NULL,
    start_height   bigint,
    node_height    bigint,
    answered_at    timestamptz,
    trouble        text,
    detail         text,
    troubled_since timestamptz,
    failures       bigint      NOT NULL,
    PRIMARY KEY (account_id, id)
);

ALTER TABLE triggers ADD COLUMN listens_public boolean NOT NULL DEFAULT false;
UPDATE triggers SET listens_public = true WHERE listens AND rule LIKE 'neo.%';
CREATE INDEX triggers_listens_public ON triggers (listens_public, id);

ALTER TABLE automation_jobs ADD COLUMN listens_public boolean NOT NULL DEFAULT false;
UPDATE automation_jobs SET listens_public = true WHERE listens AND on_kind LIKE 'neo.%';
CREATE INDEX automation_jobs_listens_public ON automation_jobs (listens_public, id);

ALTER TABLE webhooks ADD COLUMN listens_public boolean NOT NULL DEFAULT false;
UPDATE webhooks SET listens_public = true WHERE listens AND kinds::text LIKE '%"neo.%';
CREATE INDEX webhooks_listens_public ON webhooks (listens_public, id);
