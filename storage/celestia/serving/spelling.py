"""Evidence -> what a node answers: the same facts, in celestia-node's spelling.

A node leaves out zeros, writes some integers as numbers and some as strings, and adds members that
no hash covers. `storage.celestia.answers` undoes all of it.

Source: answers recorded from celestia-node v0.31.4.
"""

from collections.abc import Mapping, Sequence

from provenance import rfc9162
from provenance.canonical import JsonObject
from provenance.rfc9162 import MerklePath
from storage.celestia.commit import Commit
from storage.celestia.commitment_proof import CommitmentProof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.fields import base, bases, upper
from storage.celestia.header import BlockId
from storage.celestia.share import Blob
from storage.celestia.validators import Validator


def header(extended: ExtendedHeader) -> JsonObject:
    """Return an extended header as header.GetByHeight answers it."""
    head, validators = extended.header, extended.validators.validators
    proposer = next(each for each in validators if each.address == head.proposer)
    return {
        "header": {**head.to_json(), "last_block_id": _block_id(head.previous)},
        "commit": _commit(extended.commit),
        "validator_set": {
            "validators": [_validator(each) for each in validators],
            "proposer": _validator(proposer),
        },
        "dah": extended.availability.to_json(),
    }


def commitment_proof(found: CommitmentProof) -> JsonObject:
    """Return a commitment proof as blob.GetCommitmentProof answers it."""
    first = found.rows[0].path.index
    return {
        "subtree_roots": bases(found.subtree_roots),
        "subtree_root_proofs": [nmt_proof(row.start, row.end, row.nodes) for row in found.rows],
        "namespace_id": base(found.namespace[1:]),
        "row_proof": {
            "row_roots": bases([row.root for row in found.rows]),
            "proofs": [path(row.path, rfc9162.leaf_hash(row.root)) for row in found.rows],
            **without_zeros({"start_row": first, "end_row": first + len(found.rows) - 1}),
        },
        "namespace_version": 0,
    }


def nmt_proof(start: int, end: int, nodes: Sequence[bytes]) -> JsonObject:
    """Return a range proof as a node writes it."""
    return {**bare_proof(start, end, nodes), "is_max_namespace_ignored": True}


def bare_proof(start: int, end: int, nodes: Sequence[bytes]) -> JsonObject:
    """Return a range proof as share.GetRange writes it, in CometBFT's form."""
    return {
        **without_zeros({"start": start, "end": end}),
        **({"nodes": bases(nodes)} if nodes else {}),
    }


def path(found: MerklePath, leaf: bytes) -> JsonObject:
    """Return the path from a row root to the data root."""
    return {
        "total": str(found.count),
        **({"index": str(found.index)} if found.index else {}),
        "leaf_hash": base(leaf),
        **({"aunts": bases(found.siblings)} if found.siblings else {}),
    }


def blob(found: Blob, commitment: bytes, index: int) -> JsonObject:
    """Return a blob as a node writes it; `index` counts in the extended square."""
    return {
        "namespace": base(found.namespace),
        "data": base(found.data),
        "share_version": found.version,
        "commitment": base(commitment),
        **({"signer": base(found.signer)} if found.signer else {}),
        "index": index,
    }


def without_zeros(values: Mapping[str, int]) -> JsonObject:
    """Return the members that are not 0, as Go leaves out what is marked `omitempty`."""
    return {name: value for name, value in values.items() if value}


def _commit(commit: Commit) -> JsonObject:
    return {
        "height": str(commit.height),
        "round": commit.round,
        "block_id": _block_id(commit.block_id),
        "signatures": [{**vote.to_json(), "block_id_flag": vote.flag} for vote in commit.votes],
    }


def _block_id(block: BlockId | None) -> JsonObject:
    if block is None:
        return {"hash": "", "parts": {"total": 0, "hash": ""}}
    parts: JsonObject = {"total": block.total, "hash": upper(block.parts)}
    return {"hash": upper(block.hash), "parts": parts}


def _validator(validator: Validator) -> JsonObject:
    return {**validator.to_json(), "proposer_priority": "0"}
