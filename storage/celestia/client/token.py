"""A bearer token, which no log, repr or error may show."""

import re
from dataclasses import dataclass, field
from typing import Final

from provenance.errors import MalformedError

MAX_TOKEN: Final = 8192
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


@dataclass(frozen=True, slots=True)
class Token:
    """What stands behind `Authorization: Bearer`, of RFC 6750's characters alone."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what could end the header line; the error does not show it."""
        if len(self.text) > MAX_TOKEN or not _TOKEN.fullmatch(self.text):
            raise MalformedError(
                f"a node's token has 1 to {MAX_TOKEN} characters A-Z a-z 0-9 . _ ~ + / = - and no "
                "line break"
            )
