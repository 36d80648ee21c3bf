-- What SQLite and PostgreSQL both take. Flags are numbers, instants are text (RFC 3339, UTC, which sorts by time).
CREATE TABLE lab_run (
    run TEXT NOT NULL PRIMARY KEY,
    suite TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    complete BIGINT NOT NULL,
    commit_hash TEXT,
    commit_dirty BIGINT NOT NULL,
    profile TEXT NOT NULL,
    -- The key that is made of the host's lasting facts.
    machine TEXT NOT NULL,
    -- All that is known of the host, in JSON.
    host TEXT NOT NULL
);

CREATE INDEX lab_run_of_machine ON lab_run (machine, suite, profile, started);

-- One metric of one target in one case: the median over the rounds of its run.
CREATE TABLE lab_figure (
    run TEXT NOT NULL REFERENCES lab_run (run) ON DELETE CASCADE,
    target TEXT NOT NULL,
    case_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    rounds BIGINT NOT NULL,
    PRIMARY KEY (run, target, case_id, metric)
);

CREATE INDEX lab_figure_of_metric ON lab_figure (metric, run);
