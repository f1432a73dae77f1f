"""Make proof.json, membership.json and exclusion_circuit.json in tests/vectors anew.

    python -m tests.circuits.record HOME


Needed when a circuit changes; HOME is any folder, for keys and a local INSECURE SRS.
"""

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from circuits.proving.artifacts import verifier_artifacts
from circuits.proving.membership import prove_membership
from circuits.statements.exclusion_witness import exclusion_values
from circuits.statements.membership import membership_values
from provenance.exclusion import ExclusionIndex, ExclusionKey, prove_absence
from provenance.expected.exclusion import EXCLUSION, exclusion_public
from provenance.expected.membership import MEMBERSHIP
from provenance.field import ORDER, FieldElement
from tests.circuits.absences import ASKED, Absence, absence, absence_forgeries, sharing
from tests.circuits.forgeries import Forgery, forgeries
from tests.circuits.sample import CONTEXT, INDEX_BLIND, LEAF_BLIND, Witness, sample

VECTORS = Path(__file__).parents[1] / "vectors"
SOURCE = "this project's own format and recording; tests/circuits/record.py"


def main(home: Path) -> None:
    """Prove the sample and write both files."""
    _write("proof", _proof(home))
    _write("membership", _membership())
    _write("exclusion_circuit", _exclusion())


def _proof(home: Path) -> dict[str, Any]:
    found = sample()
    proof = prove_membership(
        found.inclusion,
        found.leaf,
        found.root,
        LEAF_BLIND,
        INDEX_BLIND,
        CONTEXT,
        chunk_count=found.chunks,
        home=home,
    )
    artifacts = verifier_artifacts(proof, home)
    return {
        "source": f"{SOURCE}; ezkl 23.0.5 under an INSECURE SRS",
        "page": "docs/spec/proof.md",
        "document": json.loads(proof.encoded),
        "artifacts": {digest.hex(): b64encode(data).decode() for digest, data in artifacts.items()},
        "expected": {
            "circuit": found.name,
            "root": found.root.hex,
            "chunk_count": found.chunks,
            "blinded_leaf": found.public[-4].hex,
            "blinded_index": found.public[-3].hex,
            "context": CONTEXT.hex,
        },
    }


def _membership() -> dict[str, Any]:
    honest = [sample(name, chunks=1 if name == "membership-14.v2" else 3) for name in MEMBERSHIP]
    forged = [f for f in forgeries(sample()) if f.witness["one"] == (1,)]
    chosen = {f.name.partition(" ")[0]: f for f in forged}
    return {
        "source": SOURCE,
        "page": "docs/spec/circuits/membership.md",
        "honest": [
            {
                "circuit": each.name,
                "leaf": each.leaf.hex,
                "root": each.root.hex,
                "chunk_count": each.chunks,
                "inclusion": each.inclusion.to_json(),
                "leaf_blind": LEAF_BLIND.hex,
                "index_blind": INDEX_BLIND.hex,
                "context": CONTEXT.hex,
                "public": [value.hex for value in each.public],
            }
            for each in honest
        ],
        "forged": [
            {
                "circuit": "membership-22.v2",
                "name": each.name,
                "witness": _hexed(each.witness),
                "public": [value.hex for value in membership_values(each.witness)],
                "betrayed_by": sorted(each.betrayed_by),
            }
            for each in chosen.values()
        ],
    }


def _exclusion() -> dict[str, Any]:
    found = absence(40)
    asked = [ASKED, sharing(8), sharing(9), ASKED]
    chosen = {f.name.partition(":")[0]: f for f in absence_forgeries(40)}
    return {
        "source": SOURCE,
        "page": "docs/spec/circuits/exclusion.md",
        "honest": [_absences(name, found.index, asked[: EXCLUSION[name][1]]) for name in EXCLUSION],
        "witness": _hexed(found.witness),
        "forged": [_forged(found, each) for kind, each in chosen.items() if kind != "one"],
    }


def _forged(found: Absence, each: Forgery) -> dict[str, Any]:
    """Return a forgery as what differs: from the witness, and from what it claims."""
    changed = {name: row for name, row in each.witness.items() if row != found.witness[name]}
    reached = exclusion_values(each.witness)
    return {
        "name": each.name,
        "changed": _hexed(changed),
        "claimed": {"root": each.claimed[0].hex, "key": each.claimed[1].hex},
        "context": each.claimed[-2].hex,
        "reached": {str(number): reached[number].hex for number in sorted(each.betrayed_by)},
    }


def _absences(name: str, index: ExclusionIndex, asked: list[ExclusionKey]) -> dict[str, Any]:
    numbers = [key.number for key in asked]
    return {
        "circuit": name,
        "root": index.root.hex,
        "keys": [key.hex() for key in asked],
        "absences": [prove_absence(index, key).to_json() for key in asked],
        "context": CONTEXT.hex,
        "public": [value.hex for value in exclusion_public(name, index.root, numbers, CONTEXT)],
    }


def _hexed(witness: Witness) -> dict[str, list[str]]:
    return {name: [FieldElement(v % ORDER).hex for v in row] for name, row in witness.items()}


def _write(name: str, content: dict[str, Any]) -> None:
    path = VECTORS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
