"""SHA-256 of many messages at once."""

from provenance.sha256.many import choose, sha256_many, sha256_rows

__all__ = ["choose", "sha256_many", "sha256_rows"]
