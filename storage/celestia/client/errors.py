"""Why a node gave no answer that can be used, told from its free text.

A node registers no error codes: whatever goes wrong in it comes as code 1 and a sentence. Only the
kinds of `REFUSED` say that nothing was done; after a write, all others leave the outcome unknown.

Source: celestia-node v0.31.4, celestia-app v9.0.4 (pkg/user/tx_client.go); answers recorded.
"""

import re
from typing import Final, Literal

from provenance.errors import UnavailableError

Kind = Literal[
    "unreachable",  # surely not sent: no connection
    "lost",  # sent, but no whole answer, or the node gave up waiting
    "busy",  # too many requests, or a full mempool
    "permission",  # no token, a wrong one, or one that may not do this
    "not-found",
    "future",  # the node has no such block yet
    "pruned",  # the node has it no longer
    "sequence",  # another transaction of this account came in between
    "gas",  # price, cap, fee or funds
    "too-large",
    "other",
]

REFUSED: Final[frozenset[Kind]] = frozenset(
    ("unreachable", "permission", "not-found", "future", "pruned", "sequence", "gas", "too-large")
)

_TEXTS: Final[tuple[tuple[Kind, str], ...]] = (
    ("permission", r"missing permission to invoke"),
    # A transaction that failed when it was executed still stands in the block, with its blobs.
    ("lost", r"tx execution failed|was evicted|likely failed during|transaction with hash \w+ not"),
    ("lost", r"already in mempool|\bcode: 19\b|fatal error calling"),
    ("future", r"height is from the future|syncing in progress"),
    ("pruned", r"is below tail|outside sampling window"),
    ("sequence", r"sequence mismatch|incorrect account sequence|\bcode: 32\b"),
    ("gas", r"insufficient (minimum |estimated )?(gas price|fee|funds)|exceeds max gas price"),
    ("too-large", r"\bcode: 21\b|\btoo large\b|request bigger than maximum"),
    ("busy", r"mempool is full|\bcode: 20\b|too many (requests|connections)|rate limit"),
    ("not-found", r"(blob|header|data):? not found"),
    ("lost", r"deadline exceeded|context canceled|timed? ?out|rpc error: code =|\beof\b"),
    ("lost", r"connection (refused|reset)"),
)


class NodeError(UnavailableError):
    """The node gave no answer that can be used; `kind` says why."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Final = kind

    @property
    def is_refusal(self) -> bool:
        """Whether the call surely did nothing; if not, a write may have been done."""
        return self.kind in REFUSED


class DeadlineError(NodeError):
    """No whole answer within the call's time."""

    def __init__(self, message: str) -> None:
        super().__init__("lost", message)


def kind_of(text: str) -> Kind:
    """Return what kind of error the node's sentence `text` tells of."""
    found = (kind for kind, pattern in _TEXTS if re.search(pattern, text, re.IGNORECASE))
    return next(found, "other")
