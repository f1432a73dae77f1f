"""Where a node is, and whether a token may be sent there."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import httpx

from provenance.errors import MalformedError

_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A node's URL; `origin` is what may be shown: a hosted node's path is often a secret."""

    url: httpx.URL = field(repr=False)
    origin: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address `text`: http or https, a host, perhaps a port and a path.

        Raises:
            MalformedError: Something else, or with a user name, a query or a fragment.
        """
        try:
            url = httpx.URL(text)
            host, port = url.host, url.port  # an xn-- name is decoded, or refused, only here
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise MalformedError("the node's address is no URL; try http://localhost:26658") from (
                error
            )
        if url.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise MalformedError(
                "the node's address must begin with http:// or https:// and a host"
            )
        if port is not None and not 0 < port < 2**16:
            raise MalformedError("the node's address has a port from 1 to 65535")
        if url.userinfo or url.query or url.fragment:
            raise MalformedError("the node's address has no user, query or fragment; give a token")
        shown = f"[{host}]" if ":" in host else host
        return cls(url, f"{url.scheme}://{shown}" + (f":{port}" if port else ""))

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: TLS, or this machine alone."""
        return self.url.scheme == "https" or _is_loopback(self.url.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
