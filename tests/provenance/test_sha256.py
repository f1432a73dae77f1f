"""SHA-256 of many messages, by each machine of this processor, against hashlib."""

from hashlib import sha256
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.sha256 import many, plain, sha256_many, sha256_rows
from provenance.sha256.constants import ROUNDS, START
from provenance.sha256.machines import Machine

kernels = pytest.importorskip("provenance.sha256.kernels")
from provenance.sha256.kernels import available, hash_messages  # noqa: E402

MACHINES = pytest.mark.parametrize("machine", available(), ids=lambda each: type(each).__name__)
PREFIX = bytes(range(64))
# NIST, examples of FIPS 180-4, and the empty message of the byte-oriented test vectors.
VECTORS = (
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        b"".join(bytes(range(first, first + 8)) for first in b"abcdefghijklmn"),
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
    (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
)


def joined(messages: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    offsets = np.array([0, *accumulate(map(len, messages))], np.int64)
    return np.frombuffer(b"".join(messages), np.uint8), offsets


def expected(messages: list[bytes], prefix: bytes = b"") -> list[bytes]:
    return [sha256(prefix + message).digest() for message in messages]


def digests(rows: NDArray[np.uint8]) -> list[bytes]:
    return [row.tobytes() for row in rows]


def noise(*lengths: int) -> list[bytes]:
    random = np.random.default_rng(1)
    return [random.bytes(length) for length in lengths]


def test_the_constants_are_those_of_the_standard() -> None:
    assert (START[0], START[-1]) == (0x6A09E667, 0x5BE0CD19)
    assert (ROUNDS[0], ROUNDS[-1], len(ROUNDS)) == (0x428A2F98, 0xC67178F2, 64)


@MACHINES
def test_the_published_answers(machine: Machine) -> None:
    found = hash_messages(*joined([message for message, _ in VECTORS]), b"", machine)
    assert [digest.hex() for digest in digests(found)] == [answer for _, answer in VECTORS]


@MACHINES
@pytest.mark.parametrize("prefix", [b"", PREFIX, PREFIX * 3], ids=len)
def test_every_length_around_the_ends_of_blocks(machine: Machine, prefix: bytes) -> None:
    messages = noise(*range(201))
    found = hash_messages(*joined(messages), prefix, machine)
    assert digests(found) == expected(messages, prefix)


@MACHINES
@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(0, 400), max_size=40), blocks=st.integers(0, 2))
def test_ragged_batches(machine: Machine, lengths: list[int], blocks: int) -> None:
    messages = noise(*lengths)
    found = hash_messages(*joined(messages), PREFIX * blocks, machine)
    assert digests(found) == expected(messages, PREFIX * blocks)
    assert found.shape == (len(messages), 32)


@MACHINES
@pytest.mark.parametrize("place", [0, 7, 29])
def test_a_message_far_longer_than_the_others(machine: Machine, place: int) -> None:
    lengths = [50] * 30
    lengths[place] = 1_000_003
    messages = noise(*lengths)
    assert digests(hash_messages(*joined(messages), b"", machine)) == expected(messages)


@MACHINES
def test_messages_in_the_middle_of_longer_data(machine: Machine) -> None:
    data = np.frombuffer(noise(1000)[0], np.uint8)
    offsets = np.array([3, 100, 100, 777, 999], np.int64)
    cuts = [(3, 100), (100, 100), (100, 777), (777, 999)]
    parts = [data[a:b].tobytes() for a, b in cuts]
    assert digests(hash_messages(data, offsets, b"", machine)) == expected(parts)
    assert digests(plain.hash_messages(data, offsets, b"")) == expected(parts)


@MACHINES
def test_arrays_that_may_be_written_to_are_compiled_for_once(machine: Machine) -> None:
    data, offsets = joined(noise(10, 100))
    hash_messages(data, offsets, b"", machine)
    before = len(kernels._hash_messages.signatures)
    hash_messages(data.copy(), offsets.copy(), PREFIX, machine)
    assert len(kernels._hash_messages.signatures) == before
    assert offsets.flags.writeable


@pytest.fixture(params=["hashlib", "kernel", "no numba"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash by hashlib as a short command does, by the kernel at once, or where numba is missing."""
    chooser = {
        "hashlib": many.Chooser(),
        "kernel": many.Chooser(0),
        "no numba": many.Chooser(0, lambda: None),
    }[request.param]
    monkeypatch.setattr(many, "_chooser", chooser)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("prefix", [b"", PREFIX], ids=len)
@pytest.mark.parametrize(
    "lengths", [[], [0], [5], [60] * 50, [1, 10**6, 3], [*range(130)]], ids=len
)
def test_all_ways_give_the_same(prefix: bytes, lengths: list[int]) -> None:
    messages = noise(*lengths)
    found = sha256_many(*joined(messages), prefix)
    assert digests(found) == expected(messages, prefix)
    assert found.dtype == np.uint8
    assert found.shape == (len(messages), 32)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("shape", [(0, 55), (1, 55), (100, 55), (100, 0), (3, 200)])
def test_rows(shape: tuple[int, int]) -> None:
    wide = np.random.default_rng(2).integers(0, 256, (shape[0], shape[1] + 4), np.uint8)
    rows = wide[:, 2:-2]
    assert digests(sha256_rows(rows)) == expected([row.tobytes() for row in rows])


class Loader:
    """Says which calls asked for the kernel."""

    def __init__(self) -> None:
        self.loads = 0

    def __call__(self) -> None:
        self.loads += 1


def test_few_messages_never_load_the_kernel_and_many_small_batches_do() -> None:
    loader = Loader()
    chooser = many.Chooser(100, loader)
    for _ in range(10):
        chooser.choose(10)
    assert loader.loads == 0
    chooser.choose(1)
    assert loader.loads == 1
    many.Chooser(100, loader).choose(101)
    assert loader.loads == 2


def test_long_messages_count_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader()
    monkeypatch.setattr(many, "_chooser", many.Chooser(100, loader))
    sha256_many(*joined([bytes(50 * many.PIECE)] * 2))
    assert loader.loads == 1


@pytest.mark.parametrize(
    ("offsets", "error"),
    [
        ([0, 11], "leave their bytes"),
        ([-1, 10], "leave their bytes"),
        ([0, 6, 5, 10], "descend"),
        ([], "expected offsets"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(offsets: list[int], error: str) -> None:
    with pytest.raises(MalformedError, match=error):
        sha256_many(np.zeros(10, np.uint8), np.array(offsets, np.int64))


def test_what_is_not_bytes_or_not_whole_blocks_is_refused() -> None:
    data: Any = np.zeros(10, np.uint8)
    offsets: Any = np.array([0, 10])
    for wrong in (data.astype(np.int8), data.reshape(2, 5)):
        with pytest.raises(MalformedError, match="bytes in one row"):
            sha256_many(wrong, offsets)
    with pytest.raises(MalformedError, match="expected offsets"):
        sha256_many(data, offsets.astype(np.int32))
    with pytest.raises(MalformedError, match="whole blocks"):
        sha256_many(data, offsets, bytes(63))
    with pytest.raises(MalformedError, match="rows of bytes"):
        sha256_rows(data)
    with pytest.raises(MalformedError, match="bytes in one row"):
        sha256_rows(data.reshape(2, 5).astype(np.int8))
