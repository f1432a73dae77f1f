"""Data under DVC by revision: what a path held at a commit, and which commits changed it.

DVC's hashes find files; what is committed to is the files' bytes, read anew. The pointers (`x.dvc`,
`dvc.lock`) are read through git alone, which is quick; DVC itself is imported to copy files.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provenance.errors import MalformedError, ProvenanceError, UnavailableError
from storage.atomic import new_folder
from storage.git import git, resolve, top_folder, tree

LOCK: Final = "dvc.lock"
POINTER: Final = ".dvc"
READ: Final = 2**20


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that changed what a path holds; `fingerprint` is a cursor, and proves nothing."""

    commit: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class DvcSource:
    """A file or folder that DVC tracks, as it was at a revision.

    Attributes:
        repo: Top folder of the DVC repository.
        path: Relative to it, with `/` between names.
        rev: Branch, tag or commit of git.
    """

    repo: Path
    path: str
    rev: str = "HEAD"

    def __post_init__(self) -> None:
        """Raise MalformedError where the path leads out of the repository."""
        if self.path != posixpath.normpath(self.path) or re.match(r"/|\.\.?(/|$)", self.path):
            raise MalformedError(f"{self.path!r} is no plain path inside the DVC repository")

    @property
    def commit(self) -> str:
        """The commit that `rev` names now, in hex.

        Raises:
            MalformedError: There is no such revision, or no repository.
        """
        return resolve(self.repo, self.rev)

    def fingerprint(self) -> str:
        """Return what changes when DVC's pointers to the path change: a cursor for a sensor.

        Raises:
            MalformedError: DVC does not track the path at this revision.
        """
        found = _fingerprint(_pointers(self.repo, self.commit, self.path))
        if found is None:
            raise self._untracked()
        return found

    def revisions(self) -> tuple[Revision, ...]:
        """Return the commits up to this revision that changed what the path holds, oldest first.

        Raises:
            MalformedError: DVC does not track the path at this revision.
        """
        commit = self.commit
        pointers = _pointers(self.repo, commit, self.path)
        if not pointers:
            raise self._untracked()
        log = git(self.repo, "log", "--reverse", "--format=%H", commit, "--", *sorted(pointers))
        found: list[Revision] = []
        for changed in log.decode().split():
            fingerprint = _fingerprint(_pointers(self.repo, changed, self.path))
            if fingerprint and (not found or found[-1].fingerprint != fingerprint):
                found.append(Revision(changed, fingerprint))
        return tuple(found)

    def snapshot(self, destination: Path, cache: Path) -> Path:
        """Return a copy of what the path held, made in the new folder `destination`.

        Args:
            destination: Must not exist; a file `a/b.csv` becomes `destination/b.csv`.
            cache: Where DVC keeps its index; a home's `cache/dvc`.

        Raises:
            MalformedError: No such repository, revision or tracked path, or `destination` exists.
            UnavailableError: An object is neither in DVC's cache nor in its remote, or it is
                damaged; DVC is not installed; the disk is full.
        """
        self.fingerprint()
        name = posixpath.basename(self.path)
        try:
            with new_folder(destination) as folder, _told(self), _opened(self, cache) as files:
                for file in _listed(self, files):
                    _copy(self, files, file, folder / name)
        except FileExistsError as error:
            raise MalformedError(f"{destination} exists: name a new folder") from error
        return destination / name

    def _untracked(self) -> MalformedError:
        return MalformedError(
            f"DVC does not track {self.path} in {self.repo} at {self.rev}: "
            f"run `dvc add {self.path}` and commit, or name a tracked path"
        )


def _pointers(repo: Path, commit: str, path: str) -> dict[str, str]:
    """Return the pointer files of a commit that concern a path, each with what it says of it."""
    found = {}
    for name, object_id in tree(repo, commit).items():
        if name.endswith(POINTER) and _related(name.removesuffix(POINTER), path):
            found[name] = object_id
        elif posixpath.basename(name) == LOCK:
            outputs = _outputs(git(repo, "cat-file", "blob", object_id), posixpath.dirname(name))
            if said := [text for output, text in outputs if _related(output, path)]:
                found[name] = " ".join(sorted(said))
    return found


def _outputs(lock: bytes, folder: str) -> Iterator[tuple[str, str]]:
    """Yield the outputs of a dvc.lock: path in the repository, and the locked hash."""
    from ruamel.yaml import YAML

    for stage in YAML(typ="safe").load(lock).get("stages", {}).values():
        for output in stage.get("outs", []):
            path = posixpath.normpath(posixpath.join(folder, output["path"]))
            yield path, str(sorted((k, str(v)) for k, v in output.items()))


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def _fingerprint(pointers: dict[str, str]) -> str | None:
    if not pointers:
        return None
    text = "\n".join(f"{name} {said}" for name, said in sorted(pointers.items()))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _opened(source: DvcSource, cache: Path) -> Iterator[Any]:
    """Give DVC's file system at a revision, whose root is the DVC repository's top folder."""
    try:
        from dvc.api import DVCFileSystem
        from dvc.config import Config
        from dvc.fs import GitFileSystem
        from dvc.repo import Repo
        from dvc.scm import SCM
    except ImportError as error:
        raise UnavailableError("DVC is not installed: install the extra `dvc`") from error
    top = top_folder(source.repo)
    root = "/" + source.repo.resolve().relative_to(top).as_posix().removeprefix(".")
    # Cache and remotes as they are set up today; relative ones would be taken from "/" otherwise.
    now = Config(str(source.repo / ".dvc"))
    core = now["core"] | {"site_cache_dir": str(cache), "analytics": False, "check_update": False}
    config = {"core": core, "cache": now["cache"], "remote": now["remote"]}
    scm = SCM(str(top))
    files = GitFileSystem(scm=scm, rev=source.commit)
    with Repo(root, fs=files, scm=scm, config=config) as repo:
        yield DVCFileSystem(repo)


def _listed(source: DvcSource, files: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # DVC has no types
    """Return DVC's files at or under the path, all of them."""
    try:
        expected = files.info(source.path)["dvc_info"]["entry"].meta.nfiles
    except (FileNotFoundError, KeyError) as error:
        message = f"{source.path} is not among what DVC tracks at {source.rev}: check the name"
        raise MalformedError(message) from error
    found = files.find(source.path, detail=True).values()
    tracked = [file for file in found if "dvc_info" in file]
    if not tracked or (expected is not None and len(tracked) != expected):
        raise FileNotFoundError(f"{len(tracked)} of {expected} files are known")
    return tracked


def _copy(source: DvcSource, files: Any, file: dict[str, Any], target: Path) -> None:  # noqa: ANN401  # DVC has no types
    """Copy one file to its place at or under `target`, and compare it with its hash."""
    inside = posixpath.relpath(file["name"].lstrip("/"), source.path)
    if ".." in inside.split("/"):
        raise MalformedError(f"DVC lists {inside!r}, which leads out of {source.path}")
    path = target / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    files.get_file(file["name"], str(path))
    entry = file["dvc_info"]["entry"].hash_info
    if entry is not None and entry.name == "md5" and _md5(path) != entry.value:
        raise UnavailableError(
            f"DVC's copy of {file['name']} is damaged: delete {entry.value} from its cache and "
            "run `dvc pull`"
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _told(source: DvcSource) -> Iterator[None]:
    """Turn what DVC and its remotes raise into UnavailableError; a failed write is passed on."""
    where = f"{source.path} at {source.rev}"
    try:
        yield
    except FileNotFoundError as error:
        message = f"{where} is not in DVC's cache or remote ({error}): run `dvc pull`"
        raise UnavailableError(message) from error
    except Exception as error:
        written = isinstance(error, OSError) and not isinstance(
            error, ConnectionError | TimeoutError
        )
        if written or isinstance(error, ProvenanceError):
            raise
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnavailableError(f"DVC cannot read {where}: {line}; try `dvc pull`") from error
