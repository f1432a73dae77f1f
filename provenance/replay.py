"""Rules that an auditor can run again: samplers, initial states, optimisers, challenges.

Each is a named, versioned function of the seed and of declared values, in integers only, so that
it gives the same result on every machine. docs/spec/replay.md states them in words.

>>> rounded(5, 2), rounded(-5, 2)
(3, -2)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest

SAMPLER: Final = "holdout-shuffle/1"
INITIAL: Final = "zeros/1"
OPTIMISER: Final = "logistic-sgd-fixed/1"
MAX_RECORDS: Final = 2**24
MAX_DRAWS: Final = 2**24
"""Records that all epochs together shuffle: about half a minute of an auditor's time."""
MAX_CENTRE: Final = 2**14


def draws(seed: Digest, label: str) -> Iterator[int]:
    """Yield 64-bit words: SHA-256(`RL-draw` + length + label + seed + counter), four a digest."""
    prefix = b"RL-draw" + len(label).to_bytes(4, "big") + label.encode() + seed
    counter = 0
    while True:
        block = sha256(prefix + counter.to_bytes(8, "big")).digest()
        yield from (int.from_bytes(block[i : i + 8], "big") for i in range(0, 32, 8))
        counter += 1


def below(words: Iterator[int], bound: int) -> int:
    """Return a uniform integer from 0 to `bound` - 1, by rejecting words in the uneven rest.

    Raises:
        MalformedError: A bound that no word can fill evenly: below 1, or beyond 2**64.
    """
    if not 1 <= bound <= 2**64:
        raise MalformedError(f"a draw below {bound}; 1 to 2**64 can be")
    limit = 2**64 - 2**64 % bound
    return next(word for word in words if word < limit) % bound


def permutation(seed: Digest, label: str, count: int) -> list[int]:
    """Return 0 … `count` - 1 in an order that the seed decides (Fisher-Yates from the top)."""
    words, order = draws(seed, label), list(range(count))
    for top in range(count - 1, 0, -1):
        other = below(words, top + 1)
        order[top], order[other] = order[other], order[top]
    return order


@dataclass(frozen=True, slots=True)
class Plan:
    """Sampler holdout-shuffle/1: running numbers of the records held out, and of each batch."""

    held_out: tuple[int, ...]
    batches: tuple[tuple[int, ...], ...]


def plan(seed: Digest, records: int, hyperparameters: JsonObject) -> Plan:
    """Return which records the sampler holds out and which it gives to each step.

    Args:
        seed: Hash of the block at the start's seed height.
        records: Records in the training dataset.
        hyperparameters: `batch` (records a step), `epochs`, `holdout_permille`.

    Raises:
        MalformedError: A hyperparameter is missing or leaves nothing to train on.
    """
    if records > MAX_RECORDS:
        raise MalformedError(f"sampler {SAMPLER}: at most {MAX_RECORDS} records, not {records}")
    fields = Fields.of(dict(hyperparameters), f"sampler {SAMPLER}")
    size, epochs = fields.integer("batch", 1, 2**14), fields.integer("epochs", 1, 2**16)
    held = records * fields.integer("holdout_permille", 0, 999) // 1000
    if records - held < size:
        raise MalformedError(
            f"sampler {SAMPLER}: {records - held} records, {size} a batch: no step"
        )
    if epochs * (records - held) > MAX_DRAWS:  # an auditor draws them all, whoever chose them
        raise MalformedError(f"sampler {SAMPLER}: at most {MAX_DRAWS} records in all epochs")
    order = permutation(seed, "split", records)
    kept = order[held:]
    batches = tuple(batch for epoch in range(epochs) for batch in _epoch(seed, epoch, kept, size))
    return Plan(tuple(order[:held]), batches)


def _epoch(seed: Digest, epoch: int, kept: list[int], size: int) -> Iterator[tuple[int, ...]]:
    order = permutation(seed, f"epoch {epoch}", len(kept))
    for first in range(0, len(kept) - size + 1, size):
        yield tuple(kept[number] for number in order[first : first + size])


@dataclass(frozen=True, slots=True)
class Logistic:
    """Optimiser logistic-sgd-fixed/1: logistic regression by SGD in integers.

    Weights are at scale 2**10, inputs at scale 2**7 once their centre is taken off; the last weight
    is the bias. The sigmoid is the hard one, clamp(1/2 + z/4, 0, 1), stated as what it is.
    """

    centre: tuple[int, ...]
    rate_bits: int

    @classmethod
    def of(cls, hyperparameters: JsonObject) -> "Logistic":
        """Return the optimiser with its declared values, or raise MalformedError."""
        fields = Fields.of(dict(hyperparameters), f"optimiser {OPTIMISER}")
        centre = tuple(_small(value) for value in fields.items("centre", 4096))
        return cls(centre, fields.integer("rate_bits", 0, 16))

    @property
    def initial(self) -> tuple[int, ...]:
        """The state of rule zeros/1: one weight an input, and the bias."""
        return (0,) * (len(self.centre) + 1)

    def probability(self, weights: Sequence[int], inputs: Sequence[int]) -> int:
        """Return the hard sigmoid of one row at scale 2**10; `inputs` still have their centre.

        Raises:
            MalformedError: Not one weight an input and the bias, or not one input a centre.
        """
        if not len(weights) - 1 == len(inputs) == len(self.centre):
            raise MalformedError(
                f"{OPTIMISER}: {len(self.centre)} inputs have {len(self.centre) + 1} weights; "
                f"got {len(inputs)} and {len(weights)}"
            )
        rows = zip(weights[:-1], inputs, self.centre, strict=True)
        z = sum(w * (v - c) for w, v, c in rows) + (weights[-1] << 7)
        return max(0, min(1024, 512 + rounded(z, 512)))

    def step(self, weights: Sequence[int], batch: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the weights after one step.

        Args:
            weights: One a feature, and the bias last; scale 2**10.
            batch: Rows of feature values with the label, 0 or 1, last.

        Raises:
            MalformedError: No row, a row or weights of another width, or a label neither 0 nor 1.
        """
        width = len(self.centre)
        if not batch or any(len(row) != width + 1 or row[-1] not in (0, 1) for row in batch):
            raise MalformedError(f"{OPTIMISER}: each row has {width} features and a label 0 or 1")
        errors = [self.probability(weights, row[:-1]) - 1024 * row[-1] for row in batch]
        divisor = len(batch) << (7 + self.rate_bits)
        columns = [
            sum(error * (row[j] - self.centre[j]) for error, row in zip(errors, batch, strict=True))
            for j in range(width)
        ]
        gradients = [*columns, sum(errors) << 7]
        return tuple(w - rounded(g, divisor) for w, g in zip(weights, gradients, strict=True))


def rounded(value: int, divisor: int) -> int:
    """Return `value` / `divisor` to the nearest integer, halves upwards."""
    return (2 * value + divisor) // (2 * divisor)


def challenge(block_hash: Digest, run: Digest, steps: int, samples: int) -> tuple[int, ...]:
    """Return the distinct steps that an auditor must see, in the order in which they are drawn.

    Args:
        block_hash: Hash of the block at the run's challenge height.
        run: Digest of the run statement.
        steps: Steps in the transcript.
        samples: How many to draw; all of them if there are fewer.
    """
    words = draws(Digest(sha256(b"RL-challenge" + block_hash + run).digest()), "steps")
    drawn: dict[int, None] = {}
    while len(drawn) < min(samples, steps):
        drawn[below(words, steps)] = None
    return tuple(drawn)


def detection(forged_share: float, samples: int) -> float:
    """Return the chance, at least, that `samples` draws meet one of a share of forged steps.

    Challenges are drawn without repetition, which only raises it.

    Raises:
        MalformedError: A share outside 0 to 1, or fewer than no samples.
    """
    if not 0 <= forged_share <= 1 or samples < 0:
        raise MalformedError(f"no chance for a share of {forged_share} and {samples} samples")
    return 1.0 - (1.0 - forged_share) ** samples


def _small(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_CENTRE:
        raise MalformedError(f"optimiser {OPTIMISER}: a centre is an integer within ±2^14")
    return value
