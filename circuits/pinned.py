"""Digests of the usual circuits, as this source and ezkl 23.0.5 make them.

`python -m circuits.pin NAME …` prints the entry of a circuit that is new or has changed; one that
was published under a name never changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from provenance.field import Digest


@dataclass(frozen=True, slots=True)
class Pinned:
    """SHA-256 of graph and settings, and the size of every proof."""

    onnx: Digest
    settings: Digest
    proof_bytes: int


def _pinned(onnx: str, settings: str, proof_bytes: int) -> Pinned:
    return Pinned(Digest.parse(onnx), Digest.parse(settings), proof_bytes)


PINNED: Final[Mapping[str, Pinned]] = {
    "exclusion-40.v1": _pinned(
        "fe42f126d3d5a55a40457acefa9183cc7038d1af7cfe2c4d97f22d80cec2cb56",
        "90aab65d3e55df292a675210950ba535053b3d85c381f3e291139e3660889f1c",
        2560,
    ),
    "exclusion-40x4.v1": _pinned(
        "07e9099c9a6af2de072173dbe1b59d9ebe2be00c74c5f02e4e2fa1b5a3305e0b",
        "4484d96e639663700633011d74ba7d641d4efdf8d2b6d5b6f06b86187ef3bccf",
        2112,
    ),
    "membership-14.v2": _pinned(
        "6a6c770a61f87a1112657e227cea68471a5094975d0b6fde4c3d0ddc6b11878d",
        "f7cd555fcd14c4bc287780b1c4eb8d7e017fc5e9b2e203d5168d83ccc7488597",
        2560,
    ),
    "membership-22.v2": _pinned(
        "ff26ab782a6c140d4cda3d7102edf6979456c79fad062ba01fbb130df0ad3056",
        "f987b67aef85283900bd921cf3b1a120a4c712a878a197ad1c88324e97641ca9",
        2560,
    ),
    "membership-32.v2": _pinned(
        "53baf76a01ae218f5c1e1e345e251c43ac16e357f7bd2a404e13d4ba721f1388",
        "1e6c9c8b6f4e0244f0cdb52ad6167f61624818d290937a80cccf492e8e903b2c",
        2112,
    ),
}
