"""Circuits by name: the first word of a name is its family, and the family reads the rest.

    circuit("membership-22.v2").statement
    circuit("membership-22.v2").onnx()

The usual circuits are pinned; others of a family can be made and proved too, and then a policy
alone says which of their settings and keys count.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from circuits.pinned import PINNED
from circuits.spec import Circuit
from circuits.statements import evaluation, exclusion, inference, membership, properties, step
from provenance.errors import MalformedError

Family = Callable[[str, bytes | None], Circuit]
"""From a name, and a function's ONNX where the family needs one, to the circuit."""

FAMILIES: Final[Mapping[str, Family]] = {
    "evaluation": evaluation.circuit,
    "exclusion": exclusion.circuit,
    "inference": inference.circuit,
    "membership": membership.circuit,
    "property": properties.circuit,
    "step": step.circuit,
}


def circuit(name: str, function: bytes | None = None) -> Circuit:
    """Return the circuit with this name.

    Args:
        name: Such as `membership-22.v2`.
        function: The function that a circuit of a user's own is about.

    Raises:
        MalformedError: There is no such circuit, or it needs a function.
    """
    family = FAMILIES.get(name.partition("-")[0])
    if family is None:
        raise MalformedError(f"no circuit {name!r:.60}; there are {', '.join(PINNED)}, and others")
    made = family(name, function)
    if name not in PINNED:
        return made
    pinned = PINNED[name]
    return replace(
        made,
        onnx_digest=pinned.onnx,
        settings_digest=pinned.settings,
        proof_bytes=pinned.proof_bytes,
    )
