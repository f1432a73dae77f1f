"""What is proved in zero knowledge, and the prover."""
