-- One row a block that was verified. Validator sets seldom change and stand once.
CREATE TABLE IF NOT EXISTS validators (
  hash BLOB PRIMARY KEY,
  data BLOB NOT NULL -- canonical JSON, zlib
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS header (
  chain TEXT NOT NULL,
  height INTEGER NOT NULL,
  hash BLOB NOT NULL,
  validators BLOB NOT NULL REFERENCES validators (hash),
  plain BLOB NOT NULL, -- block header, canonical JSON
  rest BLOB NOT NULL, -- commit and roots, canonical JSON, zlib
  PRIMARY KEY (chain, height)
) STRICT;
CREATE TABLE IF NOT EXISTS dispute (
  chain TEXT NOT NULL,
  height INTEGER NOT NULL, -- from here on nothing is believed until somebody decides
  hash BLOB NOT NULL,
  data BLOB NOT NULL, -- whole extended header, canonical JSON, zlib
  decided INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (chain, height, hash)
) STRICT;
