"""What a circuit opens of committed records: their digits and salts, and where each stands."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.opening import records_at
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.audit.claimed import claimed_document
from provenance.audit.steps import record_index
from provenance.batch import Rows
from provenance.chunk import CHUNK
from provenance.claim import Claim
from provenance.errors import UnavailableError, VerificationError
from provenance.features import OFFSET, FeatureSpec
from provenance.field import FieldElement
from provenance.leaf import DatasetKey
from provenance.leaf_features import FeatureRow, feature_rows
from provenance.opening import FeatureOpening, verify_features
from storage.nodes import NodeFile
from storage.readers.datasets import Dataset


@dataclass(frozen=True, slots=True)
class CommittedRow:
    """One record as circuits take it; digits and salt are secret, the opening is not."""

    digits: tuple[int, ...] = field(repr=False)
    salt: FieldElement = field(repr=False)
    opening: FeatureOpening

    @property
    def values(self) -> tuple[int, ...]:
        """The record's signed fixed-point values, the label last; secret too."""
        return tuple(digit - OFFSET for digit in self.digits)

    @property
    def index(self) -> int:
        """The record's index, chunk * 2**14 + position."""
        return self.opening.path.index


class FeatureRows:
    """Opens the features of a dataset version's records, from its files, node file and key."""

    def __init__(self, space: Workspace, version: Version, dataset: Dataset) -> None:
        """Raise UnavailableError if the version commits to no features."""
        commitment = version.commitment
        if commitment.features is None:
            raise UnavailableError(
                f"{commitment.label} commits to no features: register it anew with --features"
            )
        self._version, self._dataset = version, dataset
        self._spec: FeatureSpec = commitment.features
        self._key: DatasetKey = space.secrets.load(commitment.name, space.passphrase)
        self._nodes: NodeFile = nodes_of(space, commitment)

    def open(self, numbers: Iterable[int]) -> dict[int, CommittedRow]:
        """Return the rows of records by running number, each checked against the record root.

        Raises:
            MalformedError: No such record, or a feature out of range.
            VerificationError: The files are not those that were registered.
        """
        records = records_at(self._dataset, numbers)
        schema = self._version.commitment.schema
        batch = Rows(schema, tuple(records.values()))
        found = feature_rows(self._spec, schema, self._key, batch, range(len(batch)))
        return {
            number: self._placed(number, row) for number, row in zip(records, found, strict=True)
        }

    def _placed(self, number: int, row: FeatureRow) -> CommittedRow:
        chunk, position = divmod(record_index(self._nodes.chunks, number), CHUNK)
        opening = FeatureOpening(
            row.leaf_digest, row.commitment, self._nodes.prove(chunk, position)
        )
        try:
            verify_features(opening, self._version.commitment)
        except VerificationError:  # the record is another one, or the inner nodes are damaged
            path = self._nodes.prove_by_hashing(chunk, position)
            opening = FeatureOpening(row.leaf_digest, row.commitment, path)
            self._check(opening)
        return CommittedRow(row.digits, row.salt, opening)

    def _check(self, opening: FeatureOpening) -> None:
        try:
            verify_features(opening, self._version.commitment)
        except VerificationError as error:
            label = self._version.commitment.label
            raise VerificationError(
                f"{self._dataset.name} does not hold the records of {label}: {error}"
            ) from error


def opened_records(claim: Claim, rows: Iterable[CommittedRow]) -> bytes:
    """Return the member of a bundle that shows where a claim's records stand, without a value."""
    openings = [row.opening for row in rows]
    return canonical.encode(claimed_document(claim.digest, (), openings))
