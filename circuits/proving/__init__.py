"""From a circuit and a witness to a proof: keys, child processes, the prover."""
