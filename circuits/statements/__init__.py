"""Circuits: what is proved, each with its statement, its witness and a twin in plain Python."""
