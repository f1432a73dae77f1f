"""Why a node gave no answer that can be used, told from its free text.

A node registers no error codes: whatever goes wrong in it comes as code 1 and a sentence. After a
write that is not surely refused the outcome is unknown: look before posting again.

Source: celestia-node v0.31.4, state/; celestia-app v9.0.4, pkg/user/tx_client.go; answers recorded.
"""

import re
from typing import Final, Literal

from provenance.errors import UnavailableError

Kind = Literal[
    "unreachable",  # surely not sent: no connection
    "lost",  # sent, but no whole answer, or the node itself does not know
    "busy",  # too many requests, or a full mempool
    "permission",  # no token, a wrong one, or one that may not do this
    "not-found",
    "future",  # the node has no such block yet
    "pruned",  # the node has it no longer
    "sequence",  # another transaction of this account came in between
    "gas",  # price, cap, limit, fee or funds
    "too-large",
    "other",
]

_REFUSED: Final = frozenset(
    ("unreachable", "permission", "not-found", "future", "pruned", "sequence", "gas", "too-large")
)
_FRAMEWORK: Final = range(-32768, -31999)

_UNKNOWN: Final = re.compile(
    # A transaction that fails when it is executed stands in its block all the same, with its blobs.
    r"tx execution failed|was evicted|likely failed during broadcast|with hash \w+ not found"
    r"|already in mempool|\bcode: 19\b|fatal error calling|connection (refused|reset)|\beof\b"
    r"|deadline exceeded|context canceled|timed? ?out|code = (unavailable|canceled|internal)",
    re.IGNORECASE,
)
_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("permission", r"missing permission to invoke"),
    ("future", r"height is from the future|syncing in progress"),
    ("pruned", r"is below tail|outside sampling window"),
    ("sequence", r"sequence mismatch|incorrect account sequence|\bcode: 32\b"),
    ("gas", r"insufficient (minimum |estimated )?(gas price|fee|funds)|exceeds max gas price"),
    ("gas", r"out of gas"),
    ("too-large", r"\bcode: 21\b|\btoo large\b|request bigger than maximum"),
    ("busy", r"mempool is full|\bcode: 20\b|too many (requests|connections)|rate limit"),
    ("not-found", r"(blob|header|data):? not found"),
)
# One node's mempool has dropped it; others may still hold it, and a proposer may take it.
_REJECTED: Final = re.compile(r"was rejected by the node", re.IGNORECASE)
_BEFORE_SENDING: Final = re.compile(
    r"broadcast tx error|failed to get tx author address|failed to create msg pay-for-blobs"
    r"|no blobs provided|not allowed namespace|decoding bech32 failed|account .* not found",
    re.IGNORECASE,
)


class NodeError(UnavailableError):
    """The node gave no answer that can be used.

    Attributes:
        kind: Why.
        is_refusal: Whether the call surely did nothing; if not, a write may have been done.
    """

    def __init__(self, kind: Kind, message: str, *, refused: bool | None = None) -> None:
        super().__init__(message)
        self.kind: Final = kind
        self.is_refusal: Final = kind in _REFUSED if refused is None else refused


class DeadlineError(NodeError):
    """No whole answer within the call's time."""

    def __init__(self, message: str) -> None:
        super().__init__("lost", message)


def told(code: int, text: str, message: str) -> NodeError:
    """Return the error that says `message`, of the kind that a node's code and sentence tell of."""
    if _UNKNOWN.search(text):
        return NodeError("lost", message)
    kind = _kind(text)
    refused = kind in _REFUSED or code in _FRAMEWORK or bool(_BEFORE_SENDING.search(text))
    return NodeError(kind, message, refused=refused and not _REJECTED.search(text))


def _kind(text: str) -> Kind:
    found = (kind for kind, pattern in _KINDS if re.search(pattern, text, re.IGNORECASE))
    return next(found, "other")
