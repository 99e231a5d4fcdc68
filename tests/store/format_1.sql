-- A run as format 1 wrote it: four steps of make_step() in support.h.
CREATE TABLE run (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE candidates (
  id INTEGER PRIMARY KEY,
  genome_hash TEXT NOT NULL,
  parents TEXT NOT NULL,
  inspirations TEXT NOT NULL,
  island INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  proposer TEXT NOT NULL,
  operation TEXT NOT NULL,
  summary TEXT NOT NULL,
  text TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE outcomes (
  sequence INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL REFERENCES candidates(id),
  purpose TEXT NOT NULL,
  kind TEXT NOT NULL,
  stage TEXT NOT NULL,
  fitness REAL,
  elapsed_s REAL NOT NULL,
  record TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  message TEXT GENERATED ALWAYS AS (json_extract(record, '$.message')) VIRTUAL
) STRICT;
CREATE INDEX outcomes_of_candidate ON outcomes(candidate, kind);
CREATE TABLE measurements (
  sequence INTEGER NOT NULL REFERENCES outcomes(sequence),
  position INTEGER NOT NULL,
  record TEXT NOT NULL,
  shape TEXT GENERATED ALWAYS AS (json_extract(record, '$.shape')) VIRTUAL,
  baseline TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.baseline')) VIRTUAL,
  cache_state TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.cache_state')) VIRTUAL,
  candidate_us REAL
    GENERATED ALWAYS AS (json_extract(record, '$.candidate_us')) VIRTUAL,
  baseline_us REAL
    GENERATED ALWAYS AS (json_extract(record, '$.baseline_us')) VIRTUAL,
  speedup REAL GENERATED ALWAYS AS (json_extract(record, '$.speedup')) VIRTUAL,
  speedup_low REAL
    GENERATED ALWAYS AS (json_extract(record, '$.speedup_low')) VIRTUAL,
  speedup_high REAL
    GENERATED ALWAYS AS (json_extract(record, '$.speedup_high')) VIRTUAL,
  roof_us REAL GENERATED ALWAYS AS (json_extract(record, '$.roof_us')) VIRTUAL,
  verdict TEXT GENERATED ALWAYS AS (json_extract(record, '$.verdict')) VIRTUAL,
  pairs TEXT GENERATED ALWAYS AS (json_extract(record, '$.pairs')) VIRTUAL,
  PRIMARY KEY (sequence, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  sequence INTEGER NOT NULL REFERENCES outcomes(sequence),
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (sequence, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_about_the_best ON events(sequence, position)
  WHERE kind IN ('best', 'best_revoked');
CREATE TABLE llm_calls (
  id INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL,
  model TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
INSERT INTO run(key, value) VALUES ('started','"2026-11-24T10:00:00Z"');
INSERT INTO candidates(id, genome_hash, parents, inspirations, island, generation, proposer, operation, summary, text, checksum) VALUES (1,'hash1','[0]','[1,2]',1,0,'parameters','step','tile 64 -> 128 "quoted" </script>','text of 1',-738611110263732527);
INSERT INTO candidates(id, genome_hash, parents, inspirations, island, generation, proposer, operation, summary, text, checksum) VALUES (2,'hash2','[1]','[1,2]',2,0,'parameters','step','tile 64 -> 128 "quoted" </script>','text of 2',739394772187050262);
INSERT INTO candidates(id, genome_hash, parents, inspirations, island, generation, proposer, operation, summary, text, checksum) VALUES (3,'hash3','[1]','[1,2]',3,1,'parameters','step','tile 64 -> 128 "quoted" </script>','text of 3',-6338124969238582948);
INSERT INTO candidates(id, genome_hash, parents, inspirations, island, generation, proposer, operation, summary, text, checksum) VALUES (4,'hash4','[2]','[1,2]',0,1,'parameters','step','tile 64 -> 128 "quoted" </script>','text of 4',-6488426364503897405);
INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, fitness, elapsed_s, record, checksum) VALUES (1,1,'score','measured','time',2.0,0.1,'{"candidate":1,"details":{"confinement":["seccomp"]},"duplicate_of":0,"fitness":{"high":1.5,"low":1.0,"value":2.0},"kind":"measured","measurements":{"features":{"code_bytes":4096.0}},"message":"","stage":"time","stage_ms":[0.1,0.2,30.5,0.0,0.0,7.0,0.0]}',7684853439834518148);
INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, fitness, elapsed_s, record, checksum) VALUES (2,2,'score','measured','time',1.5,0.2,'{"candidate":2,"details":{"confinement":["seccomp"]},"duplicate_of":0,"fitness":{"high":1.5,"low":1.0,"value":1.5},"kind":"measured","measurements":{"features":{"code_bytes":4096.0}},"message":"","stage":"time","stage_ms":[0.1,0.2,30.5,0.0,0.0,7.0,0.0]}',5675219058810757986);
INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, fitness, elapsed_s, record, checksum) VALUES (3,3,'score','incorrect','gate',NULL,3.00000000000000044408e-01,'{"candidate":3,"details":{"confinement":["seccomp"]},"duplicate_of":0,"kind":"incorrect","message":"row 3 is 5.1 x its limit","stage":"gate","stage_ms":[0.1,0.2,30.5,0.0,0.0,7.0,0.0]}',-6474555119357986602);
INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, fitness, elapsed_s, record, checksum) VALUES (4,4,'score','measured','time',1.25,0.4,'{"candidate":4,"details":{"confinement":["seccomp"]},"duplicate_of":0,"fitness":{"high":1.5,"low":1.0,"value":1.25},"kind":"measured","measurements":{"features":{"code_bytes":4096.0}},"message":"","stage":"time","stage_ms":[0.1,0.2,30.5,0.0,0.0,7.0,0.0]}',-905490350242493509);
INSERT INTO measurements(sequence, position, record) VALUES (1,0,'{"baseline":"seed","baseline_us":0.0,"cache_state":"cold","calls_per_block":0,"candidate_us":0.0,"confidence":0.95,"discarded_pairs":0,"minimum_effect":0.0,"pairs":[[0.3333333333333333,0.30000000000000004],[1e-300,5e+300]],"roof_us":0.0,"shape":"decode-256","speedup":2.0,"speedup_high":0.0,"speedup_low":0.0,"verdict":"faster","weight":1.0}');
INSERT INTO measurements(sequence, position, record) VALUES (2,0,'{"baseline":"seed","baseline_us":0.0,"cache_state":"cold","calls_per_block":0,"candidate_us":0.0,"confidence":0.95,"discarded_pairs":0,"minimum_effect":0.0,"pairs":[[0.3333333333333333,0.30000000000000004],[1e-300,5e+300]],"roof_us":0.0,"shape":"decode-256","speedup":1.5,"speedup_high":0.0,"speedup_low":0.0,"verdict":"faster","weight":1.0}');
INSERT INTO measurements(sequence, position, record) VALUES (4,0,'{"baseline":"seed","baseline_us":0.0,"cache_state":"cold","calls_per_block":0,"candidate_us":0.0,"confidence":0.95,"discarded_pairs":0,"minimum_effect":0.0,"pairs":[[0.3333333333333333,0.30000000000000004],[1e-300,5e+300]],"roof_us":0.0,"shape":"decode-256","speedup":1.25,"speedup_high":0.0,"speedup_low":0.0,"verdict":"faster","weight":1.0}');
INSERT INTO events(sequence, position, kind, detail) VALUES (1,0,'elite','{"candidate":1,"island":1}');
INSERT INTO events(sequence, position, kind, detail) VALUES (2,0,'elite','{"candidate":2,"island":1}');
INSERT INTO events(sequence, position, kind, detail) VALUES (3,0,'elite','{"candidate":3,"island":1}');
INSERT INTO events(sequence, position, kind, detail) VALUES (4,0,'elite','{"candidate":4,"island":1}');
PRAGMA application_id=1702260587;
PRAGMA user_version=1;
