"""Poseidon over BN254: circomlib's family for trees, and ezkl's sponge, never to be mixed.

One hash at a time in pure Python, or many on arrays of words, as fast as the machine allows.
"""

from provenance.poseidon.hashes import ezkl_sponge, poseidon
from provenance.poseidon.many import (
    backend,
    ezkl_sponge_many,
    poseidon_checked,
    poseidon_many,
)
from provenance.poseidon.words import from_words, to_words, words_from_bytes, words_to_bytes

__all__ = [
    "backend",
    "ezkl_sponge",
    "ezkl_sponge_many",
    "from_words",
    "poseidon",
    "poseidon_checked",
    "poseidon_many",
    "to_words",
    "words_from_bytes",
    "words_to_bytes",
]
