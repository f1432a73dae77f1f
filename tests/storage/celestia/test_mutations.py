"""More than 10,000 changed commitment proofs, namespace data and headers, all refused.

Every member of every piece of evidence is changed in each way that its kind allows: a scalar to its
neighbours, other spellings and other types; an array by an item less, an item twice, two in the
other order; an object by a member less, more, or renamed. Then bits are flipped at random places.
A change that leaves the same value is none and is not counted.
"""

import base64
import binascii
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import shake_256
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.envelope import PublicKey
from provenance.errors import ProvenanceError
from provenance.field import Digest
from storage.celestia import wire
from storage.celestia.answers import normalise_header, normalise_proof
from storage.celestia.commit import ABSENT, FOR_BLOCK, FOR_NONE, Commit, Vote, sign_bytes
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import BlockId
from storage.celestia.namespace_data import NamespaceData, prove_namespace, verify_namespace
from storage.celestia.share import Blob
from storage.celestia.square import availability, lay_out
from storage.celestia.validators import Validator, ValidatorSet
from storage.ledger import MemoryLedger

VECTORS_AT = Path(__file__).parents[2] / "vectors"
DEVNET: dict[str, Any] = json.loads((VECTORS_AT / "celestia_devnet.json").read_text())
RECORDED: dict[str, Any] = json.loads((VECTORS_AT / "celestia_namespace.json").read_text())
HEADERS: list[Any] = [normalise_header(each) for each in DEVNET["headers"]]
Accepts = Callable[[Any], bool]
GONE = object()


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of `value` with another member at `path`; the rest is shared."""
    if not path:
        return new
    copy = value.copy()
    if len(path) == 1 and new is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[name], (*path, name))


def decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if len(text) > 8 else None
    except binascii.Error:
        return None


def numbers(value: int) -> list[int]:
    return [value + 1, value - 1, -value - 1, 2 * value + 1, 0, 1, 511, 512, 2**31, 2**63, 2**70]


def texts(text: str) -> Iterator[Any]:
    yield from ("", text[:-1], text[1:], text * 2, f" {text}", f"{text}=", f"{text}\0", text[::-1])
    yield from (text.lower(), text.upper(), text.swapcase(), f"0{text}", f"+{text}", f"-{text}")
    yield from (None, True, 0, [], {}, [text], {"value": text})
    for place in {0, len(text) // 2, max(0, len(text) - 1)}:
        for other in "0A9/Z":
            yield text[:place] + other + text[place + 1 :]
    if text.isdecimal():
        yield from (int(text), float(text), *map(str, numbers(int(text))))
    data = decoded(text)
    if data is not None:
        for place in {0, 28, 29, 57, len(data) // 2, len(data) - 1}:
            if place < len(data):
                yield flipped(data, 8 * place + place % 8)
        for new in (data[:-1], data + b"\0", bytes(len(data)), data[::-1], data[-8:] + data[:-8]):
            yield base64.b64encode(new).decode()


def flipped(data: bytes, bit: int) -> str:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return base64.b64encode(changed).decode()


def lists(items: list[Any]) -> Iterator[Any]:
    yield from (None, {}, "", 0, [], items[::-1], [*items, None], [items], items * 2)
    for place in range(len(items)):
        before, item, after = items[:place], items[place], items[place + 1 :]
        yield from ([*before, *after], [*before, item, item, *after], [*items, item])
        yield from ([item, *items], [*before, None, *after], [*before, [item], *after])
        if after:
            yield [*before, after[0], item, *after[1:]]


def objects(members: dict[str, Any]) -> Iterator[Any]:
    yield from (None, [], {}, "", 0, {**members, "extra": "0"}, {**members, "": None})
    for name, member in members.items():
        rest = {each: members[each] for each in members if each != name}
        yield from (rest, {**rest, name.upper(): member}, {**rest, f"{name} ": member})


def changes(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return objects(value)
    if isinstance(value, list):
        return lists(value)
    if isinstance(value, str):
        return texts(value)
    if isinstance(value, bool):
        return iter([not value, None, int(value), "true", "", []])
    if isinstance(value, int):
        return chain(numbers(value), iter([None, float(value), f"0{value}", "", [], True]))
    return iter([0, "", {}, [None], False])


def systematic(evidence: Any) -> Iterator[Any]:
    for path, value in places(evidence):
        same = json.dumps(value)
        for new in changes(value):
            if json.dumps(new) != same:
                yield put(evidence, path, new)


HEX = re.compile("([0-9A-F]{2})+")


def random_flips(evidence: Any, count: int, seed: int) -> Iterator[Any]:
    """Yield copies in which one bit of one text's bytes, however they are spelt, is another."""
    source = random.Random(seed)  # noqa: S311  # the same places every time
    scalars = [
        (path, value) for path, value in places(evidence) if isinstance(value, str) and value
    ]
    for _ in range(count):
        path, text = source.choice(scalars)
        data = decoded(text)
        if HEX.fullmatch(text):
            number = bytes.fromhex(text)
            bit = source.randrange(8 * len(number))
            new = base64.b64decode(flipped(number, bit)).hex().upper()
        elif data:
            new = flipped(data, source.randrange(8 * len(data)))
        else:
            place = source.randrange(len(text))
            other = chr(ord(text[place]) ^ 1 << source.randrange(7))
            new = text[:place] + other + text[place + 1 :]
        yield put(evidence, path, new)


def refused(evidence: Any, accepts: Accepts, flips: int) -> int:
    """Return how many changed copies of `evidence` were refused, or fail at one that was not.

    `accepts` returns whether the change made a difference; anything but a ProvenanceError from it
    is a fault.
    """
    assert not accepts(evidence)
    counted = 0
    for changed in chain(systematic(evidence), random_flips(evidence, flips, seed=flips)):
        try:
            assert not accepts(changed), f"made a difference, and was accepted: {changed}"
        except ProvenanceError:
            counted += 1
    return counted


def proof_reader(blob: Blob, data_root: Digest, evidence: Any) -> Accepts:
    def accepts(changed: Any) -> bool:
        verify_commitment_proof(CommitmentProof.from_json(changed), blob, data_root)
        return bool(changed != evidence)

    return accepts


def real_proofs() -> Iterator[tuple[Any, Accepts]]:
    roots = {each["header"]["height"]: each["header"]["data_hash"] for each in HEADERS}
    for case in DEVNET["proofs"]:
        if case["size"] < 2000:
            data = shake_256(case["size"].to_bytes(4, "big")).digest(case["size"])
            data = data if case["data"] is None else base64.b64decode(case["data"])
            blob = Blob(base64.b64decode(case["namespace"]), data)
            evidence = normalise_proof(case["proof"])
            root = Digest.parse(roots[str(case["height"])].lower())
            yield evidence, proof_reader(blob, root, evidence)


SPACES = [bytes(19) + b"rootline0" + bytes([n]) for n in b"1234"]
BLOBS = (
    Blob(SPACES[0], b"one" * 300),
    Blob(SPACES[1], bytes(range(256)) * 7, 1, b"s" * 20),
    Blob(SPACES[1], b"three"),
    Blob(SPACES[3], b"four" * 200),
)
LEDGER = MemoryLedger("mutations-1")
OURS = LEDGER.header(LEDGER.submit(BLOBS))


def own_proof() -> tuple[Any, Accepts]:
    evidence = LEDGER.receipt(2, BLOBS[0]).proof
    root = ExtendedHeader.from_json(OURS).header.data_root
    return evidence, proof_reader(BLOBS[0], root, evidence)


def test_no_changed_commitment_proof_is_accepted() -> None:
    cases = [own_proof(), *real_proofs()]
    assert len(cases) == 7
    assert sum(refused(evidence, accepts, 100) for evidence, accepts in cases) >= 8000


def test_a_reader_that_overlooks_something_is_found_out() -> None:
    """The same changes, with a reader that takes the row's path from elsewhere."""
    evidence, accepts = own_proof()
    path = CommitmentProof.from_json(evidence).rows[0].path

    def blind(changed: Any) -> bool:
        proof = CommitmentProof.from_json(changed)
        rows = tuple(replace(row, path=path) for row in proof.rows)
        accepts(replace(proof, rows=rows).to_json())
        return bool(changed != evidence)

    with pytest.raises(AssertionError, match="made a difference"):
        refused(evidence, blind, 0)


def data_reader(evidence: Any, space: bytes, roots: Any) -> Accepts:
    honest = NamespaceData.from_json(evidence)

    def accepts(changed: Any) -> bool:
        data = NamespaceData.from_json(changed)
        verify_namespace(data, space, roots)
        return data != honest

    return accepts


def namespaces() -> Iterator[tuple[Any, Accepts]]:
    laid = lay_out(BLOBS)
    for space in SPACES[1:]:
        evidence = prove_namespace(laid, space).to_json()
        yield evidence, data_reader(evidence, space, availability(laid))
    real = ExtendedHeader.from_json(HEADERS[20]).availability
    for name in ("present", "absent"):
        evidence = RECORDED[name]["answer"]
        yield evidence, data_reader(evidence, base64.b64decode(RECORDED[name]["namespace"]), real)


def test_no_changed_namespace_data_are_accepted() -> None:
    """A node spells a number as a number or a text; what reads the same is no change."""
    assert sum(refused(evidence, accepts, 100) for evidence, accepts in namespaces()) >= 4000


def reads_header(evidence: Any) -> Accepts:
    def accepts(changed: Any) -> bool:
        ExtendedHeader.from_json(changed).verify()
        return bool(changed != evidence)

    return accepts


def signed_by_five() -> Any:
    """Return our block as a chain of five would sign it: three for it, one for none, one away."""
    one = ExtendedHeader.from_json(OURS)
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)]
    members = [PublicKey(key.public_key().public_bytes_raw()) for key in keys]
    powers = (10, 10, 10, 10, 1)
    validators = ValidatorSet(tuple(map(Validator, members, powers)))
    header = replace(
        one.header,
        validators=validators.hash,
        next_validators=validators.hash,
        proposer=validators.validators[1].address,
    )
    flags = (FOR_BLOCK, FOR_BLOCK, FOR_NONE, FOR_BLOCK)
    unsigned = Commit(2, 3, BlockId(header.hash, 1, Digest(bytes(32))), ())
    votes = []
    for flag, key, each in zip(flags, keys, validators.validators, strict=False):
        vote = Vote(flag, each.address, header.time + 5, bytes(64))
        signature = key.sign(sign_bytes(header.chain, unsigned, vote))
        votes.append(replace(vote, signature=signature))
    away = Vote(ABSENT, b"", wire.parse_time("0001-01-01T00:00:00Z"), b"")
    commit = replace(unsigned, votes=(*votes, away))
    return ExtendedHeader(header, validators, commit, one.availability).to_json()


def test_no_changed_header_is_accepted() -> None:
    cases = [HEADERS[10], OURS, signed_by_five()]
    assert sum(refused(each, reads_header(each), 150) for each in cases) >= 8000


@pytest.mark.slow
def test_no_changed_evidence_of_many_rows_is_accepted() -> None:
    """The same for a proof of 6 rows, a namespace of 5 and a header of a square of 16."""
    blobs = (Blob(SPACES[0], b"before" * 300), Blob(SPACES[1], bytes(range(256)) * 70))
    ledger = MemoryLedger("mutations-2")
    header = ledger.header(ledger.submit(blobs))
    extended = ExtendedHeader.from_json(header)
    proof: Any = ledger.receipt(2, blobs[1]).proof
    data = prove_namespace(lay_out(blobs), SPACES[1]).to_json()
    large = HEADERS[14]
    cases = [
        (proof, proof_reader(blobs[1], extended.header.data_root, proof)),
        (data, data_reader(data, SPACES[1], extended.availability)),
        (large, reads_header(large)),
    ]
    assert sum(refused(evidence, accepts, 2000) for evidence, accepts in cases) >= 15000
