"""Headers of a real node and of Celestia's own tests; every field is under the hash."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import MalformedError
from storage.celestia.answers import normalise_header
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import Header

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
HEADERS = [ExtendedHeader.from_json(normalise_header(each)) for each in DEVNET["headers"]]
PLAIN: dict[str, Any] = dict(HEADERS[5].header.to_json())


def test_recorded_headers_link_by_hash() -> None:
    assert len(HEADERS) == 21
    for below, above in pairwise(HEADERS):
        assert above.header.height == below.header.height + 1
        assert above.header.previous == below.commit.block_id
        assert below.header.hash == below.commit.block_id.hash
        assert above.header.last_commit == below.commit.hash
        assert above.header.validators == below.header.next_validators


@pytest.mark.parametrize("height", [1, 27])
def test_the_third_partys_headers_have_their_hash(height: int) -> None:
    file = ROOT.parent / f"shared/vectors/celestia/headers/extended_header_block_{height}.json"
    if not file.exists():
        pytest.skip("third parties' vectors are not here")
    extended = ExtendedHeader.from_json(normalise_header(json.loads(file.read_text())))
    assert extended.header.hash == extended.commit.block_id.hash
    extended.verify()


def test_a_header_is_written_as_it_was_read() -> None:
    assert Header.from_json(PLAIN).to_json() == PLAIN


def test_a_header_says_what_its_block_says() -> None:
    block = HEADERS[5].header.block
    assert (block.chain, block.height) == ("private", 209)
    assert block.hash.hex().upper() == DEVNET["headers"][5]["commit"]["block_id"]["hash"]
    assert block.previous == HEADERS[4].header.hash
    assert block.time % 10**9 != 0


def flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def changed(**members: Any) -> dict[str, Any]:
    return {**PLAIN, **members}


CHANGES: dict[str, dict[str, Any]] = {
    **{name: changed(**{name: flip(PLAIN[name])}) for name in PLAIN if name.endswith("_hash")},
    "chain_id": changed(chain_id="privatf"),
    "height": changed(height="210"),
    "time": changed(time=PLAIN["time"].replace("2026", "2027")),
    "last_block_id": changed(
        last_block_id={**PLAIN["last_block_id"], "hash": flip(PLAIN["last_block_id"]["hash"])}
    ),
    "parts": changed(
        last_block_id={**PLAIN["last_block_id"], "parts": {"total": "2", "hash": "0" * 64}}
    ),
    "app": changed(version={"block": "11", "app": "10"}),
    "proposer": changed(proposer_address=flip(PLAIN["proposer_address"])),
    "empty app hash": changed(app_hash=""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_field_changes_the_hash(name: str) -> None:
    assert Header.from_json(CHANGES[name]).hash != HEADERS[5].header.hash


NO_BLOCK = {"hash": "", "parts": {"total": "0", "hash": ""}}
MISFITS: dict[str, Any] = {
    "no object": [],
    "another block protocol": changed(version={"block": "10", "app": "9"}),
    "a surplus member of the version": changed(version={**PLAIN["version"], "x": "1"}),
    "an app version beyond 64 bits": changed(version={"block": "11", "app": "9" * 19}),
    "height 0": changed(height="0"),
    "a height that is a number": changed(height=209),
    "an empty chain id": changed(chain_id=""),
    "a chain id of 51 characters": changed(chain_id="c" * 51),
    "a chain id with a line break": changed(chain_id="private\n"),
    "a chain id that is not ASCII": changed(chain_id="privaté"),
    "a lower-case hash": changed(data_hash=PLAIN["data_hash"].lower()),
    "no data hash": changed(data_hash=""),
    "no previous block above block 1": changed(last_block_id=NO_BLOCK),
    "a previous block below block 1": changed(height="1"),
    "half a block id": changed(
        last_block_id={**PLAIN["last_block_id"], "parts": NO_BLOCK["parts"]}
    ),
    "a block id without hash": changed(last_block_id={**PLAIN["last_block_id"], "hash": ""}),
    "an unknown member": changed(extra="1"),
    "a missing member": {k: v for k, v in PLAIN.items() if k != "time"},
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_is_no_header_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        Header.from_json(MISFITS[name])


def test_block_1_has_no_previous_block() -> None:
    header = Header.from_json(changed(height="1", last_block_id=NO_BLOCK))
    assert header.block.previous is None
    assert header.to_json() == changed(height="1", last_block_id=NO_BLOCK)
