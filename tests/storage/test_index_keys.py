"""Keys sorted by way of the disk against a sorted set."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, UnavailableError
from provenance.exclusion_arrays import key_array
from storage.index_keys import LEAST, KeySorter

ROOT: Final = Path(__file__).parents[2]

# Few different keys, many different ones, and both ends
KEYS = st.one_of(
    st.integers(0, 5),
    st.integers(0, 10_000),
    st.integers(0, 10_000).map(lambda number: number << 234),
    st.just(2**248 - 1),
)


def written(numbers: list[int]) -> list[bytes]:
    return [number.to_bytes(31, "big") for number in numbers]


@given(st.lists(st.lists(KEYS, max_size=30), max_size=12), st.integers(1, 40))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_keys_come_in_order_and_once(tmp_path: Path, batches: list[list[int]], run: int) -> None:
    with KeySorter(tmp_path, run) as sorter:
        for batch in batches:
            sorter.add(key_array(written(batch)))
        found = [row.tobytes() for block in sorter.ordered() for row in block]
    expected = sorted({key for batch in batches for key in written(batch)})
    assert found == [b"\0" + key for key in expected]
    assert list(tmp_path.iterdir()) == []


def test_runs_longer_than_what_is_read_of_them_are_merged_in_blocks(tmp_path: Path) -> None:
    numbers = np.random.default_rng(2).integers(0, 256, (40 * LEAST, 31), dtype=np.uint8)
    with KeySorter(tmp_path, 4 * LEAST) as sorter:
        sorter.add(numbers)
        sorter.add(numbers[::-7])
        blocks = list(sorter.ordered())
    assert len(blocks) > 3
    assert max(map(len, blocks)) <= 12 * LEAST  # a piece of each run
    found = np.concatenate(blocks)
    assert [row.tobytes() for row in found[:, 1:]] == sorted(map(bytes, numbers))


def peak_bytes(folder: Path, count: int) -> int:
    """The most memory that was held while so many keys were sorted, 2**12 at a time."""
    keys = np.random.default_rng(3).integers(0, 256, (count, 31), dtype=np.uint8)
    tracemalloc.start()
    try:
        with KeySorter(folder, 2**12) as sorter:
            sorter.add(keys)
            assert sum(map(len, sorter.ordered())) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_keys(tmp_path: Path) -> None:
    assert peak_bytes(tmp_path, 2**17) < 1.2 * peak_bytes(tmp_path, 2**14)


def test_few_keys_never_leave_memory(tmp_path: Path) -> None:
    with KeySorter(tmp_path, 100) as sorter:
        for _ in range(10):
            sorter.add(key_array(written(list(range(50)))))
        assert list(tmp_path.iterdir()) == []
        assert sum(map(len, sorter.ordered())) == 50


def fail_after_spilling(folder: Path) -> None:
    with KeySorter(folder, 10) as sorter:
        sorter.add(key_array(written(list(range(100)))))
        (path,) = folder.iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        raise KeyError


def test_a_temporary_file_is_its_owners_alone_and_goes_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_after_spilling(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_array_of_keys_is_refused(tmp_path: Path) -> None:
    with KeySorter(tmp_path) as sorter, pytest.raises(MalformedError, match="rows of 31"):
        sorter.add(np.zeros((2, 32), np.uint8))


def test_a_temporary_file_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    with KeySorter(tmp_path, 10) as sorter:
        sorter.add(key_array(written(list(range(100)))))
        (path,) = tmp_path.iterdir()
        os.truncate(path, 32 * 15)
        with pytest.raises(UnavailableError, match="was cut off: run this again"):
            list(sorter.ordered())


def test_a_folder_that_is_missing_is_said_in_a_line(tmp_path: Path) -> None:
    with KeySorter(tmp_path / "gone", 10) as sorter, pytest.raises(UnavailableError, match="gone"):
        sorter.add(key_array(written(list(range(100)))))


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from provenance.errors import UnavailableError
from storage.index_keys import KeySorter
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
keys = np.random.default_rng(1).integers(0, 256, (10_000, 31), dtype=np.uint8)
try:
    with KeySorter(Path(sys.argv[1]), 1000) as sorter:
        sorter.add(keys)
except UnavailableError as error:
    print(error)
"""


def test_a_full_disk_is_said_in_a_line_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "the disk, quota or size limit is full; free space" in done.stdout
    assert list(tmp_path.iterdir()) == []
