-- Type names, search parameters and code systems, each stored once and named by number everywhere else.
CREATE TABLE symbol (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- One row a logical id, also when it has only been referenced (version 0). `rid` never changes: it is the tie-break of
-- every order. Absolute urls that are referenced have the type '' and the url as id.
CREATE TABLE resource (
  rid INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  live INTEGER NOT NULL,
  -- What made this version, see `ACTIONS`.
  action INTEGER NOT NULL,
  -- The index rows of this version, a JSON array a line, so that an update touches only those that differ.
  index_rows TEXT NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (type, id)
) STRICT;
CREATE INDEX resource_by_type ON resource (type) WHERE live = 1;
CREATE INDEX resource_by_updated ON resource (type, updated) WHERE version > 0;

-- Versions that are no longer current. A deletion has an empty body.
CREATE TABLE history (
  rid INTEGER NOT NULL,
  type INTEGER NOT NULL,
  version INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  live INTEGER NOT NULL,
  action INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (rid, version)
) STRICT;
CREATE INDEX history_by_updated ON history (type, updated);

-- The index tables. Each primary key is the covering index of its kind of search; `param` is the symbol of a type's
-- parameter ('Observation.code'). The second index of a table finds the values of one resource.
CREATE TABLE token (
  param INTEGER NOT NULL,
  code TEXT NOT NULL,
  rid INTEGER NOT NULL,
  system INTEGER NOT NULL,
  PRIMARY KEY (param, code, rid, system)
) STRICT, WITHOUT ROWID;

CREATE TABLE string (
  param INTEGER NOT NULL,
  value TEXT NOT NULL,
  rid INTEGER NOT NULL,
  exact TEXT NOT NULL,
  PRIMARY KEY (param, value, rid, exact)
) STRICT, WITHOUT ROWID;
CREATE INDEX string_by_resource ON string (rid, param);

-- `form` parts what must be scanned in different ways: 0 is the only value of its resource and short, 1 is short and one
-- of several, 2 is long (over 32 days; a number that is an interval). Short values bound `lo` from both sides; of the
-- only values, several conditions bound one scan ('from May' and 'until June').
CREATE TABLE date (
  param INTEGER NOT NULL,
  form INTEGER NOT NULL,
  lo INTEGER NOT NULL,
  hi INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  PRIMARY KEY (param, form, lo, hi, rid)
) STRICT, WITHOUT ROWID;
CREATE INDEX date_by_resource ON date (rid, param);

-- Numbers, and quantities with their unit; an open end is the smallest or largest double.
CREATE TABLE quantity (
  param INTEGER NOT NULL,
  form INTEGER NOT NULL,
  lo REAL NOT NULL,
  hi REAL NOT NULL,
  rid INTEGER NOT NULL,
  system INTEGER NOT NULL,
  code TEXT NOT NULL,
  unit TEXT NOT NULL,
  PRIMARY KEY (param, form, lo, hi, rid, system, code, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX quantity_by_resource ON quantity (rid, param);

CREATE TABLE reference (
  param INTEGER NOT NULL,
  target INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  PRIMARY KEY (param, target, rid)
) STRICT, WITHOUT ROWID;

CREATE INDEX reference_by_resource ON reference (rid, param);

CREATE TABLE uri (
  param INTEGER NOT NULL,
  value TEXT NOT NULL,
  rid INTEGER NOT NULL,
  PRIMARY KEY (param, value, rid)
) STRICT, WITHOUT ROWID;

-- The words of each resource and of its narrative; the texts themselves are in the resource.
CREATE VIRTUAL TABLE words USING fts5(
  content, narrative,
  content = '', contentless_delete = 1, detail = 'column', tokenize = 'unicode61 remove_diacritics 2'
);

-- How many resources of each type there are, for the total of a search without conditions.
CREATE TABLE type_count (
  type INTEGER PRIMARY KEY,
  live INTEGER NOT NULL
) STRICT;

-- Small JSON documents beside the resources: jobs, clients, grants. One that has expired is not there any more.
CREATE TABLE record (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  revision INTEGER NOT NULL,
  -- Milliseconds since 1970 UTC.
  expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX record_by_expiry ON record (expires) WHERE expires IS NOT NULL;
