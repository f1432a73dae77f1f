"""A dataset of a few records, and its version registered in a home."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pipelines.flow.catalogue import Version
from pipelines.flow.registering import Request, register
from pipelines.flow.working import IndexRequest
from pipelines.flow.workspace import Workspace
from provenance.features import FeatureField, FeatureSpec
from storage.readers.datasets import Dataset, from_stream

SPEC = FeatureSpec((FeatureField("a", 0), FeatureField("b", 0)), FeatureField("label", 0))
INDEXES = (IndexRequest("exact/1"), IndexRequest("text-nfkc-casefold/1", "name"))


def table(rows: int, first: int = 0) -> Dataset:
    """Return records that a logistic regression could be trained on."""
    numbers = range(first, first + rows)
    columns: dict[str, list[Any]] = {
        "name": [f"row {n}" for n in numbers],
        "a": [37 * n % 200 - 100 for n in numbers],
        "b": [53 * n % 200 - 100 for n in numbers],
        "label": [n % 2 for n in numbers],
    }
    return from_stream(pa.table(columns), name=f"rows {first} to {first + rows}")


@pytest.fixture
def add(space: Workspace) -> Callable[[str, int], Version]:
    """Registers `rows` under a version of so many records."""

    def added(version: str, rows: int) -> Version:
        return register(space, table(rows), Request("rows", version, INDEXES, SPEC))

    return added
