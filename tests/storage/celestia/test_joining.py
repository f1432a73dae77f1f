"""Shares -> blobs: what strangers may post passes by, what no valid block holds is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import VerificationError
from storage.celestia.joining import join
from storage.celestia.share import Blob, Placed, padding, split

OURS = bytes(19) + b"rootline01"


def head(version: int, size: int, rest: bytes = b"", space: bytes = OURS) -> bytes:
    return (space + bytes([version << 1 | 1]) + size.to_bytes(4, "big") + rest).ljust(512, b"\0")


def more(version: int, rest: bytes = b"", space: bytes = OURS) -> bytes:
    return (space + bytes([version << 1]) + rest).ljust(512, b"\0")


MINE = Blob(OURS, b"mine" * 300)
LARGE = 7 * 2**20 + 1
STRANGERS: dict[str, tuple[bytes, ...]] = {
    "nothing": (),
    "padding": (padding(OURS),),
    "padding after version 1": (padding(OURS, 1), padding(OURS, 1)),
    "padding after version 2": (head(2, 0),),
    "a reference to a blob stored elsewhere": (head(2, 36, b"s" * 20 + b"\0\0\0\1" + b"c" * 32),),
    "a version of another time": (head(90, 2**31, b"?" * 478), *[more(90, b"?" * 482)] * 5),
    "a blob of 7 MiB and a byte": (
        head(0, LARGE, b"x" * 478),
        *[more(0, b"x" * 482)] * ((LARGE - 478) // 482),
        more(0, b"x" * ((LARGE - 478) % 482)),
    ),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_strangers_may_post_is_passed_over(name: str) -> None:
    """It stands before, between and after ours, and changes nothing of what is read of ours."""
    theirs, mine = STRANGERS[name], split(MINE)
    found = join(OURS, (*theirs, *mine, *theirs, *mine, *theirs), 7)
    step = len(theirs) + len(mine)
    assert found == (Placed(MINE, 7 + len(theirs)), Placed(MINE, 7 + len(theirs) + step))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda data, version: split(Blob(OURS, data, version, b"s" * 20 * version)),
                st.binary(min_size=1, max_size=1500),
                st.integers(0, 1),
            ),
            st.sampled_from(list(STRANGERS.values())[:-1]),
        ),
        max_size=8,
    )
)
def test_strangers_blobs_are_read_like_ours(groups: list[tuple[bytes, ...]]) -> None:
    found = join(OURS, [share for group in groups for share in group], 0)
    blobs = [group for group in groups if group and group not in STRANGERS.values()]
    assert [split(each.blob) for each in found] == blobs


IMPOSSIBLE: dict[str, tuple[bytes, ...]] = {
    "a continuation that never began": (more(0), *split(MINE)),
    "a blob cut short": split(MINE)[:-1],
    "a blob with a share too many": (*split(MINE), more(0)),
    "a full share and an empty one": (head(0, 478, b"x" * 478), more(0)),
    "a blob cut short by another": (*split(MINE)[:-1], *split(MINE)),
    "padding that is continued": (padding(OURS), more(0)),
    "padding that hides something": (head(0, 0, b"x"),),
    "a version 1 padding with a signer": (head(1, 0, b"s" * 20),),
    "a blob that is not filled with zeros": (head(0, 3, b"abcd"),),
    "a last share that is not filled with zeros": (*split(MINE)[:-1], split(MINE)[-1][:-1] + b"x"),
    "a blob of two versions": (split(MINE)[0], more(1), more(0)),
    "a large blob cut short": (head(0, LARGE, b"x" * 478), *[more(0)] * 5),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_valid_block_holds_is_refused(name: str) -> None:
    with pytest.raises(VerificationError):
        join(OURS, IMPOSSIBLE[name], 0)
