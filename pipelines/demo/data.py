"""A real public dataset in a git and DVC repository, in two versions.

The data is scikit-learn's bundled breast-cancer table (Wisconsin Diagnostic Breast Cancer, 569
records, CC BY 4.0). Version 1 lacks the last 29 records and has slips of the pen in seven; version
2 corrects these, removes five records, adds the 29, and is split over three files.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.flow.working import IndexRequest
from pipelines.watching import Watched
from provenance.errors import UnavailableError
from provenance.features import FeatureField, FeatureSpec

NAME: Final = "cells"
LABEL: Final = "malignant"
LATE: Final = 29
SLIPS: Final = range(10, 80, 10)
REMOVED: Final = (3, 33, 133, 233, 333)
FACTS: Final = {
    "licence": "CC-BY-4.0",
    "origin": "UCI Machine Learning Repository, Breast Cancer Wisconsin (Diagnostic)",
    "collection-period": "until 1995",
}
_IDENTITY: Final = ("-c", "user.name=Rootline demo", "-c", "user.email=demo@invalid")


def make_repository(folder: Path, table: pa.Table, environ: dict[str, str]) -> None:
    """Make a git and DVC repository in `folder`, with the tags v1 and v2.

    Raises:
        UnavailableError: git or dvc is missing or failed.
    """
    folder.mkdir(parents=True)
    tool = _Tools(folder, environ)
    tool.git("init", "--quiet")
    tool.dvc("init", "--quiet")
    _write(folder / NAME, [first_version(table)])
    _commit(tool, "v1")
    _write(folder / NAME, split(second_version(table)))
    _commit(tool, "v2")


def load_table() -> pa.Table:
    """Return the bundled table: 30 measurements, the label, and a name for each record."""
    from sklearn.datasets import load_breast_cancer

    bundle = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in bundle.feature_names]
    columns = {name: pa.array(bundle.data[:, i]) for i, name in enumerate(names)}
    columns[LABEL] = pa.array((bundle.target == 0).astype(np.int64))
    columns["sample"] = pa.array([f"WDBC {number:03d}" for number in range(len(bundle.target))])
    return pa.table(columns)


def first_version(table: pa.Table) -> pa.Table:
    """Return the table without its last records, and with a misplaced decimal point in seven."""
    early = table.slice(0, table.num_rows - LATE)
    radius = early["mean_radius"].to_numpy().copy()
    radius[list(SLIPS)] *= 10
    place = early.schema.get_field_index("mean_radius")
    return early.set_column(place, "mean_radius", pa.array(radius))


def second_version(table: pa.Table) -> pa.Table:
    """Return the table with the slips corrected, five records removed, and the late ones added."""
    kept = np.ones(table.num_rows, dtype=bool)
    kept[list(REMOVED)] = False
    return table.filter(pa.array(kept))


def split(table: pa.Table) -> list[pa.Table]:
    """Return the table in three parts."""
    size = -(-table.num_rows // 3)
    return [table.slice(first, size) for first in range(0, table.num_rows, size)]


def feature_spec(table: pa.Table) -> FeatureSpec:
    """Return a spec whose scales give each measurement a spread of about 2**7 digits."""
    fields = []
    for name in table.column_names:
        if name not in (LABEL, "sample"):
            spread = float(np.std(table[name].to_numpy()))
            fields.append(FeatureField(name, 7 - round(float(np.log2(spread)))))
    return FeatureSpec(tuple(fields), FeatureField(LABEL, 0))


def watched(repository: Path, table: pa.Table) -> Watched:
    """Return how the versions of the repository are registered."""
    indexes = (IndexRequest("exact/1"), IndexRequest("text-nfkc-casefold/1", "sample"))
    return Watched(NAME, repository, NAME, indexes, feature_spec(table), dict(FACTS))


class _Tools:
    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder, self._environ = folder, {**os.environ, **environ}

    def git(self, *arguments: str) -> None:
        self._run("git", *_IDENTITY, *arguments)

    def dvc(self, *arguments: str) -> None:
        self._run(sys.executable, "-m", "dvc", *arguments)

    def _run(self, *command: str) -> None:
        try:
            subprocess.run(  # noqa: S603  # fixed words, no shell
                command, cwd=self._folder, env=self._environ, check=True, capture_output=True
            )
        except FileNotFoundError as error:
            raise UnavailableError(f"{command[0]} is not installed: the demo needs it") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise UnavailableError(f"{' '.join(command[:6])} failed: {' '.join(said)}") from error


def _write(folder: Path, parts: list[pa.Table]) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.parquet"):
        path.unlink()
    for number, part in enumerate(parts, 1):
        pq.write_table(part, folder / f"part-{number}.parquet")


def _commit(tool: _Tools, tag: str) -> None:
    tool.dvc("add", "--quiet", NAME)
    tool.git("add", "--all")
    tool.git("commit", "--quiet", "--message", f"{NAME} {tag}")
    tool.git("tag", tag)
