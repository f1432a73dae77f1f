-- One row a block, one row a blob. A square is not stored: it follows from its blobs.
CREATE TABLE IF NOT EXISTS block (
  height INTEGER PRIMARY KEY,
  header BLOB NOT NULL -- extended header, canonical JSON
) STRICT;
CREATE TABLE IF NOT EXISTS blob (
  height INTEGER NOT NULL REFERENCES block (height),
  position INTEGER NOT NULL, -- in the submission
  namespace BLOB NOT NULL,
  commitment BLOB NOT NULL,
  version INTEGER NOT NULL,
  signer BLOB NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (height, position)
) STRICT;
CREATE INDEX IF NOT EXISTS blob_by_commitment ON blob (commitment, namespace);
CREATE INDEX IF NOT EXISTS block_by_hash ON block (
  CASE WHEN json_valid(CAST(header AS TEXT))
  THEN CAST(header AS TEXT) ->> '$.commit.block_id.hash' END
);
