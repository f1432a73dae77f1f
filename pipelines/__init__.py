"""Everything joined: the flow, Dagster, the command line."""
