"""Asking a Celestia node over JSON-RPC: what is sent, what is read, and what went wrong."""
