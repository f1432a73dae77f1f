"""One measured job: `python -m benchmarks.work JOB ARGUMENTS`, bound to BENCH_CORES cores.

It prints one line of JSON: seconds, processor seconds, MB at the peak above what was there after
imports and a small sample, and what the job says about itself.
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.making import rows_file, text_file
from benchmarks.measuring import SCRATCH

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ.get("BENCH_CORES", "2"))])

import pyarrow as pa  # noqa: E402  # bound to the cores first: it counts them when it is imported
import pyarrow.parquet as pq  # noqa: E402

from pipelines.flow.registering import Request, commit, sign  # noqa: E402
from pipelines.flow.working import IndexRequest  # noqa: E402
from pipelines.flow.workspace import Workspace  # noqa: E402
from provenance.schema import Field, Int, Schema, String  # noqa: E402
from storage.readers.datasets import open_dataset  # noqa: E402

TEXT_SCHEMA = Schema.of(Field("id", Int()), Field("text", String()))
WARM = 100_000
"""Records after which all compiled code is loaded."""
Job = Callable[[Workspace, Path], dict[str, object]]


def commit_path(
    space: Workspace, path: Path, *, name: str = "data", index: bool = False
) -> dict[str, object]:
    """Commit to a file or folder of rows."""
    schema = TEXT_SCHEMA if path.suffix == ".jsonl" else None
    dataset = open_dataset(path, schema=schema)
    indexes = (IndexRequest("exact/1"),) if index else ()
    made = commit(space, dataset, Request(name, "1", indexes))
    return {"records": made.records, "chunks": made.chunks, "root": made.root.hex}


def commit_files(space: Workspace, path: Path) -> dict[str, object]:
    """Commit to a folder whose files are the records."""
    made = commit(space, open_dataset(path, records="files"), Request("data", "1"))
    return {"records": made.records, "root": made.root.hex}


def commit_again(space: Workspace, path: Path) -> dict[str, object]:
    """Commit to the second version, in the home where the first is signed already."""
    made = commit(space, open_dataset(path), Request("data", "2"))
    return {"records": made.records, "root": made.root.hex}


def read_only(_: Workspace, path: Path) -> dict[str, object]:
    """Decode a file as a program would that does nothing with it."""
    if path.suffix == ".jsonl":
        with path.open("rb") as lines:
            return {"records": sum(1 for line in lines if json.loads(line))}
    if path.suffix == ".parquet":
        return {"records": sum(len(b) for b in pq.ParquetFile(path).iter_batches(batch_size=1024))}
    with pa.OSFile(str(path), "r") as file:
        reader = pa.ipc.open_file(file)
        return {
            "records": sum(reader.get_batch(n).num_rows for n in range(reader.num_record_batches))
        }


def sample(path: Path) -> Path:
    """Return a small file of texts of the same format."""
    return text_file(2**22, path.suffix[1:])


def peak() -> float:
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


JOBS: dict[str, Job] = {
    "commit": commit_path,
    "index": lambda space, path: commit_path(space, path, index=True),
    "files": commit_files,
    "again": commit_again,
    "read": read_only,
}


def main(job: str, path: Path, first: Path | None = None) -> None:
    """Measure one job."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    try:
        space = Workspace.create(folder / ".rootline")
        commit_path(space, rows_file(WARM), name="warm", index=job == "index")
        if path.name.startswith("text"):
            commit_path(space, sample(path), name="warm-text")
        if first is not None:
            sign(space, commit(space, open_dataset(first), Request("data", "1")))
        before, wall, cpu = peak(), time.perf_counter(), time.process_time()
        about = JOBS[job](space, path)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps({**took, "peak": peak() - before, "about": about}))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:4]))
