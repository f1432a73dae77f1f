"""A backup of all signing keys and dataset keys: one sealed file, labelled `backup`.

Inside is canonical JSON:

    {"datasets":[{"key":"<hex, 32 bytes>","name":"flights"}],"kind":"rootline/backup/v1",
     "signing":[{"generation":1,"name":"issuer","seed":"<hex, 32 bytes>"}]}
"""

from dataclasses import dataclass, field
from typing import Final, Self

from provenance import canonical
from provenance.canonical import Fields
from provenance.errors import MalformedError
from provenance.leaf import DatasetKey
from storage.dataset_keys import DatasetKeys
from storage.keys import KeyRing, SigningKey
from storage.sealed import COST, Sealed

KIND: Final = "rootline/backup/v1"
LABEL: Final = "backup"
MAX_KEYS: Final = 50_000
MAX_BACKUP: Final = 16 * 2**20
"""Bytes of a backup's file, at most."""
LOSS: Final = """\
Without the signing keys nobody can sign as you any more, and your log ends where it is: what was
published stays valid, but nothing can follow it. Without a dataset key no proof about that dataset
can be made any more, by anybody, and its next version cannot keep its leaves; what was published
still verifies. Neither can be made anew or asked for. Keep a backup, and its passphrase elsewhere.
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """All keys of a home, in clear: keep it in memory only."""

    signing: tuple[tuple[str, int, SigningKey], ...] = field(repr=False)
    datasets: tuple[tuple[str, DatasetKey], ...] = field(repr=False)

    @classmethod
    def collect(cls, ring: KeyRing, datasets: DatasetKeys, passphrase: str | None = None) -> Self:
        """Return all keys of two folders; `passphrase` opens those that are sealed.

        Raises:
            MalformedError, VerificationError, UnavailableError: A key cannot be loaded.
        """
        stored = [(key.name, key.generation) for key in ring.stored()]
        return cls(
            tuple((name, n, ring.load(name, passphrase, generation=n)) for name, n in stored),
            tuple((name, datasets.load(name, passphrase)) for name in datasets.names()),
        )

    def seal(self, passphrase: str, *, cost: int = COST) -> bytes:
        """Return the backup's file, under a passphrase of its own."""
        document = canonical.encode(
            {
                "kind": KIND,
                "signing": [
                    {"name": name, "generation": generation, "seed": key.seed.hex()}
                    for name, generation, key in self.signing
                ],
                "datasets": [{"name": name, "key": key.hex()} for name, key in self.datasets],
            }
        )
        return Sealed.seal(document, passphrase, LABEL, cost=cost).encoded

    @classmethod
    def open(cls, data: bytes, passphrase: str) -> Self:
        """Return the backup that a file holds.

        Raises:
            MalformedError: Not a backup.
            VerificationError: The passphrase is wrong, or the file was changed.
        """
        sealed = Sealed.parse(data)
        if sealed.label != LABEL:
            raise MalformedError(f"this file is sealed as {sealed.label[:80]!r}, not as a backup")
        fields = Fields.parse(sealed.open(passphrase), KIND)
        signing = tuple(_signing(item) for item in fields.objects("signing", MAX_KEYS))
        datasets = tuple(_dataset(item) for item in fields.objects("datasets", MAX_KEYS))
        fields.done()
        return cls(signing, datasets)

    def restore(self, ring: KeyRing, datasets: DatasetKeys, passphrase: str | None = None) -> int:
        """Store the keys that are missing, under `passphrase` if given; return how many.

        Nothing is stored when a key is there already and is another one. Equal keys stay as they
        are.

        Raises:
            MalformedError: Another key of the same name is there.
            UnavailableError: A key there is sealed and does not open without a passphrase, or the
                folder cannot be written.
        """
        held = {(key.name, key.generation): key.public_key for key in ring.stored()}
        for name, generation, key in self.signing:
            if held.get((name, generation), key.public_key) != key.public_key:
                raise MalformedError(f"another key {name}.{generation} is here: restore elsewhere")
        known = set(datasets.names())
        for name, dataset_key in self.datasets:
            if name in known and datasets.load(name, passphrase) != dataset_key:
                raise MalformedError(f"another key of dataset {name} is here: restore elsewhere")
        missing = [item for item in self.signing if item[:2] not in held]
        for name, generation, key in missing:
            ring.add(name, generation, key, passphrase)
        unknown = [item for item in self.datasets if item[0] not in known]
        for name, dataset_key in unknown:
            datasets.add(name, dataset_key, passphrase)
        return len(missing) + len(unknown)


def _signing(fields: Fields) -> tuple[str, int, SigningKey]:
    found = (
        fields.name("name"),
        fields.integer("generation", 1, 9999),
        SigningKey.from_seed(fields.hexed("seed", 32)),
    )
    fields.done()
    return found


def _dataset(fields: Fields) -> tuple[str, DatasetKey]:
    found = fields.name("name"), DatasetKey(fields.hexed("key", 32))
    fields.done()
    return found
