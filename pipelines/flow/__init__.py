"""Edges and core joined: what the library, the command line and the Dagster assets call."""
