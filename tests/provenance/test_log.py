"""An issuer's log: headers, entries, and what is refused."""

import base64
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical, envelope, log, rfc9162
from provenance.errors import MalformedError, SignatureError, VerificationError
from provenance.field import Digest
from provenance.log import Genesis, Header
from tests.provenance.documents import ISSUER, STRANGER, vectors

VECTORS = vectors("log")
GENESIS = Genesis("embedded", "embedded-1", bytes(19) + b"rl-tests-1", ISSUER.public_key)
FIRST = log.open_log(GENESIS, ISSUER)
OTHER = Digest(b"\7" * 32)


@pytest.mark.parametrize("case", VECTORS["headers"], ids=lambda case: case["name"])
def test_header_vectors(case: dict[str, Any]) -> None:
    payload = case["payload"].encode()
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        header = Header.parse(payload)
        assert header.payload == payload
        assert header.digest.hex() == case["digest"]
        assert header.log_id.hex() == case["log"]


@pytest.mark.parametrize("case", VECTORS["entries"], ids=lambda case: case["name"])
def test_entry_vectors(case: dict[str, Any]) -> None:
    blob = bytes.fromhex(case["blob"])
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        entries = log.split_entries(blob)
        assert [entry.hex() for entry in entries] == case["entries"]
        leaves = [rfc9162.leaf_hash(entry) for entry in entries]
        assert rfc9162.root(leaves).hex() == case["root"]
        assert canonical.digest(blob).hex() == case["digest"]


def test_a_log_is_a_chain_from_its_first_header() -> None:
    assert FIRST.header.log_id == FIRST.header.digest
    assert FIRST.entries == b""
    second = log.append(FIRST.header, [log.full_entry(b"one")], None, ISSUER)
    third = log.append(second.header, [], b"statement", ISSUER)
    assert [b.header.sequence for b in (FIRST, second, third)] == [0, 1, 2]
    assert third.header.previous == second.header.digest
    assert third.header.log_id == second.header.log_id == FIRST.header.digest
    assert third.header.statement == b"statement"
    for batch in (FIRST, second, third):
        sealed = log.verify_header(batch.envelope, [ISSUER.public_key])
        assert (sealed.header, sealed.envelope) == (batch.header, batch.envelope)
        assert sealed.key == ISSUER.public_key
        assert Header.parse(batch.header.payload) == batch.header


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.just(None), min_size=1, max_size=8))
def test_entries_come_back_from_their_blob(bodies: list[bytes | None]) -> None:
    entries = [log.digest_entry(b"x") if b is None else log.full_entry(b) for b in bodies]
    batch = log.append(FIRST.header, entries, None, ISSUER)
    assert log.verify_entries(batch.header, batch.entries) == tuple(entries)
    for cut in range(1, len(batch.entries)):
        with pytest.raises(VerificationError, match="another blob"):
            log.verify_entries(batch.header, batch.entries[:-cut])


def test_a_header_whose_parts_contradict_each_other_cannot_be_made() -> None:
    later = log.append(FIRST.header, [log.full_entry(b"one")], None, ISSUER).header
    empty = log.append(FIRST.header, [], None, ISSUER).header
    for header, changes in (
        (FIRST.header, {"sequence": 1}),
        (FIRST.header, {"log": OTHER}),
        (FIRST.header, {"previous": OTHER}),
        (FIRST.header, {"statement": b"x"}),
        (FIRST.header, {"entries": 1, "blob": OTHER}),
        (FIRST.header, {"root": OTHER}),
        (FIRST.header, {"genesis": None}),
        (later, {"sequence": 0}),
        (later, {"log": None}),
        (later, {"previous": None}),
        (later, {"genesis": GENESIS}),
        (later, {"blob": None}),
        (later, {"entries": 0}),
        (empty, {"blob": OTHER}),
        (empty, {"root": OTHER}),
        (empty, {"statement": b""}),
    ):
        with pytest.raises(MalformedError, match="header: "):
            replace(header, **changes)


def test_a_blob_that_is_not_its_headers_is_refused() -> None:
    entries = [log.full_entry(b"one"), log.full_entry(b"two")]
    batch = log.append(FIRST.header, entries, None, ISSUER)
    with pytest.raises(VerificationError, match="another blob of entries"):
        log.verify_entries(batch.header, batch.entries + entries[0])
    with pytest.raises(VerificationError, match="2 entries, not 3"):
        log.verify_entries(replace(batch.header, entries=3), batch.entries)
    with pytest.raises(VerificationError, match="do not give the header's root"):
        log.verify_entries(replace(batch.header, root=OTHER), batch.entries)


def test_too_many_or_too_long_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = log.full_entry(b"one") + log.full_entry(b"two")
    monkeypatch.setattr(log, "MAX_ENTRY", 2)
    with pytest.raises(MalformedError, match="cut short or too long"):
        log.split_entries(blob)
    monkeypatch.setattr(log, "MAX_ENTRY", 3)
    monkeypatch.setattr(log, "MAX_ENTRIES", 1)
    with pytest.raises(MalformedError, match="more than 1"):
        log.split_entries(blob)


def test_a_header_by_somebody_else_is_refused() -> None:
    with pytest.raises(SignatureError, match="not trusted here"):
        log.verify_header(FIRST.envelope, [STRANGER.public_key])
    stolen = log.open_log(GENESIS, STRANGER)
    with pytest.raises(SignatureError, match="not signed by the key that it names"):
        log.verify_header(stolen.envelope, [ISSUER.public_key, STRANGER.public_key])


def test_another_documents_signature_is_no_headers() -> None:
    sealed = envelope.seal("application/json", FIRST.header.payload, ISSUER).encoded
    with pytest.raises(MalformedError, match=r"expected a application/vnd\.rootline\.header"):
        log.verify_header(sealed, [ISSUER.public_key])


@pytest.mark.parametrize("text", ["*", "YQ", "YR==", "YQ==\n", ""])
def test_a_statement_that_is_not_strict_base64_is_refused(text: str) -> None:
    header = log.append(FIRST.header, [], b"a", ISSUER).header
    told = header.payload.replace(base64.b64encode(b"a"), text.encode().replace(b"\n", b"\\n"))
    with pytest.raises(MalformedError):
        Header.parse(told)


def test_the_key_that_an_envelope_names_is_read_without_decoding_it() -> None:
    data = log.open_log(GENESIS, ISSUER).envelope
    assert log.key_named(data) == ISSUER.public_key.key_id
    assert log.key_named(b"\xff" * 100 + data) == ISSUER.public_key.key_id  # a hint, no more
    for other in (b"", data[:-1], data + b"\n", data.replace(b"header.v1", b"header.v2")):
        assert log.key_named(other) is None
