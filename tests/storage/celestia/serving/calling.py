"""A served ledger in this process, and raw calls to it, for the tests beside this file."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.envelope import PublicKey
from storage.celestia.block import chain_id
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.tokens import Tokens
from storage.celestia.share import Blob, share_commitment

SPACE, OTHER = bytes(19) + b"rootline01", bytes(19) + b"rootline03"
RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("recorded.json").read_text())


class Key:
    def __init__(self, seed: int = 1) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


CHAIN = chain_id(Key().public_key)


def open_ledger(path: Path) -> EmbeddedLedger:
    return EmbeddedLedger(path, Key(), CHAIN, count(10**18, 10**9).__next__, wait_seconds=20)


def text(data: bytes) -> str:
    return b64encode(data).decode()


def spelt(blob: Blob) -> dict[str, Any]:
    return {
        "namespace": text(blob.namespace),
        "data": text(blob.data),
        "share_version": blob.version,
        "commitment": text(share_commitment(blob)),
        **({"signer": text(blob.signer)} if blob.signer else {}),
        "index": -1,
    }


class Caller:
    """Asks an application as raw HTTP would; each call has an event loop of its own."""

    def __init__(self, app: NodeApp, tokens: Tokens) -> None:
        self.app = app
        self.tokens: dict[str, str | None] = {
            "read": tokens.read, "write": tokens.write, "admin": tokens.admin,
            "none": None, "other": "x" * 43,
        }  # fmt: skip

    def post(self, body: bytes | str, role: str = "admin", method: str = "POST") -> httpx.Response:
        return asyncio.run(self.apost(body, role, method))

    async def apost(
        self, body: bytes | str, role: str = "admin", method: str = "POST"
    ) -> httpx.Response:
        token = self.tokens[role]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
            return await client.request(method, "/", content=body, headers=headers)

    def raw(self, method: str, *params: Any, role: str = "admin") -> httpx.Response:
        return self.post(request(method, *params), role)

    def __call__(self, method: str, *params: Any, role: str = "admin") -> Any:
        answer = self.raw(method, *params, role=role).json()
        assert "error" not in answer, answer
        return answer["result"]

    async def ask(self, method: str, *params: Any, role: str = "admin") -> Any:
        answer = (await self.apost(request(method, *params), role)).json()
        assert "error" not in answer, answer
        return answer["result"]

    def fails(self, method: str, *params: Any, role: str = "admin") -> str:
        answer = self.raw(method, *params, role=role).json()
        assert "result" not in answer, answer
        return str(answer["error"]["message"])

    def submit(self, *blobs: Blob, role: str = "write") -> int:
        return int(self("blob.Submit", [spelt(blob) for blob in blobs], {}, role=role))


def request(method: str, *params: Any) -> str:
    return json.dumps({"id": 1, "jsonrpc": "2.0", "method": method, "params": list(params)})


async def together(*calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What several calls return that are under way at once."""
    return await asyncio.gather(*(call() for call in calls))
