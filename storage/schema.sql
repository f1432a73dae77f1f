-- The registry: an index over attestations and receipts, which are the truth. Digests are 32 bytes,
-- an issuer is a key id in hex. Every table is keyed by a digest, so recording twice changes nothing.

CREATE TABLE layout (version INTEGER NOT NULL);
INSERT INTO layout VALUES (1);

CREATE TABLE attestations (
  digest BLOB PRIMARY KEY,      -- of the envelope
  kind VARCHAR NOT NULL,        -- dataset, start, run, membership
  name VARCHAR NOT NULL,        -- of the statement's subject
  commitment BLOB NOT NULL,
  issuer VARCHAR NOT NULL
);

CREATE TABLE versions (         -- dataset commitments
  commitment BLOB PRIMARY KEY,
  name VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  issuer VARCHAR NOT NULL,
  root BLOB NOT NULL,
  chunks UBIGINT NOT NULL,
  records UBIGINT NOT NULL,
  previous BLOB
);

CREATE TABLE starts (           -- announced runs
  commitment BLOB PRIMARY KEY,
  name VARCHAR NOT NULL,
  issuer VARCHAR NOT NULL,
  seed_height UBIGINT NOT NULL
);

CREATE TABLE uses (             -- which dataset an announced run uses, and as what
  start BLOB NOT NULL,
  role VARCHAR NOT NULL,
  dataset BLOB NOT NULL,
  PRIMARY KEY (start, role)
);

CREATE TABLE runs (             -- registered runs
  commitment BLOB PRIMARY KEY,
  start BLOB NOT NULL,
  issuer VARCHAR NOT NULL,
  steps UBIGINT NOT NULL,
  model BLOB,
  ended_at VARCHAR NOT NULL
);

CREATE TABLE proofs (           -- claims that a zero-knowledge proof backs
  commitment BLOB PRIMARY KEY,
  dataset BLOB NOT NULL,
  circuit VARCHAR NOT NULL,
  proof BLOB NOT NULL,
  issuer VARCHAR NOT NULL
);

CREATE TABLE receipts (
  digest BLOB PRIMARY KEY,
  ledger VARCHAR NOT NULL,
  chain VARCHAR NOT NULL,
  height UBIGINT NOT NULL,
  log BLOB NOT NULL,
  sequence UBIGINT NOT NULL
);

CREATE TABLE postings (         -- which attestations a receipt's batch published
  receipt BLOB NOT NULL,
  attestation BLOB NOT NULL,
  PRIMARY KEY (receipt, attestation)
);

-- Where each commitment was published first.
CREATE VIEW published AS
SELECT commitment, min(height) AS height
FROM attestations JOIN postings ON attestation = attestations.digest
  JOIN receipts ON receipts.digest = receipt
GROUP BY commitment;

-- How far each version is from the first one of its line.
CREATE VIEW lines AS
WITH RECURSIVE line (commitment, depth) AS (
  SELECT commitment, 0 FROM versions
  WHERE previous IS NULL OR NOT EXISTS (
    SELECT 1 FROM versions AS earlier WHERE earlier.commitment = versions.previous
  )
  UNION ALL
  SELECT versions.commitment, depth + 1 FROM versions JOIN line ON previous = line.commitment
)
SELECT commitment, depth FROM line;

-- What is looked up, with the columns that registry.py takes, in its order.
CREATE VIEW version_list AS
SELECT commitment, name, version, issuer, root, chunks, records, previous, height, depth
FROM versions JOIN lines USING (commitment) LEFT JOIN published USING (commitment);

CREATE VIEW newest_list AS
SELECT * FROM version_list WHERE NOT EXISTS (
  SELECT 1 FROM versions AS later WHERE later.previous = version_list.commitment
);

CREATE VIEW run_list AS
SELECT starts.commitment AS start, name, starts.issuer, seed_height,
  runs.commitment, steps, model, ended_at, height
FROM starts LEFT JOIN runs ON runs.start = starts.commitment
  LEFT JOIN published ON published.commitment = runs.commitment;

CREATE VIEW proof_list AS
SELECT commitment, dataset, circuit, proof, issuer, height
FROM proofs LEFT JOIN published USING (commitment);

CREATE VIEW posting_list AS
SELECT digest, ledger, chain, height, log, sequence, attestation
FROM receipts JOIN postings ON receipt = digest;
