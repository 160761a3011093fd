-- Jobs as their owners define them; where each one's schedule stands (apart, so that a slot is no change of the job); and
-- one row for every slot, whatever became of it.

CREATE TABLE automation_jobs (
    account_id             uuid        NOT NULL,
    id                     uuid        NOT NULL,
    version                bigint      NOT NULL,
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    function_id            uuid        NOT NULL,
    name                   text        NOT NULL,
    name_key               text        NOT NULL,
    description            text        NOT NULL,
    enabled                boolean     NOT NULL,
    schedule               text,
    timezone               text        NOT NULL,
    dst_gap                text        NOT NULL,
    dst_fold               text        NOT NULL,
    anchor                 timestamptz NOT NULL,
    starts_at              timestamptz,
    ends_at                timestamptz,
    jitter_millis          bigint      NOT NULL,
    overlap                text        NOT NULL,
    catch_up               text        NOT NULL,
    catch_up_window_millis bigint,
    phases                 text        NOT NULL,
    max_failures           bigint      NOT NULL,
    on_kind                text,
    on_filter              json        NOT NULL,
    listens                boolean     NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX automation_jobs_name ON automation_jobs (account_id, name_key);
CREATE INDEX automation_jobs_function ON automation_jobs (account_id, function_id);
CREATE INDEX automation_jobs_listening ON automation_jobs (account_id, id) WHERE listens;

CREATE TABLE automation_states (
    account_id   uuid        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    job_id       uuid        NOT NULL,
    decided      timestamptz NOT NULL,
    next_slot    timestamptz,
    moved_to     timestamptz,
    last_run     timestamptz,
    failures     bigint      NOT NULL,
    busy         boolean     NOT NULL,
    missed       text,
    missed_since timestamptz,
    missed_until timestamptz,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE automation_runs (
    account_id         uuid        NOT NULL,
    id                 uuid        NOT NULL,
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    job_id             uuid        NOT NULL,
    kind               text        NOT NULL,
    slot               timestamptz,
    event              text,
    actor              text        NOT NULL,
    status             text        NOT NULL,
    phase              text,
    params             json        NOT NULL,
    check_execution_id uuid,
    execution_id       uuid,
    reason             text,
    started_at         timestamptz,
    completed_at       timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX automation_runs_slot ON automation_runs (account_id, job_id, slot);
CREATE UNIQUE INDEX automation_runs_event ON automation_runs (account_id, job_id, event);
CREATE INDEX automation_runs_of ON automation_runs (account_id, job_id, id);

-- The few that have not ended are looked for at every slot.
CREATE INDEX automation_runs_open ON automation_runs (account_id, job_id, id) WHERE status IN ('queued', 'running');

-- What retention looks for.
CREATE INDEX automation_runs_age ON automation_runs (account_id, created_at);
