"""A chain of the real celestia-app and bridge nodes of the real celestia-node, on loopback.

    with Chain(folder, found(), Shape()) as chain, chain.bridge() as bridge:
        bridge.url, bridge.token("read")
        bridge.kill()
        bridge.restart()

The chain's state is in memory, so a chain cannot be started again; a bridge can, as often as
wanted: its store is a folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.devnet import raw
from tests.devnet.building import Binaries
from tests.devnet.processes import Process, clear, free_port
from tests.devnet.stores import NETWORK, Role, Store


@dataclass(frozen=True, slots=True)
class Shape:
    """How a chain's blocks come about.

    Attributes:
        block: Seconds between two blocks.
        powers: Voting power of each validator, highest first.
        absent: The last validator signs no block whose height this divides; 0: it signs all.
        late: Blocks whose height this divides are committed in a later round than 0.
    """

    block: float = 0.5
    powers: tuple[int, ...] = (1,)
    absent: int = 0
    late: int = 0

    def flags(self) -> list[str]:
        """Return the shape as tests/devnet/main.go takes it."""
        return [
            f"-block={self.block}s",
            f"-powers={','.join(map(str, self.powers))}",
            f"-absent={self.absent}",
            f"-late={self.late}",
        ]


class Chain:
    """A running chain, and the stores of the bridges that may join it."""

    def __init__(self, folder: Path, binaries: Binaries, shape: Shape, bridges: int = 1) -> None:
        """Start the chain, with coins for the accounts of `bridges` nodes, and wait for block 1."""
        self.binaries = binaries
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._stores = [Store.make(folder / f"bridge{n}", binaries) for n in range(bridges)]
        home = folder / "chain"
        home.mkdir(parents=True)
        names = ("-home", str(home), "-chain", NETWORK)
        accounts = [store.account for store in self._stores]
        command: list[str | Path] = [binaries.chain, *names, *shape.flags(), *accounts]
        self._process = Process(command, folder / "chain.log")
        ready = home / "ready.json"
        try:
            self._process.wait_until("the chain's first block", ready.exists)
        except BaseException:
            self._process.kill()
            raise
        said: dict[str, Any] = json.loads(ready.read_text())
        self.block1: str = said["block1"]
        self.grpc: int = said["grpc"]
        self.rpc: int = said["rpc"]
        # Before block 2 a validator does not give block 1 by its hash, and a bridge node ends.
        self.wait_for(2)

    @property
    def pid(self) -> int:
        """The chain's process number."""
        return self._process.pid

    def bridge(self, number: int = 0, **how: Any) -> "Bridge":
        """Start bridge node `number`; `how` is what `Bridge` takes."""
        return Bridge(self, self._stores[number], **how)

    def twin(self, number: int) -> "Bridge":
        """Start a second node that signs with the key of bridge `number`."""
        twin = self._stores[number].copy(self._folder / f"twin{number}", self.binaries)
        return Bridge(self, twin)

    def height(self) -> int:
        """Return the chain's height, asked of the validator and not of a bridge."""
        status = raw.ask(f"http://127.0.0.1:{self.rpc}", "status")
        return int(status["sync_info"]["latest_block_height"])

    def wait_for(self, height: int) -> None:
        """Return once the chain has block `height`."""
        self._process.wait_until(f"block {height}", lambda: self.height() >= height)

    def stop(self) -> None:
        """End the chain and delete its files."""
        self._process.kill()
        clear(self._folder / "chain")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class Bridge:
    """A running bridge node."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        *,
        authentication: bool = True,
        archival: bool = True,
        certificate: tuple[Path, Path] | None = None,
        limits: tuple[int, int] | None = None,
    ) -> None:
        """Start the node and wait until it has a block.

        Args:
            chain: What it joins.
            store: Its folder.
            authentication: Whether it asks for tokens.
            archival: Whether it keeps old blocks.
            certificate: PEM files of a certificate and its key, to be asked over TLS alone.
            limits: Calls a second and at once that it takes, of one address.
        """
        if limits:
            store.set("RequestsPerSec", str(limits[0]))
            store.set("Burst", str(limits[1]))
        self._store = store
        self._port = free_port()
        self._authority = certificate[0] if certificate else None
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._port}"
        self.account = store.account
        self._authentication = authentication
        self._environment = {"CELESTIA_CUSTOM": f"{NETWORK}:{chain.block1}"}
        self._command = [
            *(str(chain.binaries.bridge), "bridge", "start", "--node.store", str(store.folder)),
            *("--core.ip", "127.0.0.1", "--core.port", str(chain.grpc)),
            *("--rpc.addr", "127.0.0.1", "--rpc.port", str(self._port)),
            *(["--archival"] if archival else []),
            *([] if authentication else ["--rpc.skip-auth"]),
            *_encrypted(certificate),
            *(["--rpc.rate-limit"] if limits else []),
        ]
        self._process = self._start()
        self.await_ready()

    @property
    def pid(self) -> int:
        """Its process number, another after each restart."""
        return self._process.pid

    def token(self, role: Role) -> str:
        """Return a new token of one role, made by the node's own command."""
        return self._store.token(role)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._process.kill()

    def stop(self) -> None:
        """End it, for good or until `restart`."""
        self._process.stop()

    def forget(self, tail: int) -> None:
        """Start a stopped node anew, and return once it deleted all below `tail`.

        Time alone prunes after 7 days and an hour, and no setting makes that shorter; a new start
        of its headers prunes the same way.
        """
        self._store.set("SyncFromHeight", str(tail))
        self.restart()
        self._process.wait_until(f"tail {tail}", lambda: self._tail() == tail)

    def restart(self) -> None:
        """Start it again over the same store, at the same port, and wait until it has a block."""
        self._process = self._start()
        self.await_ready()

    def await_ready(self) -> None:
        """Return once it answers with a block."""
        token = self._store.token("read") if self._authentication else None
        try:
            self._process.wait_until("the bridge node's first answer", lambda: self._answers(token))
        except BaseException:
            self._process.kill()
            raise

    def _tail(self) -> int:
        header = raw.ask(self.url, "header.Tail", token=self.token("read"))
        return int(header["header"]["height"])

    def _start(self) -> Process:
        return Process(self._command, self._store.folder.with_suffix(".log"), self._environment)

    def _answers(self, token: str | None) -> bool:
        try:
            _, body = raw.exchange(self.url, "header.LocalHead", [], token, self._authority)
        except OSError:
            return False
        return isinstance(body, dict) and bool(body.get("result"))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def _encrypted(certificate: tuple[Path, Path] | None) -> list[str]:
    if certificate is None:
        return []
    chain, key = map(str, certificate)
    return ["--rpc.tls", "--rpc.tls-cert", chain, "--rpc.tls-key", key]
