"""Named, versioned functions from a raw value to the bytes that an exclusion index is keyed by.

>>> normalise("text-nfkc-casefold/1", "STRASSE") == normalise("text-nfkc-casefold/1", "Straße")
True

Python releases carry different versions of Unicode. Characters that Unicode 14.0 assigns fold alike
in all of them, by Unicode's stability policies; all others are left alone, so that an index built
with one release is checked with another.
"""

import unicodedata
from collections.abc import Callable, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Final

from provenance.errors import MalformedError, UnavailableError

Normaliser = Callable[[object], bytes]

_KNOWN: Final = ("14.0.0", "15.0.0", "15.1.0")
_LATER: Final = (
    *((0x0CF3, 0x0CF3), (0x0ECE, 0x0ECE), (0x2FFC, 0x2FFF), (0x31EF, 0x31EF)),
    *((0x10EFD, 0x10EFF), (0x1123F, 0x11241), (0x11B00, 0x11B09), (0x11F00, 0x11F10)),
    *((0x11F12, 0x11F3A), (0x11F3E, 0x11F59), (0x1342F, 0x1342F), (0x13439, 0x13455)),
    *((0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A)),
    *((0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1F6DC, 0x1F6DC)),
    *((0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1FA75, 0x1FA77)),
    *((0x1FA87, 0x1FA88), (0x1FAAD, 0x1FAAF), (0x1FABB, 0x1FABD), (0x1FABF, 0x1FABF)),
    *((0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB), (0x1FAE8, 0x1FAE8), (0x1FAF7, 0x1FAF8)),
    *((0x2B739, 0x2B739), (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF)),
)
"""What 15.0 and 15.1 assign and 14.0 does not (DerivedAge.txt of Unicode 15.1)."""


def normalise(normaliser: str, value: object) -> bytes:
    """Return the bytes that stand for `value` in an index under this normaliser.

    Raises:
        MalformedError: The normaliser does not take such a value.
        UnavailableError: This version does not know the normaliser.
    """
    if normaliser not in NORMALISERS:
        raise UnavailableError(f"normaliser {normaliser!r} is not known here; use a newer version")
    return NORMALISERS[normaliser](value)


def exact(value: object) -> bytes:
    """Return the content digest `value` as it is: the index tells whole records apart."""
    if not isinstance(value, bytes) or len(value) != 32:
        raise MalformedError("exact/1 takes a content digest of 32 bytes")
    return bytes(value)


def text_nfkc_casefold(value: object) -> bytes:
    """Return NFKC(casefold(NFKC(run))) of each run of characters of Unicode 14.0, in UTF-8.

    Source: The Unicode Standard, section 3.13, with D145 cut down to three steps.
    """
    if not isinstance(value, str):
        raise MalformedError("text-nfkc-casefold/1 takes a string")
    runs = [_fold("".join(run)) if old else "".join(run) for old, run in groupby(value, is_old)]
    try:
        return "".join(runs).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("text with a lone surrogate cannot be indexed") from error


def is_old(character: str, database: str = unicodedata.unidata_version) -> bool:
    """Return whether Unicode 14.0 assigns `character`.

    Raises:
        UnavailableError: A Python whose Unicode `database` this file has no list for.
    """
    if character.isascii():
        return True
    if database not in _KNOWN:
        raise UnavailableError(f"cannot fold text under Unicode {database}; use {_KNOWN}")
    point = ord(character)
    assigned = unicodedata.category(character) != "Cn"
    return assigned and not any(first <= point <= last for first, last in _LATER)


def _fold(run: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", run).casefold())


NORMALISERS: Final[Mapping[str, Normaliser]] = MappingProxyType(
    {"exact/1": exact, "text-nfkc-casefold/1": text_nfkc_casefold}
)
