"""Logs that are posted batch by batch, honest and otherwise, for the tests of who reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.flow.workspace import namespace_of
from provenance.attestation import attest
from provenance.field import Digest
from provenance.log import Batch, Genesis, append, full_entry, open_log
from provenance.training import RunStart
from storage.celestia.share import Blob
from storage.ledger import Ledger
from tests.provenance.world import ISSUER, Key

NAMESPACE = namespace_of(ISSUER.public_key)


@dataclass
class Log:
    """One issuer's log on a ledger; `signer` may change from batch to batch."""

    ledger: Ledger
    signer: Key = ISSUER
    batches: list[Batch] = field(default_factory=list)

    def begin(self) -> Batch:
        """Post the first header."""
        genesis = Genesis(self.ledger.kind, self.ledger.chain, NAMESPACE, self.signer.public_key)
        return self.post(open_log(genesis, self.signer))

    def start(self, name: str, signer: Key | None = None) -> bytes:
        """Return a run start's envelope."""
        key = signer or self.signer
        return attest(
            RunStart(
                issuer=key.public_key.key_id,
                log=self.batches[0].header.digest,
                name=name,
                datasets={"train": Digest(bytes(32))},
                base=None,
                code={},
                environment=Digest(bytes(32)),
                hyperparameters={},
                optimiser="external/1",
                sampler="external/1",
                initial="external/1",
                state="bytes/1",
                seed_height=9,
            ),
            key,
        ).encoded

    def make(
        self,
        name: str,
        *,
        after: Batch | None = None,
        signer: Key | None = None,
        entries: Sequence[bytes] = (),
    ) -> Batch:
        """Return a batch that announces a run, or publishes entries, without posting it."""
        head = (after or self.batches[-1]).header
        stated = None if entries else self.start(name, signer)
        return append(head, list(entries), stated, signer or self.signer)

    def post(self, batch: Batch, *, alone: bool = False) -> Batch:
        """Post a batch, its entries beside it unless it goes alone, and go on from it."""
        self.batches.append(batch)
        blobs = [batch.envelope] if alone or not batch.entries else [batch.envelope, batch.entries]
        self.ledger.submit([Blob(NAMESPACE, data) for data in blobs])
        return batch

    def add(self, *names: str) -> None:
        """Post a batch for each name."""
        for name in names:
            self.post(self.make(name))


def entry(log: Log, name: str) -> bytes:
    """Return an entry that stands in no log rightly: a run start."""
    return full_entry(log.start(name))
