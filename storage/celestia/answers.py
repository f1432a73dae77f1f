"""What a Celestia node answers -> evidence in the one spelling that the strict readers take.

A node leaves out zeros, writes integers as numbers or as strings, and row roots in base64 or hex;
it also says things that no hash covers (proposer priorities). All that ends here.

Source: answers recorded from celestia-node v0.31.4; tests/vectors/celestia_devnet.json.
"""

from collections.abc import Mapping, Sequence

from provenance.canonical import Json, JsonObject
from provenance.errors import MalformedError
from storage.celestia.availability import MAX_SQUARE
from storage.celestia.commitment_proof import CommitmentProof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.fields import base
from storage.celestia.nmt import NODE_BYTES
from storage.celestia.validators import MAX_VALIDATORS


def normalise_header(answer: Json) -> JsonObject:
    """Return the extended header in an answer to header.GetByHeight and its like.

    Raises:
        MalformedError: No extended header, or one that the strict reader refuses.
    """
    whole = _object(answer, "extended header")
    header, commit = _object(whole.get("header"), "header"), _object(whole.get("commit"), "commit")
    validators = _list(_object(whole.get("validator_set"), "validator_set"), "validators")
    votes = _list(commit, "signatures")
    evidence: JsonObject = {
        "header": {
            **header,
            "version": _integers(_object(header.get("version"), "version"), "block", "app"),
            "height": _integer(header.get("height")),
            "last_block_id": _block_id(header.get("last_block_id")),
        },
        "validator_set": {"validators": [_validator(each) for each in validators]},
        "commit": {
            **_integers(commit, "height", "round"),
            "block_id": _block_id(commit.get("block_id")),
            "signatures": [_vote(each) for each in votes],
        },
        "dah": whole.get("dah"),
    }
    return ExtendedHeader.from_json(evidence).to_json()


def normalise_proof(answer: Json) -> JsonObject:
    """Return the commitment proof in an answer to blob.GetCommitmentProof.

    Raises:
        MalformedError: No commitment proof, or one that the strict reader refuses.
    """
    whole = _object(answer, "commitment proof")
    rows = _object(whole.get("row_proof"), "row_proof")
    evidence: JsonObject = {
        **_integers(whole, "namespace_version"),
        "subtree_root_proofs": [_range(each) for each in _list(whole, "subtree_root_proofs")],
        "row_proof": {
            **_integers(rows, "start_row", "end_row"),
            "row_roots": [_row_root(each) for each in _list(rows, "row_roots")],
            "proofs": [_path(each) for each in _list(rows, "proofs")],
        },
    }
    return CommitmentProof.from_json(evidence).to_json()


def node_header(header: ExtendedHeader) -> JsonObject:
    """Return `header` as a node reads it: small integers as numbers, large ones as strings.

    Source: celestia-core v0.40.2, libs/json/doc.go.
    """
    evidence = header.to_json()
    commit = _object(evidence["commit"], "commit")
    head = _object(evidence["header"], "header")
    return {
        **evidence,
        "header": {**head, "last_block_id": _node_block_id(head["last_block_id"])},
        "commit": {
            **commit,
            "round": header.commit.round,
            "block_id": _node_block_id(commit["block_id"]),
            "signatures": [
                {**vote.to_json(), "block_id_flag": vote.flag} for vote in header.commit.votes
            ],
        },
    }


def _node_block_id(value: Json) -> JsonObject:
    member = _object(value, "block id")
    parts = _object(member["parts"], "parts")
    return {**member, "parts": {**parts, "total": int(str(parts["total"]))}}


def _range(value: Json) -> JsonObject:
    member = _object(value, "subtree root proof")
    if member.get("leaf_hash"):
        raise MalformedError("subtree root proof: proves an absence, not an inclusion")
    return {
        "start": _integer(member.get("start")),
        "end": _integer(member.get("end")),
        "nodes": _list(member, "nodes"),
        "is_max_namespace_ignored": member.get("is_max_namespace_ignored", False),
    }


def _path(value: Json) -> JsonObject:
    member = _object(value, "row proof")
    return {**_integers(member, "total", "index"), "aunts": _list(member, "aunts")}


def _row_root(value: Json) -> Json:
    if not isinstance(value, str) or len(value) != 2 * NODE_BYTES:
        return value
    try:
        return base(bytes.fromhex(value))
    except ValueError as error:
        raise MalformedError("row_roots: neither base64 nor hex") from error


def _validator(value: Json) -> JsonObject:
    member = _object(value, "validator")
    kept = {name: each for name, each in member.items() if name != "proposer_priority"}
    return _integers(kept, "voting_power")


def _vote(value: Json) -> JsonObject:
    member = _integers(_object(value, "vote"), "block_id_flag")
    return {**member, "signature": member.get("signature") or ""}


def _block_id(value: Json) -> JsonObject:
    member = _object(value, "block id")
    parts = _object(member.get("parts"), "block id.parts")
    return {**member, "parts": _integers(parts, "total")}


def _integers(value: JsonObject, *names: str) -> JsonObject:
    return {**value, **{name: _integer(value.get(name)) for name in names}}


def _integer(value: Json) -> Json:
    """Return a decimal string for a number; what is missing was 0, what is neither stays."""
    if value is None:
        return "0"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    return value


def _object(value: Json, where: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise MalformedError(f"{where}: expected an object")
    return value


def _list(value: JsonObject, name: str) -> Sequence[Json]:
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > max(2 * MAX_SQUARE, MAX_VALIDATORS):
        raise MalformedError(f"{name}: expected an array of a size that a block can have")
    return found
