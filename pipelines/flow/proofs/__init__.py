"""Zero-knowledge proofs about what is registered: made, signed as a claim, and queued."""
