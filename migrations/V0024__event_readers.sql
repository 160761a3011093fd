-- How far the event log was read by whoever lets services hear it: one row, moved in the batch that has what followed.

CREATE TABLE event_readers (
    account_id     uuid        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    transaction_id bigint      NOT NULL,
    sequence       bigint      NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- Whether anybody listens at all is asked at every look.
CREATE INDEX automation_jobs_listens ON automation_jobs (listens, id);
