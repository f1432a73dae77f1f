"""Bytes that stay: datasets, versions, keys, node files, ledgers, the registry."""
