"""Which ledger a home posts to, in `ledger.json`; without the file it is the embedded one.

    {"anchor":{"hash":"D3…","height":1200},"chain":"mocha-4","fees":{"gas_price":"0.004",
     "key_name":null,"max_gas_price":null,"priority":null},"kind":"rootline/ledger/v1",
     "trusting_seconds":604800,"url":"http://127.0.0.1:26658"}

The anchor is a block that this team knew when it began: what the node says hangs on it, or is not
believed. Chosen once, since a log names its chain for good. The node's token is a file of its own,
`keys/ledger.token` (0600).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from provenance import canonical
from provenance.anchor import Anchor
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError, UnavailableError
from provenance.receipt import MAX_HEIGHT
from storage.atomic import create_atomic, read_bounded
from storage.celestia.block import kind_of
from storage.celestia.client.options import TxOptions
from storage.private import read_private

KIND: Final = "rootline/ledger/v1"
TOKEN: Final = "ROOTLINE_LEDGER_TOKEN"  # noqa: S105  # the variable's name, not a secret
WEEK: Final = 7 * 86400
MAX_URL: Final = 2048
MAX_TOKEN: Final = 4096
Priority = Literal[1, 2, 3]
_PRIORITIES: Final[dict[int, Priority]] = {1: 1, 2: 2, 3: 3}
_PRICE: Final = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """A node, the block that is known of its chain, and what a submission may cost."""

    url: str = field(repr=False)
    anchor: Anchor
    fees: TxOptions
    trusting_seconds: int = WEEK

    @property
    def chain(self) -> str:
        """The chain id."""
        return self.anchor.chain

    @property
    def encoded(self) -> bytes:
        """The settings as canonical JSON."""
        anchor: JsonObject = {"height": self.anchor.height, "hash": self.anchor.hash.hex()}
        return canonical.encode(
            {
                "kind": KIND,
                "url": self.url,
                "chain": self.chain,
                "anchor": anchor,
                "trusting_seconds": self.trusting_seconds,
                "fees": {
                    "gas_price": _written(self.fees.gas_price),
                    "max_gas_price": _written(self.fees.max_gas_price),
                    "priority": self.fees.priority,
                    "key_name": self.fees.key_name,
                },
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the settings that `data` writes, or raise MalformedError naming the member."""
        fields = Fields.of(canonical.decode_loose(data), KIND)
        fields.constant("kind", KIND)
        chain, anchor = fields.text("chain", most=50), fields.inner("anchor")
        settings = cls(
            url=fields.text("url", most=MAX_URL),
            anchor=Anchor(
                kind_of(chain),
                chain,
                anchor.integer("height", 1, MAX_HEIGHT),
                anchor.digest("hash"),
            ),
            fees=_fees(fields.inner("fees")),
            trusting_seconds=fields.integer("trusting_seconds", 1, 10**9),
        )
        anchor.done()
        fields.done()
        return settings


def read_settings(path: Path) -> LedgerSettings | None:
    """Return the settings in a file, or None if there is no such file.

    Raises:
        MalformedError: The file is damaged; the message names it.
    """
    if not path.exists():
        return None
    try:
        return LedgerSettings.parse(read_bounded(path, canonical.MAX_BYTES))
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error


def write_settings(path: Path, settings: LedgerSettings) -> None:
    """Store the settings once and for all; the same again are no change.

    Raises:
        MalformedError: Another chain or anchor is chosen already.
    """
    create_atomic(path, settings.encoded)
    if (chosen := read_settings(path)) != settings:
        raise MalformedError(
            f"{path} has chosen {chosen.chain if chosen else 'nothing'}: a log stays on its "
            "ledger; edit url, fees or trusting_seconds there, or after a long outage the anchor; "
            "or make another home"
        )


def read_token(path: Path) -> str | None:
    """Return the token in a file that only its owner reads, or None if there is none.

    Raises:
        MalformedError: Others can read it, or it is no token.
    """
    if not path.exists():
        return None
    return parse_token(read_private(path), str(path))


def parse_token(data: bytes, where: str) -> str:
    """Return the token that a file or variable holds, or raise MalformedError without saying it."""
    text = data.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{1,4096}", text):
        raise MalformedError(f"{where}: not a token in one line of at most {MAX_TOKEN} characters")
    return text


def write_token(path: Path, token: str) -> None:
    """Store a token so that only its owner reads it.

    Raises:
        UnavailableError: Another one is there.
    """
    create_atomic(path, token.encode() + b"\n", 0o600)
    if read_token(path) != token:
        raise UnavailableError(f"{path} holds another token: remove it first, then run this again")


def parse_price(text: str) -> float:
    """Return a gas price in utia, written as a decimal.

    >>> parse_price("0.004")
    0.004
    """
    if not _PRICE.fullmatch(text):
        raise MalformedError(f"gas price {text[:30]!r}: a decimal such as 0.004 is meant, in utia")
    return float(text)


def parse_priority(value: int) -> Priority:
    """Return a priority, 1 (low) to 3 (high), or raise MalformedError."""
    if value not in _PRIORITIES:
        raise MalformedError(f"a priority is 1 (low), 2 or 3 (high), got {value}")
    return _PRIORITIES[value]


def _written(price: float | None) -> str | None:
    return None if price is None else f"{price:.12f}".rstrip("0").rstrip(".")


def _fees(fields: Fields) -> TxOptions:
    options = TxOptions(
        gas_price=fields.optional("gas_price", lambda n: parse_price(fields.text(n, most=30))),
        max_gas_price=fields.optional(
            "max_gas_price", lambda n: parse_price(fields.text(n, most=30))
        ),
        priority=fields.optional("priority", lambda n: parse_priority(fields.integer(n, 1, 3))),
        key_name=fields.optional("key_name", lambda n: fields.text(n, most=128)),
    )
    fields.done()
    return options
