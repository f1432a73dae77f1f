"""An index of what was attested, posted and proved, for looking things up.

The attestations and receipts in a home are the truth; this file can be deleted, and rebuilt from
them, at any time. It records only what was verified before: it takes values, not bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from storage.database import Database
from storage.entries import (
    AttestationEntry,
    Document,
    Posting,
    ProofEntry,
    RunEntry,
    VersionEntry,
    statements,
)
from storage.lock import PATIENCE

LAYOUT: Final = 1
SCHEMA: Final = Path(__file__).with_name("schema.sql")


@dataclass(frozen=True, slots=True)
class Registry:
    """The index at `path`, made when first used.

    Every method raises UnavailableError when others hold the file for `wait` seconds, and when it
    is damaged or cannot be written.
    """

    path: Path
    wait: float = PATIENCE

    def record(self, documents: Iterable[Document]) -> None:
        """Add verified attestations and postings, all or none; what is there already stays."""
        self._database.write(statements(documents))

    def rebuild(self, documents: Iterable[Document]) -> None:
        """Make the registry anew from all verified attestations and postings of a home.

        The old one stays until the new one is whole.
        """
        self._database.replace(statements(documents))

    def datasets(self) -> tuple[VersionEntry, ...]:
        """Return the newest version of every dataset, by name.

        Where a line forks, every end is listed: an auditor would find both.
        """
        rows = self._database.read("SELECT * FROM newest_list ORDER BY name, version, commitment")
        return tuple(map(VersionEntry.of_row, rows))

    def versions(self, name: str) -> tuple[VersionEntry, ...]:
        """Return all versions of a dataset, oldest first."""
        rows = self._database.read(
            "SELECT * FROM version_list WHERE name = ? "
            "ORDER BY depth, height NULLS LAST, commitment",
            name,
        )
        return tuple(map(VersionEntry.of_row, rows))

    def version(self, name: str, version: str) -> VersionEntry:
        """Return one version.

        Raises:
            UnavailableError: It is not registered here.
            VerificationError: Two commitments carry this name and version.
        """
        found = [entry for entry in self.versions(name) if entry.version == version]
        if not found:
            raise UnavailableError(f"no {name}@{version} here: see `rootline dataset list`")
        if len(found) > 1:
            raise VerificationError(f"{len(found)} commitments are called {name}@{version}")
        return found[0]

    def runs(self) -> tuple[RunEntry, ...]:
        """Return all runs, by name; a start with two runs gives two entries."""
        rows = self._database.read("SELECT * FROM run_list ORDER BY name, start, commitment")
        return tuple(map(RunEntry.of_row, rows))

    def runs_on(self, dataset: Digest) -> tuple[RunEntry, ...]:
        """Return the runs that use a version of a dataset, by name."""
        rows = self._database.read(
            "SELECT * FROM run_list WHERE start IN (SELECT start FROM uses WHERE dataset = ?) "
            "ORDER BY name, start, commitment",
            bytes(dataset),
        )
        return tuple(map(RunEntry.of_row, rows))

    def proofs_about(self, dataset: Digest) -> tuple[ProofEntry, ...]:
        """Return the claims about a version of a dataset that a proof backs."""
        rows = self._database.read(
            "SELECT * FROM proof_list WHERE dataset = ? ORDER BY commitment", bytes(dataset)
        )
        return tuple(map(ProofEntry.of_row, rows))

    def attestations_of(self, commitment: Digest) -> tuple[AttestationEntry, ...]:
        """Return the attestations of a commitment."""
        rows = self._database.read(
            "SELECT * FROM attestations WHERE commitment = ? ORDER BY digest", bytes(commitment)
        )
        return tuple(map(AttestationEntry.of_row, rows))

    def unposted(self) -> tuple[AttestationEntry, ...]:
        """Return the attestations that no recorded receipt covers, by kind and name."""
        rows = self._database.read(
            "SELECT * FROM attestations WHERE digest NOT IN (SELECT attestation FROM postings) "
            "ORDER BY kind, name, digest"
        )
        return tuple(map(AttestationEntry.of_row, rows))

    def postings_of(self, attestation: Digest) -> tuple[Posting, ...]:
        """Return where an attestation was published, lowest height first."""
        rows = self._database.read(
            "SELECT * FROM posting_list WHERE attestation = ? ORDER BY height, digest",
            bytes(attestation),
        )
        return tuple(map(Posting.of_row, rows))

    @property
    def _database(self) -> Database:
        return Database(self.path, SCHEMA.read_text(encoding="utf-8"), LAYOUT, self.wait)
