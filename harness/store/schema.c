#include "store_internal.h"

/*
 * Layout. What a run has many of is clustered by its owner: sample and rollup are WITHOUT ROWID on (trial, ..), so that
 * one seek and a scan read a trial. Traces are the bulk: integers only, launch order is rowid order, the trial row
 * holds the range, and no secondary index doubles the file: 32 bytes a row. Nor have they foreign keys: five look-ups a
 * row took 0.24 s instead of 0.10 s for 200 000 rows; sb_store_check() proves what the keys would have.
 *
 * Numbers: times in nanoseconds, wall-clock times since 1970 (UTC). seed is a 64-bit pattern, negative when the top bit
 * is set. A missing value is NULL with the reason in `absent`.
 */
static const char version_1[] =
        "CREATE TABLE run (\n"
        "  id INTEGER PRIMARY KEY,\n"
        "  uid TEXT NOT NULL UNIQUE CHECK (length(uid) = 32 AND uid NOT GLOB '*[^0-9a-f]*'),\n"
        "  status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'interrupted', 'failed')),\n"
        "  created_ns INTEGER NOT NULL,\n"
        "  ended_ns INTEGER,\n"
        "  command TEXT NOT NULL,\n"
        "  note TEXT,\n"
        "  plan TEXT NOT NULL,\n"
        "  seed INTEGER NOT NULL\n"
        ") STRICT;\n"

        "CREATE TABLE fact (\n"
        "  run INTEGER NOT NULL REFERENCES run,\n"
        "  key TEXT NOT NULL,\n"
        "  value TEXT,\n"
        "  absent TEXT,\n"
        "  PRIMARY KEY (run, key),\n"
        "  CHECK ((value IS NULL) = (absent IS NOT NULL))\n"
        ") STRICT, WITHOUT ROWID;\n"

        "CREATE TABLE run_case (\n"
        "  run INTEGER PRIMARY KEY REFERENCES run,\n"
        "  workload TEXT NOT NULL,\n"
        "  preset TEXT NOT NULL,\n"
        "  params TEXT NOT NULL,\n"
        "  clip_digest TEXT,\n"
        "  weights_kind TEXT NOT NULL,\n"
        "  weights_digest TEXT\n"
        ") STRICT;\n"

        "CREATE TABLE arm (\n"
        "  run INTEGER NOT NULL REFERENCES run,\n"
        "  idx INTEGER NOT NULL,\n"
        "  name TEXT NOT NULL,\n"
        "  levels TEXT NOT NULL,\n"
        "  PRIMARY KEY (run, idx),\n"
        "  UNIQUE (run, name)\n"
        ") STRICT, WITHOUT ROWID;\n"

        "CREATE TABLE arm_level (\n"
        "  run INTEGER NOT NULL,\n"
        "  arm INTEGER NOT NULL,\n"
        "  part TEXT NOT NULL,\n"
        "  level TEXT NOT NULL,\n"
        "  PRIMARY KEY (run, arm, part),\n"
        "  FOREIGN KEY (run, arm) REFERENCES arm (run, idx)\n"
        ") STRICT, WITHOUT ROWID;\n"

        "CREATE TABLE worker (\n"
        "  id INTEGER PRIMARY KEY,\n"
        "  run INTEGER NOT NULL REFERENCES run,\n"
        "  exe TEXT NOT NULL,\n"
        "  build_id TEXT NOT NULL,\n"
        "  pid INTEGER NOT NULL,\n"
        "  purpose TEXT NOT NULL,\n"
        "  device_name TEXT NOT NULL,\n"
        "  device_uuid TEXT,\n"
        "  started_ns INTEGER NOT NULL,\n"
        "  ended_ns INTEGER,\n"
        "  ending TEXT\n"
        ") STRICT;\n"
        "CREATE INDEX worker_run ON worker (run);\n"

        "CREATE TABLE trial (\n"
        "  id INTEGER PRIMARY KEY,\n"
        "  run INTEGER NOT NULL,\n"
        "  worker INTEGER NOT NULL REFERENCES worker,\n"
        "  arm INTEGER NOT NULL,\n"
        "  block INTEGER NOT NULL,\n"
        "  position INTEGER NOT NULL,\n"
        "  kind TEXT NOT NULL CHECK (kind IN ('timing', 'trace')),\n"
        "  started_ns INTEGER NOT NULL,\n"
        "  outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'oom', 'crashed', 'timeout', 'failed')),\n"
        "  message TEXT,\n"
        "  trace_complete INTEGER,\n" /* NULL for timing trials */
        "  trace_first INTEGER,\n"    /* rows trace_first .. trace_first + trace_n - 1 of trace */
        "  trace_n INTEGER NOT NULL,\n"
        "  FOREIGN KEY (run, arm) REFERENCES arm (run, idx)\n"
        ") STRICT;\n"
        "CREATE INDEX trial_run ON trial (run);\n"

        "CREATE TABLE metric (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;\n"

        /* ANY keeps whole numbers as integers: four bytes where a REAL takes eight. */
        "CREATE TABLE sample (\n"
        "  trial INTEGER NOT NULL REFERENCES trial,\n"
        "  metric INTEGER NOT NULL REFERENCES metric,\n"
        "  value ANY,\n"
        "  absent TEXT,\n"
        "  PRIMARY KEY (trial, metric),\n"
        "  CHECK ((value IS NULL) = (absent IS NOT NULL))\n"
        ") STRICT, WITHOUT ROWID;\n"

        "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;\n"

        "CREATE TABLE launch (\n"
        "  id INTEGER PRIMARY KEY,\n"
        "  grid_x INTEGER NOT NULL, grid_y INTEGER NOT NULL, grid_z INTEGER NOT NULL,\n"
        "  block_x INTEGER NOT NULL, block_y INTEGER NOT NULL, block_z INTEGER NOT NULL,\n"
        "  shared_bytes INTEGER NOT NULL,\n"
        "  registers INTEGER NOT NULL,\n"
        "  UNIQUE (grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, registers)\n"
        ") STRICT;\n"

        /* start_delta_ns: since the start of the row before, the trial's first row since the trial's start. */
        "CREATE TABLE trace (\n"
        "  id INTEGER PRIMARY KEY,\n"
        "  trial INTEGER NOT NULL,\n"
        "  start_delta_ns INTEGER NOT NULL,\n"
        "  dur_ns INTEGER NOT NULL,\n"
        "  name INTEGER NOT NULL,\n"
        "  stage INTEGER,\n"
        "  op INTEGER,\n"
        "  stream INTEGER NOT NULL,\n"
        "  correlation INTEGER,\n"
        "  launch INTEGER\n"
        ") STRICT;\n"

        "CREATE TABLE rollup (\n"
        "  trial INTEGER NOT NULL REFERENCES trial,\n"
        "  idx INTEGER NOT NULL,\n"
        "  stage INTEGER REFERENCES name,\n"
        "  op INTEGER REFERENCES name,\n"
        "  kind INTEGER REFERENCES name,\n"
        "  name INTEGER NOT NULL REFERENCES name,\n"
        "  count INTEGER NOT NULL,\n"
        "  dur_ns INTEGER NOT NULL,\n"
        "  bytes INTEGER NOT NULL,\n"
        "  PRIMARY KEY (trial, idx)\n"
        ") STRICT, WITHOUT ROWID;\n"

        /* For people with a SQL prompt; spabench itself reads the tables. */
        "CREATE VIEW sample_text AS\n"
        "  SELECT run.uid AS run, arm.name AS arm, trial.block, trial.position, trial.kind, trial.outcome,\n"
        "         trial.id AS trial, metric.name AS metric, sample.value, sample.absent\n"
        "  FROM run JOIN trial ON trial.run = run.id\n"
        "  JOIN arm ON arm.run = trial.run AND arm.idx = trial.arm\n"
        "  JOIN sample ON sample.trial = trial.id JOIN metric ON metric.id = sample.metric;\n"

        "CREATE VIEW rollup_text AS\n"
        "  SELECT rollup.trial, s.text AS stage, o.text AS op, k.text AS kind, n.text AS name,\n"
        "         rollup.count, rollup.dur_ns, rollup.bytes\n"
        "  FROM rollup JOIN name n ON n.id = rollup.name LEFT JOIN name s ON s.id = rollup.stage\n"
        "  LEFT JOIN name o ON o.id = rollup.op LEFT JOIN name k ON k.id = rollup.kind;\n"

        "CREATE VIEW trace_text AS\n"
        "  SELECT trial.id AS trial, trace.id AS row, trace.start_delta_ns, trace.dur_ns, n.text AS name,\n"
        "         s.text AS stage, o.text AS op, trace.stream, trace.correlation,\n"
        "         l.grid_x, l.grid_y, l.grid_z, l.block_x, l.block_y, l.block_z, l.shared_bytes, l.registers\n"
        "  FROM trial JOIN trace ON trace.id BETWEEN trial.trace_first AND trial.trace_first + trial.trace_n - 1\n"
        "  JOIN name n ON n.id = trace.name LEFT JOIN name s ON s.id = trace.stage\n"
        "  LEFT JOIN name o ON o.id = trace.op LEFT JOIN launch l ON l.id = trace.launch;\n"

        "PRAGMA application_id = 1397768514;\n"; /* SB_STORE_APPLICATION_ID */

_Static_assert(SB_STORE_APPLICATION_ID == 1397768514, "the pragma above takes no expression");

/* A blob a trial: rows of their own would take ten times the room. harness/memory/sb_timeline.h has its layout. */
static const char version_2[] = "CREATE TABLE memory_timeline (\n"
                                "  trial INTEGER PRIMARY KEY REFERENCES trial,\n"
                                "  events INTEGER NOT NULL,\n" /* in data */
                                "  cut INTEGER NOT NULL,\n"    /* that found no room: the last ones of the pass */
                                "  data BLOB NOT NULL\n"
                                ") STRICT;\n";

/*
 * What gates are held against. A baseline's name may stand once for each machine and case, both as fingerprints in
 * words; a calibration is of a machine, a case, an arm's levels and a metric, its figures are JSON.
 */
static const char version_3[] = "CREATE TABLE baseline (\n"
                                "  name TEXT NOT NULL,\n"
                                "  machine TEXT NOT NULL,\n"
                                "  case_key TEXT NOT NULL,\n"
                                "  run INTEGER NOT NULL REFERENCES run,\n"
                                "  arm INTEGER NOT NULL,\n"
                                "  exe TEXT NOT NULL,\n"
                                "  exe_digest TEXT NOT NULL,\n" /* of the file; "" where it is not known */
                                "  created_ns INTEGER NOT NULL,\n"
                                "  PRIMARY KEY (name, machine, case_key),\n"
                                "  FOREIGN KEY (run, arm) REFERENCES arm (run, idx)\n"
                                ") STRICT, WITHOUT ROWID;\n"
                                "CREATE TABLE calibration (\n"
                                "  machine TEXT NOT NULL,\n"
                                "  case_key TEXT NOT NULL,\n"
                                "  levels TEXT NOT NULL,\n"
                                "  metric TEXT NOT NULL,\n"
                                "  run INTEGER NOT NULL REFERENCES run,\n"
                                "  created_ns INTEGER NOT NULL,\n"
                                "  figures TEXT NOT NULL,\n"
                                "  PRIMARY KEY (machine, case_key, levels, metric)\n"
                                ") STRICT, WITHOUT ROWID;\n";

/* Which call of an op a row belongs to: calls of one op follow each other without a gap in the rows. */
static const char version_4[] =
        "ALTER TABLE trace ADD COLUMN op_call INTEGER;\n" /* counted from 0 in each trial; NULL: not known */
        "DROP VIEW IF EXISTS trace_text;\n"
        "CREATE VIEW trace_text AS\n"
        "  SELECT trial.id AS trial, trace.id AS row, trace.start_delta_ns, trace.dur_ns, n.text AS name,\n"
        "         s.text AS stage, o.text AS op, trace.op_call, trace.stream, trace.correlation,\n"
        "         l.grid_x, l.grid_y, l.grid_z, l.block_x, l.block_y, l.block_z, l.shared_bytes, l.registers\n"
        "  FROM trial JOIN trace ON trace.id BETWEEN trial.trace_first AND trial.trace_first + trial.trace_n - 1\n"
        "  JOIN name n ON n.id = trace.name LEFT JOIN name s ON s.id = trace.stage\n"
        "  LEFT JOIN name o ON o.id = trace.op LEFT JOIN launch l ON l.id = trace.launch;\n";

const char *const sb_store_migrations[] = { version_1, version_2, version_3, version_4 };
const int sb_store_version = SB_ARRAY_LEN(sb_store_migrations);
