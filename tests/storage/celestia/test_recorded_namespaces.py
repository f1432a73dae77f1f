"""Four validators' headers, namespaces, pruned blocks and refusals, as a real node told of them.

Recorded by tests/devnet/record.py.
"""

import base64
import json
from hashlib import shake_256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from provenance.errors import MalformedError, VerificationError
from storage.celestia.answers import normalise_header, normalise_proof
from storage.celestia.client import calls
from storage.celestia.client.codec import decode_reply
from storage.celestia.client.errors import NodeError
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import NamespaceData, NamespaceRow, is_absent, verify_namespace
from storage.celestia.share import Blob, share_commitment, split

ROOT: Final = Path(__file__).parents[3]
RECORDED: Final[dict[str, Any]] = json.loads(
    (ROOT / "tests/vectors/celestia_devnet.json").read_text()
)
CASES: Final[dict[str, Any]] = {case["name"]: case for case in RECORDED["namespaces"]}
HEADERS: Final = [
    ExtendedHeader.from_json(normalise_header(each)) for each in RECORDED["validators"]
]

# What each of the recorded refusals is, and whether it surely did nothing.
KINDS: Final = [
    ("gas", True),
    ("gas", True),
    ("gas", True),
    *[("other", True)] * 6,
    *[("not-found", True)] * 2,
    ("future", True),
    ("other", False),
    ("future", True),
    ("not-found", True),
    ("future", True),
    ("other", False),
    *[("other", True)] * 2,
]


def namespace_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["namespace"])


def blob_of(told: dict[str, Any]) -> Blob:
    size = told["size"]
    return Blob(
        base64.b64decode(told["namespace"]),
        shake_256(size.to_bytes(4, "big")).digest(size),
        told["share_version"],
        base64.b64decode(told.get("signer", "")),
    )


def own_blobs(case: dict[str, Any]) -> list[Blob]:
    """Return what was posted under the namespace that was asked for, in order."""
    return [blob_of(each) for each in case["blobs"] if each["namespace"] == case["namespace"]]


def header_of(case: dict[str, Any]) -> ExtendedHeader:
    header = ExtendedHeader.from_json(normalise_header(case["header"]))
    header.verify()
    return header


def test_four_validators_headers_verify_and_link() -> None:
    for header in HEADERS:
        header.verify()
        assert len(header.block.power) == 4
    for below, above in pairwise(HEADERS):
        assert above.block.previous == below.block.hash
        assert above.block.validators == below.block.next_validators


def test_the_recording_has_absent_votes_and_later_rounds() -> None:
    assert {2, 3} <= {len(header.block.signers) for header in HEADERS}
    assert {each["commit"].get("round", 0) for each in RECORDED["validators"]} >= {0, 1}


def test_a_vote_less_than_enough_is_refused() -> None:
    """Seven of ten carry a block; the same votes without one validator's do not."""
    refused = 0
    for told in RECORDED["validators"]:
        votes = [vote["block_id_flag"] for vote in told["commit"]["signatures"]]
        if votes != [2, 2, 1, 1]:
            continue
        fewer = json.loads(json.dumps(told))
        fewer["commit"]["signatures"][1] = told["commit"]["signatures"][3]
        header = ExtendedHeader.from_json(normalise_header(fewer))
        with pytest.raises(VerificationError):
            header.verify()
        refused += 1
    assert refused


def test_a_range_is_the_headers_between() -> None:
    recorded = RECORDED["range"]
    first = ExtendedHeader.from_json(normalise_header(recorded["from"]))
    headers = calls.header_get_range_by_height(first, recorded["to"]).read(recorded["answer"])
    assert [each.header.height for each in headers] == [5, 6, 7]
    for below, above in pairwise((first, *headers)):
        assert above.block.previous == below.block.hash


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_namespace_holds_what_was_posted_and_nothing_else(case: dict[str, Any]) -> None:
    availability, namespace = header_of(case).availability, namespace_of(case)
    data = NamespaceData.from_json(case["namespace_data"])
    placed = verify_namespace(data, namespace, availability)
    assert [each.blob for each in placed] == own_blobs(case)
    size = availability.size
    told = [each["index"] for each in case["get_all"]]
    assert told == [each.start // size * 2 * size + each.start % size for each in placed]
    commitments = [base64.b64decode(each["commitment"]) for each in case["get_all"]]
    assert commitments == [share_commitment(each.blob) for each in placed]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_namespace_with_a_row_less_or_a_row_emptied_is_refused(case: dict[str, Any]) -> None:
    availability, namespace = header_of(case).availability, namespace_of(case)
    rows = NamespaceData.from_json(case["namespace_data"]).rows
    for place in range(len(rows)):
        fewer = NamespaceData(rows[:place] + rows[place + 1 :])
        with pytest.raises(VerificationError):
            verify_namespace(fewer, namespace, availability)
    for stranger in CASES.values():
        others = NamespaceData.from_json(stranger["namespace_data"]).rows
        if stranger is case or others == rows:
            continue
        with pytest.raises((VerificationError, MalformedError)):
            verify_namespace(NamespaceData(others), namespace, availability)


@pytest.mark.parametrize("name", ["absent from a row that covers it", "absent from all rows"])
def test_absence_is_proved_by_a_leaf_or_by_the_roots_alone(name: str) -> None:
    case = CASES[name]
    namespace, availability = namespace_of(case), header_of(case).availability
    rows: tuple[NamespaceRow, ...] = NamespaceData.from_json(case["namespace_data"]).rows
    assert is_absent(namespace, availability) == (name == "absent from all rows") == (not rows)
    assert all(row.proof.leaf and not row.shares for row in rows)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_blobs_commitment_proof_leads_to_the_data_root(case: dict[str, Any]) -> None:
    root = header_of(case).block.data_root
    blobs = own_blobs(case)
    for blob, told in zip(blobs, case["commitment_proof"], strict=True):
        proof = CommitmentProof.from_json(normalise_proof(told))
        verify_commitment_proof(proof, blob, root)
        for other in blobs:
            if other != blob:
                with pytest.raises(VerificationError):
                    verify_commitment_proof(proof, other, root)


def test_a_nodes_own_proof_reads() -> None:
    for case in CASES.values():
        for told, blob in zip(case["get_proof"], own_blobs(case), strict=True):
            place = (1, blob.namespace, share_commitment(blob))
            assert calls.blob_get_proof(*place).read(told)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_range_of_shares_is_the_first_blobs(case: dict[str, Any]) -> None:
    told, blobs = case["get_range"], own_blobs(case)
    if not blobs:
        assert told is None
        return
    found = calls.share_get_range(1, told["start"], told["end"]).read(told["answer"])
    assert found.shares == split(blobs[0])


@pytest.mark.parametrize("place", range(len(RECORDED["pruned"])))
def test_a_pruned_block_is_said_to_be_pruned(place: int) -> None:
    told = RECORDED["pruned"][place]
    # Who waits for a header, or asks by hash or from one, only hears that there is none.
    quiet = {"header.GetByHash", "header.WaitForHeight", "header.GetRangeByHeight"}
    with pytest.raises(NodeError) as gone:
        decode_reply(1, told["status"], json.dumps(told["body"]).encode())
    assert gone.value.kind == ("not-found" if told["method"] in quiet else "pruned")


@pytest.mark.parametrize("place", range(len(RECORDED["refused"])))
def test_a_refusal_has_its_kind_and_did_nothing(place: int) -> None:
    told = RECORDED["refused"][place]
    with pytest.raises(NodeError) as refused:
        decode_reply(1, told["status"], json.dumps(told["body"]).encode())
    assert (refused.value.kind, refused.value.is_refusal) == KINDS[place]
