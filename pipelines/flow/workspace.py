"""A home folder opened for work: keys, ledger, log and registry, each made when first asked for."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from pipelines.flow.crews import Crew
from pipelines.progress import Progress, Silent
from provenance.errors import MalformedError, UnavailableError
from provenance.log import Genesis
from storage.celestia.block import chain_id
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.verifier import CelestiaVerifier
from storage.dataset_keys import DatasetKeys
from storage.home import Home
from storage.keys import ISSUER, MONITOR, OPERATOR, KeyRing, SigningKey
from storage.ledger import Ledger
from storage.ledger_settings import (
    TOKEN,
    LedgerSettings,
    parse_token,
    read_settings,
    read_token,
    write_settings,
    write_token,
)

COMPILED: Final = "NUMBA_CACHE_DIR"
PASSPHRASE: Final = "ROOTLINE_PASSPHRASE"  # noqa: S105  # the variable's name, not a secret


@dataclass
class Workspace:
    """One home folder and what works on it.

    Attributes:
        home: Where everything is written.
        passphrase: Opens sealed keys; None where keys are not sealed.
        clock: Nanoseconds since 1970, UTC.
        progress: Where long work tells how far it is.
        crew: Who does the work of a commit.
    """

    home: Home
    passphrase: str | None = field(default=None, repr=False)
    clock: Callable[[], int] = time.time_ns
    progress: Progress = field(default_factory=Silent)
    crew: Crew = field(default_factory=Crew)

    @classmethod
    def find(cls, start: Path, environ: Mapping[str, str], progress: Progress) -> "Workspace":
        """Return the workspace of the home that is found from `start`; see `Home.find`.

        Raises:
            UnavailableError: There is no home.
        """
        home = Home.find(start, environ)
        use(home)
        return cls(home, environ.get(PASSPHRASE), progress=progress)

    @classmethod
    def create(cls, path: Path, passphrase: str | None = None) -> "Workspace":
        """Return the workspace of a home at `path`, made with its keys if they are missing.

        Raises:
            UnavailableError: The home has a ledger and lacks the keys that signed it.
        """
        home = Home.create(path)
        use(home)
        space = cls(home, passphrase)
        stored = {key.name for key in space.ring.stored()}
        if home.ledger.exists() and not {ISSUER, OPERATOR} <= stored:
            raise UnavailableError(
                f"{home.keys} lacks keys that signed what this home holds, and new ones cannot "
                "take their place: put them back with `rootline keys restore FILE`"
            )
        for name in (ISSUER, OPERATOR, MONITOR):
            if name not in stored:
                space.ring.create(name, passphrase)
        return space

    @cached_property
    def ring(self) -> KeyRing:
        """The signing keys."""
        return KeyRing(self.home.keys)

    @cached_property
    def secrets(self) -> DatasetKeys:
        """The dataset keys."""
        return DatasetKeys(self.home.secrets)

    @cached_property
    def issuer(self) -> SigningKey:
        """The key that signs this team's statements and its log."""
        return self.ring.load(ISSUER, self.passphrase)

    @cached_property
    def monitor(self) -> SigningKey:
        """The key that signs checkpoints; an auditor uses one of his own."""
        return self.ring.load(MONITOR, self.passphrase)

    @cached_property
    def settings(self) -> LedgerSettings | None:
        """The ledger that the home has chosen; None is the embedded one."""
        return read_settings(self.home.settings)

    def choose(self, settings: LedgerSettings, token: str | None) -> None:
        """Let this home post to the ledger behind a node, for good.

        Raises:
            MalformedError: It has another ledger already.
        """
        if self.settings is None and self.home.ledger.exists():
            raise MalformedError(
                f"{self.home.path} posts to its embedded ledger, and a log stays on its ledger: "
                "make another home"
            )
        write_settings(self.home.settings, settings)
        if token is not None:
            write_token(self.home.token, token)
        self.__dict__.pop("settings", None)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger that statements are posted to: the embedded one, unless another is chosen."""
        return self.embedded if self.settings is None else self._remote(self.settings)

    @cached_property
    def embedded(self) -> EmbeddedLedger:
        """The embedded ledger, which this home operates itself."""
        operator = self.ring.load(OPERATOR, self.passphrase)
        chain = chain_id(operator.public_key)
        return EmbeddedLedger(self.home.ledger, operator, chain, self.clock)

    def _remote(self, settings: LedgerSettings) -> Ledger:
        from storage.celestia.remote import open_ledger

        given = os.environ.get(TOKEN)
        token = parse_token(given.encode(), TOKEN) if given else read_token(self.home.token)
        trusting = settings.trusting_seconds * 10**9
        return open_ledger(
            settings.url,
            token,
            settings.anchor,
            self.home.headers,
            self.clock,
            trusting,
            settings.fees,
        )

    @cached_property
    def verifier(self) -> CelestiaVerifier:
        """What checks the ledger's evidence, the embedded one's and Celestia's alike."""
        return CelestiaVerifier()

    @cached_property
    def founder(self) -> SigningKey:
        """The issuer's first key, which the log's first header names; rotation changes no log."""
        return self.ring.load(ISSUER, self.passphrase, generation=1)

    @property
    def genesis(self) -> Genesis:
        """What the log's first header says."""
        key = self.founder.public_key
        return Genesis(self.ledger.kind, self.ledger.chain, namespace_of(key), key)


def namespace_of(key: bytes) -> bytes:
    """Return a log's namespace: version 0, and the first 10 bytes of SHA-256 of the public key."""
    return bytes(19) + sha256(key).digest()[:10]


def use(home: Home) -> None:
    """Keep what other tools write inside `home`, for this process and its children.

    Whoever names a place for compiled code himself keeps it, and shares it between homes.
    """
    chosen = {name: os.environ[name] for name in (COMPILED,) if os.environ.get(name)}
    os.environ.update({**home.environment(), **chosen})
