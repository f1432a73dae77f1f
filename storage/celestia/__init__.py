"""Celestia-shaped blocks: shares, namespaced trees, headers, and the embedded ledger."""
