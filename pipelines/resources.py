"""The home folder as a Dagster resource."""

import os
from pathlib import Path

import dagster as dg

from pipelines.flow.crews import Crew
from pipelines.flow.workspace import PASSPHRASE, Workspace, use
from provenance.errors import UnavailableError
from storage.home import VARIABLE, Home


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only in its stubs
    """A home folder, by default the one that ROOTLINE_HOME names, and who works for it.

    `workers` is `threads`, `processes`, `ray` or `ray:ADDRESS`, as for `dataset register`.
    """

    path: str = ""
    workers: str = "threads"

    def space(self) -> Workspace:
        """Return the workspace of the home.

        Raises:
            UnavailableError: Neither the resource nor the environment names a home.
        """
        named = self.path or os.environ.get(VARIABLE, "")
        if not named:
            raise UnavailableError(f"{VARIABLE} names no home: `rootline dev` sets it")
        home = Home(Path(named))
        use(home)
        return Workspace(home, os.environ.get(PASSPHRASE), crew=Crew.of(self.workers))
