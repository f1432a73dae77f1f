"""A bridge node's folder: its configuration, its keys, and the tokens that its command gives."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.devnet.building import Binaries
from tests.devnet.processes import DevnetError, free_port

NETWORK: Final = "private"
Role = Literal["public", "read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class Store:
    """Where a bridge node keeps everything, and the address of its account."""

    folder: Path
    account: str
    binary: Path
    tokens: dict[Role, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, binaries: Binaries) -> "Store":
        """Make a folder for a node that listens at loopback alone."""
        made = _celestia(
            binaries.bridge, "init", "--core.ip", "127.0.0.1", "--node.store", str(folder)
        )
        address = re.search(r"^ADDRESS: (celestia1[0-9a-z]{38})$", made, re.MULTILINE)
        if address is None:
            raise DevnetError("celestia bridge init named no address")
        store, here = cls(folder, address[1], binaries.bridge), f"/ip4/127.0.0.1/tcp/{free_port()}"
        store.set("ListenAddresses", f'["{here}"]')
        store.set("NoAnnounceAddresses", f'["{here}"]')
        return store

    def copy(self, folder: Path, binaries: Binaries) -> "Store":
        """Make a folder for another node that signs with the same key."""
        other = Store.make(folder, binaries)
        shutil.rmtree(folder / "keys")
        shutil.copytree(self.folder / "keys", folder / "keys")
        return Store(folder, self.account, other.binary)

    def set(self, name: str, value: str) -> None:
        """Give one setting of config.toml, there once, another value."""
        settings = self.folder / "config.toml"
        line = re.compile(rf"^( *){name} = .*$", re.MULTILINE)
        text, count = line.subn(rf"\g<1>{name} = {value}", settings.read_text())
        if count != 1:
            raise DevnetError(f"config.toml has {count} lines {name}")
        settings.write_text(text)

    def token(self, role: Role) -> str:
        """Return a token of one role."""
        if role not in self.tokens:
            said = _celestia(self.binary, "auth", role, "--node.store", str(self.folder))
            self.tokens[role] = said.strip().splitlines()[-1]
        return self.tokens[role]


def _celestia(binary: Path, *arguments: str) -> str:
    """Return what a short command of the node prints, warnings and all."""
    ran = subprocess.run(
        [binary, "bridge", *arguments],
        env={"CELESTIA_CUSTOM": NETWORK, "HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise DevnetError(f"celestia bridge {arguments[0]}: {ran.stdout[-500:]}")
    return ran.stdout
