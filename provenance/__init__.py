"""Commit to data and training, attest, and audit: values in, values out, no I/O."""
