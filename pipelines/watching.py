"""Datasets that are attested whenever DVC has a new revision: a list that people keep.

    {"kind":"rootline/watched/v1","datasets":[{"name":"cells","repo":"/data/cells","path":"cells",
      "indexes":[{"normaliser":"text-nfkc-casefold/1","field":"id"}],"features":null,
      "facts":{"licence":"CC-BY-4.0"}}]}

It lies in the home as `watched.json`. A version's name is a git revision (a tag), or `git-` and the
first 16 digits of a commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.flow.registering import Request
from pipelines.flow.working import IndexRequest
from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError
from provenance.features import FeatureSpec
from storage.atomic import read_bounded, write_atomic
from storage.dvc import DvcSource
from storage.home import Home

KIND: Final = "rootline/watched/v1"
FILE: Final = "watched.json"
BY_COMMIT: Final = "git-"
MAX_WATCHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A dataset in a DVC repository, and how its versions are registered."""

    name: str
    repo: Path
    path: str
    indexes: tuple[IndexRequest, ...] = ()
    features: FeatureSpec | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> JsonObject:
        """The entry as it stands in the list."""
        return {
            "name": self.name,
            "repo": str(self.repo),
            "path": self.path,
            "indexes": [{"normaliser": i.normaliser, "field": i.field} for i in self.indexes],
            "features": self.features.to_json() if self.features else None,
            "facts": dict(self.facts),
        }

    @classmethod
    def of(cls, fields: Fields) -> "Watched":
        """Return the entry that an object holds, or raise MalformedError."""
        facts = fields.inner("facts")
        watched = cls(
            fields.name("name"),
            Path(fields.text("repo")),
            fields.text("path"),
            tuple(_index(item) for item in fields.objects("indexes", 32)),
            fields.optional("features", lambda name: FeatureSpec.from_json(fields.take(name))),
            {name: facts.text(name) for name in sorted(facts.members)},
        )
        fields.done()
        return watched

    def source(self, version: str) -> DvcSource:
        """Return the DVC revision that a version's name stands for."""
        return DvcSource(self.repo, self.path, version.removeprefix(BY_COMMIT))

    def request(self, version: str) -> Request:
        """Return what to register for a version."""
        return Request(self.name, version, self.indexes, self.features, self.facts)


def watched(home: Home) -> tuple[Watched, ...]:
    """Return the list; it is empty until something is watched."""
    path = home.path / FILE
    if not path.exists():
        return ()
    fields = Fields.of(canonical.decode_loose(read_bounded(path, 2**24)), FILE)
    fields.constant("kind", KIND)
    found = tuple(Watched.of(item) for item in fields.objects("datasets", MAX_WATCHED))
    fields.done()
    return found


def watch(home: Home, entry: Watched) -> None:
    """Put a dataset on the list, in place of one of the same name.

    Raises:
        MalformedError: The name is no dataset's name.
    """
    if not canonical.is_name(entry.name):
        raise MalformedError(f"{entry.name[:80]!r} is no dataset's name")
    others = [item for item in watched(home) if item.name != entry.name]
    write_watched(home, [*others, entry])


def write_watched(home: Home, entries: Sequence[Watched]) -> None:
    """Write the list."""
    document: JsonObject = {"kind": KIND, "datasets": [entry.json for entry in entries]}
    write_atomic(home.path / FILE, canonical.encode(document))


def find_watched(home: Home, name: str) -> Watched:
    """Return the watched dataset called `name`, or raise MalformedError."""
    for entry in watched(home):
        if entry.name == name:
            return entry
    raise MalformedError(f"{name} is not watched: `rootline dataset watch` puts it on the list")


def _index(fields: Fields) -> IndexRequest:
    index = IndexRequest(fields.text("normaliser", most=128), fields.text("field"))
    fields.done()
    return index
