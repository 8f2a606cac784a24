-- On whose behalf a resource is pushed: the symbol of `Organization/abc`, or 0 if that is not known. It shares a number
-- with the action, as a new column would stand behind the body, and be read only by reading through all of the body.
ALTER TABLE resource RENAME COLUMN action TO origin;
ALTER TABLE resource ADD COLUMN action INTEGER GENERATED ALWAYS AS (origin & 3) VIRTUAL;
ALTER TABLE resource ADD COLUMN source INTEGER GENERATED ALWAYS AS (nullif(origin >> 2, 0)) VIRTUAL;
ALTER TABLE history RENAME COLUMN action TO origin;
ALTER TABLE history ADD COLUMN action INTEGER GENERATED ALWAYS AS (origin & 3) VIRTUAL;
ALTER TABLE history ADD COLUMN source INTEGER GENERATED ALWAYS AS (nullif(origin >> 2, 0)) VIRTUAL;

CREATE INDEX resource_by_source ON resource (source, type) WHERE live = 1 AND source IS NOT NULL;
CREATE INDEX resource_by_source_updated ON resource (source, type, updated) WHERE version > 0 AND source IS NOT NULL;
CREATE INDEX history_by_source_updated ON history (source, type, updated) WHERE source IS NOT NULL;
