"""Certificates in a folder: put, then read back, each file whole and for one blob."""

from dataclasses import replace
from pathlib import Path

import pytest

from provenance import canonical
from provenance.certificate import Certificate
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from storage.eigenda.copies import Copies, Place

LOG = Digest(b"l" * 32)
MADE = Certificate(
    layer="eigenda",
    network="sepolia_testnet",
    log=LOG,
    sequence=4,
    part="entries",
    size=4,
    digest=canonical.digest(b"blob"),
    locator=b"\2\xf9",
    put_at=1_795_449_600,
)
PLACE = Place.of(MADE)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    made = Copies.within(tmp_path)
    with made.locked():
        pass
    return made


def test_a_certificate_is_pending_until_it_was_read_back(copies: Copies) -> None:
    assert (copies.pending(PLACE), copies.has(PLACE)) == (None, False)
    copies.store(MADE)
    assert (copies.pending(PLACE), copies.has(PLACE)) == (MADE, False)
    assert list(copies.of(LOG)) == []
    copies.confirm(MADE)
    assert (copies.pending(PLACE), copies.has(PLACE)) == (None, True)
    assert list(copies.of(LOG)) == [MADE]


def test_the_first_certificate_stays(copies: Copies) -> None:
    later = replace(MADE, locator=b"\3", put_at=MADE.put_at + 1)
    copies.store(MADE)
    copies.store(later)
    assert copies.pending(PLACE) == MADE
    copies.confirm(MADE)
    copies.confirm(later)
    assert list(copies.of(LOG)) == [MADE]


def test_what_cannot_be_read_back_is_forgotten_and_what_was_stays(copies: Copies) -> None:
    copies.store(MADE)
    copies.forget(PLACE)
    assert copies.pending(PLACE) is None
    copies.forget(PLACE)
    copies.confirm(MADE)
    copies.forget(PLACE)
    assert copies.has(PLACE)


def test_parts_batches_networks_and_logs_do_not_mix(copies: Copies) -> None:
    others = [
        replace(MADE, part="header"),
        replace(MADE, sequence=10),
        replace(MADE, network="mainnet"),
    ]
    foreign = replace(MADE, log=Digest(b"m" * 32))
    for each in (*others, MADE, foreign):
        copies.confirm(each)
    assert list(copies.of(LOG)) == [others[2], MADE, others[0], others[1]]
    assert list(copies.of(foreign.log)) == [foreign]
    assert list(copies.of(Digest(b"n" * 32))) == []


def test_a_home_without_certificates_has_none(tmp_path: Path) -> None:
    assert list(Copies.within(tmp_path).of(LOG)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"{}", MADE.encoded[:-1], MADE.encoded + b"\n"])
def test_a_damaged_file_is_named(copies: Copies, data: bytes) -> None:
    copies.confirm(MADE)
    [path] = copies.folder.rglob("*.json")
    path.write_bytes(data)
    with pytest.raises(MalformedError, match=r"00000004\.entries\.json: .*copy again"):
        list(copies.of(LOG))


@pytest.mark.parametrize(
    "other",
    [
        replace(MADE, sequence=5),
        replace(MADE, part="header"),
        replace(MADE, network="mainnet"),
        replace(MADE, log=Digest(b"m" * 32)),
    ],
)
def test_a_certificate_for_another_blob_is_not_taken(copies: Copies, other: Certificate) -> None:
    copies.confirm(MADE)
    [path] = copies.folder.rglob("*.json")
    path.write_bytes(other.encoded)
    with pytest.raises(MalformedError, match="for another blob than its name says"):
        list(copies.of(LOG))
    path.rename(path.with_suffix(".put"))
    with pytest.raises(MalformedError, match="for another blob than its name says"):
        copies.pending(PLACE)


def test_what_is_no_certificate_is_not_listed(copies: Copies) -> None:
    copies.confirm(MADE)
    [path] = copies.folder.rglob("*.json")
    (path.parent / "notes.json").write_text("{}")
    (path.parent / ".0000.tmp").write_text("left by a killed process")
    assert list(copies.of(LOG)) == [MADE]


def test_one_process_copies_at_a_time(copies: Copies) -> None:
    with (
        copies.locked(),
        pytest.raises(UnavailableError, match="is locked by process"),
        copies.locked(wait=0),
    ):
        pass
