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
    "membership-14.v1": _pinned(
        "a374cdec18546db8f47ca7acef6e8790af27f0300093a94160e899f4e12974f7",
        "77695e3c090989720b36950b73a6767d6ef37702bcf004213cef0cbb51289a8c",
        2560,
    ),
    "membership-22.v1": _pinned(
        "0b308c3a3fa98c2dfccaf848375ac3c8af79d811e89d3b629537dc100866d59f",
        "0cae887c9a7aee20d606f1bd7b92b2faf75e5225c7eb2ddc5ca609184bdcb602",
        2560,
    ),
    "membership-32.v1": _pinned(
        "7b123f9a6b1924638304d4c0a2096521b97282f17c42dcae9148b0d525728bb7",
        "780ffb99f5f1333085c12260897d6169fcf550b643dabc99fd285c7fb597cebc",
        2112,
    ),
}
