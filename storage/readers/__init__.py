"""Files, archives and objects of a store -> batches of records in a fixed order."""
