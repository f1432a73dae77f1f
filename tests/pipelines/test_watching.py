"""The list of watched datasets: written and read back, strict about what people write into it."""

from pathlib import Path

import pytest

from pipelines.flow.registering import Request
from pipelines.flow.working import IndexRequest
from pipelines.flow.workspace import Workspace
from pipelines.watching import FILE, Watched, find_watched, watch, watched
from provenance.errors import MalformedError
from provenance.features import FeatureField, FeatureSpec

SPEC = FeatureSpec((FeatureField("size", 3),), FeatureField("label", 0))
FULL = Watched(
    "cells",
    Path("/data/cells"),
    "tables/cells",
    (IndexRequest("exact/1"), IndexRequest("domain/1", "page.url")),
    SPEC,
    {"licence": "CC0-1.0"},
)
PLAIN = Watched("notes", Path("/data/notes"), "notes.csv")


def test_nothing_is_watched_at_first(space: Workspace) -> None:
    assert watched(space.home) == ()
    with pytest.raises(MalformedError, match="cells is not watched"):
        find_watched(space.home, "cells")


def test_what_is_watched_is_read_back(space: Workspace) -> None:
    watch(space.home, FULL)
    watch(space.home, PLAIN)
    assert watched(space.home) == (FULL, PLAIN)
    assert find_watched(space.home, "notes") == PLAIN


def test_an_entry_takes_the_place_of_one_with_its_name(space: Workspace) -> None:
    watch(space.home, FULL)
    other = Watched("cells", Path("/data/cells"), "elsewhere")
    watch(space.home, other)
    assert watched(space.home) == (other,)


def test_a_version_is_a_tag_or_a_commit() -> None:
    assert FULL.source("v1").rev == "v1"
    assert FULL.source("git-0123456789abcdef").rev == "0123456789abcdef"


def test_an_entry_says_how_its_versions_are_registered() -> None:
    assert FULL.request("v1") == Request("cells", "v1", FULL.indexes, SPEC, FULL.facts)


def test_what_is_no_name_is_not_watched(space: Workspace) -> None:
    with pytest.raises(MalformedError, match="'Cells' is no dataset's name"):
        watch(space.home, Watched("Cells", Path("/data"), "cells"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind":"rootline/watched/v2","datasets":[]}',
        '{"kind":"rootline/watched/v1","datasets":[],"more":1}',
        '{"kind":"rootline/watched/v1","datasets":[{"name":"cells"}]}',
        (
            '{"kind":"rootline/watched/v1","datasets":[{"name":"cells","repo":"/d","path":"p",'
            '"indexes":[{"normaliser":"exact/1"}],"features":null,"facts":{}}]}'
        ),
        (
            '{"kind":"rootline/watched/v1","datasets":[{"name":"cells","repo":"/d","path":"p",'
            '"indexes":[],"features":null,"facts":{"licence":3}}]}'
        ),
    ],
)
def test_a_damaged_list_is_refused(space: Workspace, text: str) -> None:
    (space.home.path / FILE).write_text(text)
    with pytest.raises(MalformedError):
        watched(space.home)


def test_a_list_written_by_hand_is_read(space: Workspace) -> None:
    """People may lay it out as they like; nobody signs it."""
    text = """
    {"datasets": [{"path": "cells", "repo": "/data", "name": "cells",
                   "facts": {}, "features": null, "indexes": []}],
     "kind": "rootline/watched/v1"}
    """
    (space.home.path / FILE).write_text(text)
    assert watched(space.home) == (Watched("cells", Path("/data"), "cells"),)
