"""Rootline as a library."""
