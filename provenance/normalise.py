"""Named, versioned functions from a raw value to the bytes that an exclusion index is keyed by.

>>> normalise("text-nfkc-casefold/1", "STRASSE") == normalise("text-nfkc-casefold/1", "Straße")
True

Python releases carry different versions of Unicode. Characters that Unicode 14.0 assigns fold alike
in all of them, by Unicode's stability policies; all others are left alone, so that an index built
with one release is checked with another.
"""

import unicodedata
from collections.abc import Callable, Mapping
from itertools import chain, groupby
from types import MappingProxyType
from typing import Final

from provenance.errors import MalformedError, UnavailableError

Normaliser = Callable[[object], bytes]

_KNOWN: Final = ("14.0.0", "15.0.0", "15.1.0")
LATER: Final = """\
0CF3 0ECE 2FFC-2FFF 31EF 10EFD-10EFF 1123F-11241 11B00-11B09 11F00-11F10 11F12-11F3A
11F3E-11F59 1342F 13439-13455 1B132 1B155 1D2C0-1D2D3 1DF25-1DF2A 1E030-1E06D 1E08F
1E4D0-1E4F9 1F6DC 1F774-1F776 1F77B-1F77F 1F7D9 1FA75-1FA77 1FA87-1FA88 1FAAD-1FAAF
1FABB-1FABD 1FABF 1FACE-1FACF 1FADA-1FADB 1FAE8 1FAF7-1FAF8 2B739 2EBF0-2EE5D 31350-323AF
"""
"""What Unicode 15.0 and 15.1 assign and 14.0 does not, first to last (DerivedAge.txt of 15.1)."""


def _points(span: str) -> range:
    first, _, last = span.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)


_LATER: Final = frozenset(chain.from_iterable(map(_points, LATER.split())))


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
    return unicodedata.category(character) != "Cn" and ord(character) not in _LATER


def _fold(run: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", run).casefold())


NORMALISERS: Final[Mapping[str, Normaliser]] = MappingProxyType(
    {"exact/1": exact, "text-nfkc-casefold/1": text_nfkc_casefold}
)
