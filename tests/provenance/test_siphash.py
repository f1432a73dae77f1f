import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.siphash import siphash_many

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/chunk.json").read_text()
)["siphash"]
MASK = 2**64 - 1


def slow_siphash(key: bytes, message: bytes) -> int:
    """SipHash-2-4 as its paper writes it, one word at a time, for messages of any length."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]

    def turn(word: int, bits: int) -> int:
        return (word << bits | word >> 64 - bits) & MASK

    def sip_round() -> None:
        v[0] = (v[0] + v[1]) & MASK
        v[2] = (v[2] + v[3]) & MASK
        v[1] = turn(v[1], 13) ^ v[0]
        v[3] = turn(v[3], 16) ^ v[2]
        v[0] = turn(v[0], 32)
        v[2] = (v[2] + v[1]) & MASK
        v[0] = (v[0] + v[3]) & MASK
        v[1] = turn(v[1], 17) ^ v[2]
        v[3] = turn(v[3], 21) ^ v[0]
        v[2] = turn(v[2], 32)

    whole = len(message) // 8 * 8
    last = message[whole:].ljust(7, b"\0") + bytes([len(message) % 256])
    for start in range(0, whole + 8, 8):
        word = int.from_bytes((message[:whole] + last)[start : start + 8], "little")
        v[3] ^= word
        sip_round()
        sip_round()
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        sip_round()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['length']} bytes")
def test_the_slow_reference_gives_the_published_answers(case: dict[str, Any]) -> None:
    answer = slow_siphash(bytes.fromhex(VECTORS["key"]), bytes(range(case["length"])))
    assert answer.to_bytes(8, "little").hex() == case["hash"]


def test_the_fast_hash_gives_the_published_answer_for_32_bytes() -> None:
    (expected,) = (case["hash"] for case in VECTORS["cases"] if case["length"] == 32)
    message = np.arange(32, dtype=np.uint8).reshape(1, 32)
    hashes = siphash_many(bytes.fromhex(VECTORS["key"]), message)
    assert hashes.astype("<u8").tobytes().hex() == expected


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=16, max_size=16), st.lists(st.binary(min_size=32, max_size=32)))
def test_fast_and_slow_hashes_agree(key: bytes, messages: list[bytes]) -> None:
    rows = np.frombuffer(b"".join(messages), np.uint8).reshape(-1, 32)
    assert siphash_many(key, rows).tolist() == [slow_siphash(key, each) for each in messages]


def test_messages_beyond_one_block_are_hashed_alike() -> None:
    rows = np.arange(5000, dtype="<u8").repeat(4).view(np.uint8).reshape(-1, 32)
    hashes = siphash_many(bytes(16), rows)
    assert int(hashes[4999]) == slow_siphash(bytes(16), rows[4999].tobytes())
    assert int(hashes[0]) == slow_siphash(bytes(16), bytes(32))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(MalformedError, match="16 bytes"):
        siphash_many(bytes(size), np.zeros((1, 32), np.uint8))


def test_messages_of_another_shape_are_refused() -> None:
    for wrong in (np.zeros((1, 31), np.uint8), np.zeros(32, np.uint8)):
        with pytest.raises(MalformedError, match="rows of 32 bytes"):
            siphash_many(bytes(16), wrong)
