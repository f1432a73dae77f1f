"""Asking a Celestia node over JSON-RPC; what it answers is read strictly and believed nowhere."""
