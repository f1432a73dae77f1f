"""Data to measure with, made from a seed and kept between runs."""

from collections.abc import Callable
from pathlib import Path
from string import ascii_letters, digits
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.measuring import SCRATCH

TEXT: Final = 4096
"""Bytes of text in a record, about."""


def rows(count: int, seed: int = 0) -> pa.Table:
    """Return records of six integers, four floats and a string: 106 bytes each, encoded."""
    source = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        f"i{at}": pa.array(source.integers(-(2**40), 2**40, count)) for at in range(6)
    }
    columns |= {f"f{at}": pa.array(source.standard_normal(count)) for at in range(4)}
    columns["s"] = strings(source, source.integers(4, 36, count))
    return pa.table(columns)


def texts(size: int) -> pa.Table:
    """Return records of a number and about 4 KiB of text, so many bytes in all."""
    source, count = np.random.default_rng(1), size // TEXT
    text = strings(source, source.integers(TEXT - 512, TEXT + 512, count))
    return pa.table({"id": pa.array(range(count)), "text": text})


def strings(source: np.random.Generator, lengths: NDArray[np.int64]) -> pa.StringArray:
    """Return strings of these lengths, of 64 letters, digits and blanks."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    letters = np.frombuffer((ascii_letters + digits + "  ").encode(), np.uint8)
    data = letters[source.integers(0, 64, int(offsets[-1]), dtype=np.uint8)]
    buffers = (pa.py_buffer(offsets.tobytes()), pa.py_buffer(data.tobytes()))
    return pa.StringArray.from_buffers(len(lengths), *buffers)


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """Return the file or folder of this name, made if it is not there."""
    path = SCRATCH / name
    if not path.exists():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        unfinished = SCRATCH / f".{name}"
        make(unfinished)
        unfinished.rename(path)
    return path


def rows_file(count: int) -> Path:
    """Return a Parquet file of so many records, written a million at a time."""

    def make(path: Path) -> None:
        step = min(count, 10**6)
        with pq.ParquetWriter(path, rows(1).schema) as writer:
            for seed in range(count // step):
                writer.write_table(rows(step, seed))

    return kept(f"rows-{count}.parquet", make)


def hundred_files(version: int) -> Path:
    """Return a folder of 100 Parquet files of 10,000 records; in version 2, 1 % of one differ."""

    def make(folder: Path) -> None:
        folder.mkdir()
        for number in range(100):
            table = rows(10_000, number)
            if version == 2 and number == 41:
                changed = table["i0"].to_numpy().copy()
                changed[::100] += 1
                table = table.set_column(0, "i0", pa.array(changed))
            pq.write_table(table, folder / f"part-{number}.parquet")

    return kept(f"hundred-{version}", make)


def small_files(count: int = 20_000) -> Path:
    """Return a folder of files of about 1 KiB, 100 a folder inside."""

    def make(folder: Path) -> None:
        source = np.random.default_rng(2)
        for number in range(count):
            place = folder / f"{number // 100:03d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.txt").write_bytes(source.bytes(int(source.integers(512, 1536))))

    return kept(f"files-{count}", make)


def text_file(size: int, suffix: str) -> Path:
    """Return a file of texts: `arrow`, `parquet` or `jsonl`."""

    def make(path: Path) -> None:
        table = texts(size)
        if suffix == "arrow":
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table, max_chunksize=1024)
        elif suffix == "parquet":
            pq.write_table(table, path, compression="snappy", row_group_size=16_384)
        else:
            write_lines(path, table)

    return kept(f"text-{size}.{suffix}", make)


def write_lines(path: Path, table: pa.Table) -> None:
    """Write JSONL; the texts hold nothing that has to be escaped."""
    with path.open("w") as file:
        for batch in table.to_batches(max_chunksize=4096):
            pairs = zip(batch["id"].to_pylist(), batch["text"].to_pylist(), strict=True)
            file.writelines(f'{{"id":{number},"text":"{text}"}}\n' for number, text in pairs)
