"""The embedded ledger as a node: celestia-node's JSON-RPC, answered from one SQLite file."""
