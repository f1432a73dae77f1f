"""The demo's training script: exact fixed-point SGD in numpy, recorded in a handful of lines.

It computes what `provenance.replay.Logistic` states, vectorised: an auditor who runs a step again
with the slow, obvious text must get the same integers.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.flow.recording import Run
from pipelines.flow.workspace import Workspace
from provenance.canonical import Json
from provenance.features import FeatureSpec, values
from provenance.record import Record
from provenance.training import Run as RunStatement
from storage.readers.datasets import Dataset

Integers = NDArray[np.int64]

EPOCHS: Final = 3
BATCH: Final = 16


def train(
    space: Workspace, name: str, label: str, spec: FeatureSpec, dataset: Dataset
) -> RunStatement:
    """Return the registered run of a logistic regression on a dataset version name@version."""
    records: list[Record] = list(dataset.records())
    rows = np.array([values(spec, record) for record in records], dtype=np.int64)
    centre = np.rint(rows[:, :-1].mean(axis=0)).astype(np.int64)
    parameters: dict[str, Json] = {
        "batch": BATCH,
        "epochs": EPOCHS,
        "holdout_permille": 200,
        "rate_bits": 1,
        "centre": [int(value) for value in centre],
    }
    inputs, labels = rows[:, :-1] - centre, rows[:, -1]
    weights = np.zeros(inputs.shape[1] + 1, dtype=np.int64)
    with Run(name, train=label, hyperparameters=parameters, space=space, dataset=dataset) as run:
        for batch in run.plan.batches:
            chosen = list(batch)
            weights = step(weights, inputs[chosen], labels[chosen], rate_bits=1)
            run.step(batch, weights)
        held = list(run.plan.held_out)
        right = (probability(weights, inputs[held]) > 512) == (labels[held] == 1)
        accuracy = round(float(right.mean()), 4)
        return run.finish(weights.tobytes(), {"accuracy": accuracy, "held_out": len(held)})


def probability(weights: Integers, inputs: Integers) -> Integers:
    """Return the hard sigmoid at scale 2**10 for rows of inputs without their centre."""
    z = inputs @ weights[:-1] + (weights[-1] << 7)
    return np.clip(512 + rounded(z, 512), 0, 1024)


def step(weights: Integers, inputs: Integers, labels: Integers, *, rate_bits: int) -> Integers:
    """Return the weights after one step on a batch: inputs (rows, features), labels (rows,)."""
    errors = probability(weights, inputs) - 1024 * labels
    gradients = np.append(errors @ inputs, errors.sum() << 7)
    return weights - rounded(gradients, len(labels) << (7 + rate_bits))


def rounded(value: Integers, divisor: int) -> Integers:
    """Return `value` / `divisor` to the nearest integer, halves upwards."""
    return (2 * value + divisor) // (2 * divisor)
