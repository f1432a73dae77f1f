"""The public values that a verifier expects of a proof, computed from what it already trusts."""
