"""From a node's answers to evidence: what may vary, and what is refused all the same."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from provenance.canonical import Json
from provenance.errors import MalformedError
from storage.celestia.answers import node_header, normalise_header, normalise_proof
from storage.celestia.extended import ExtendedHeader

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
HEADER: Any = DEVNET["headers"][10]
PROOF: Any = DEVNET["proofs"][3]["proof"]


def edited(value: Any, path: str, new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        inner = inner[step]
    inner[last] = new
    if new is None:
        del inner[last]
    return copy


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("header.height", 214),
        ("header.version.block", 11),
        ("commit.height", 214),
        ("commit.round", "0"),
        ("commit.round", None),
        ("commit.block_id.parts.total", "1"),
        ("commit.signatures.0.block_id_flag", "2"),
        ("validator_set.proposer", None),
        ("validator_set.validators.0.proposer_priority", "17"),
        ("validator_set.validators.0.voting_power", 500000000),
    ],
)
def test_a_header_is_the_same_in_another_spelling(path: str, new: Json) -> None:
    assert normalise_header(edited(HEADER, path, new)) == normalise_header(HEADER)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("namespace_version", None),
        ("namespace_version", "0"),
        ("row_proof.start_row", 0),
        ("row_proof.end_row", "1"),
        ("row_proof.proofs.1.index", 1),
        ("row_proof.proofs.0.total", 8),
        ("subtree_root_proofs.0.start", "1"),
        ("subtree_root_proofs.1.start", 0),
        ("subtree_root_proofs.1.leaf_hash", ""),
    ],
)
def test_a_proof_is_the_same_in_another_spelling(path: str, new: Json) -> None:
    assert normalise_proof(edited(PROOF, path, new)) == normalise_proof(PROOF)


def test_row_roots_may_be_hex() -> None:
    roots = PROOF["row_proof"]["row_roots"]
    written = [base64.b64decode(each).hex().upper() for each in roots]
    assert normalise_proof(edited(PROOF, "row_proof.row_roots", written)) == normalise_proof(PROOF)


def test_absent_votes_may_have_a_null_signature() -> None:
    vote = {"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z"}
    found: Any = normalise_header(
        edited(HEADER, "commit.signatures", [{**vote, "signature": None}])
    )
    assert found["commit"]["signatures"] == [{**vote, "block_id_flag": "1", "signature": ""}]


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("header", None),
        ("header", []),
        ("header.height", True),
        ("header.height", 1.5),
        ("header.height", 2**63),
        ("header.last_block_id", None),
        ("header.unknown", "x"),
        ("validator_set.validators", {}),
        ("validator_set.validators", [{}] * 1025),
        ("validator_set.validators", None),
        ("validator_set.validators.0.unknown", 1),
        ("commit.signatures", "x"),
        ("commit.signatures.0", 1),
        ("commit.unknown", 1),
        ("dah", None),
    ],
)
def test_what_is_no_header_is_refused(path: str, new: Json) -> None:
    with pytest.raises(MalformedError):
        normalise_header(edited(HEADER, path, new))


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("row_proof", None),
        ("row_proof.row_roots", None),
        ("row_proof.row_roots", ["Z" * 180, "Z" * 180]),
        ("row_proof.row_roots", [1, 2]),
        ("row_proof.unknown", 1),
        ("subtree_root_proofs.0.leaf_hash", "AAAA"),
        ("subtree_root_proofs.0.is_max_namespace_ignored", None),
        ("subtree_root_proofs.0.is_max_namespace_ignored", False),
        ("namespace_version", 1),
        ("unknown", 1),
    ],
)
def test_what_is_no_proof_is_refused(path: str, new: Json) -> None:
    with pytest.raises(MalformedError):
        normalise_proof(edited(PROOF, path, new))


@pytest.mark.parametrize("answer", [None, [], "x", 1])
def test_what_is_no_object_is_refused(answer: Json) -> None:
    with pytest.raises(MalformedError):
        normalise_header(answer)
    with pytest.raises(MalformedError):
        normalise_proof(answer)


@pytest.mark.parametrize("answer", DEVNET["headers"], ids=lambda each: each["header"]["height"])
def test_a_header_goes_back_to_a_node_as_it_came(answer: Any) -> None:
    """All but what no hash covers: the proposer and the validators' priorities."""
    kept = edited(edited(answer, "validator_set.proposer", None), "commit", answer["commit"])
    for validator in kept["validator_set"]["validators"]:
        del validator["proposer_priority"]
    assert node_header(ExtendedHeader.from_json(normalise_header(answer))) == kept
