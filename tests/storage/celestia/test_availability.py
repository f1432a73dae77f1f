"""The outline of a square: as many rows as columns, 2k, k a power of two."""

import pytest

from provenance.canonical import Fields
from provenance.errors import MalformedError
from storage.celestia.availability import MAX_SQUARE, DataAvailabilityHeader, check_square
from storage.celestia.nmt import PARITY, Node

NODE = Node(PARITY * 2 + bytes(32))


def outline(rows: int, columns: int) -> DataAvailabilityHeader:
    return DataAvailabilityHeader((NODE,) * rows, (NODE,) * columns)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_an_outline_is_written_as_it_is_read(size: int) -> None:
    found = outline(2 * size, 2 * size)
    assert found.size == size
    assert DataAvailabilityHeader.from_fields(Fields.of(found.to_json(), "dah")) == found


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 0), (1, 1), (2, 4), (4, 2), (3, 3), (5, 5), (6, 6), (2048, 2048)]
)
def test_what_is_no_outline_is_refused(rows: int, columns: int) -> None:
    with pytest.raises(MalformedError):
        outline(rows, columns)


def test_rows_and_columns_are_not_interchangeable() -> None:
    other = Node(bytes(58) + bytes(32))
    one = DataAvailabilityHeader((NODE, NODE), (other, other))
    two = DataAvailabilityHeader((other, other), (NODE, NODE))
    assert one.data_root != two.data_root


@pytest.mark.parametrize("size", [-1, 0, 3, 2 * MAX_SQUARE])
def test_no_square_has_such_a_size(size: int) -> None:
    with pytest.raises(MalformedError, match="power of two"):
        check_square(size)


def test_surplus_members_and_roots_are_refused() -> None:
    found = outline(2, 2).to_json()
    with pytest.raises(MalformedError, match="unknown member"):
        DataAvailabilityHeader.from_fields(Fields.of({**found, "x": []}, "dah"))
    with pytest.raises(MalformedError, match="at most 1024"):
        DataAvailabilityHeader.from_fields(Fields.of({**found, "row_roots": [""] * 1025}, "dah"))
