"""Policies to start from."""

from pathlib import Path

from pipelines.flow.auditing import policy_for
from pipelines.flow.workspace import Workspace


def test_two_homes_policies_merged_are_two_issuers(tmp_path: Path) -> None:
    """Keys of one name are one issuer: a default name would let one sign in the other's log."""
    made = []
    for name in ("one", "two"):
        space = Workspace.create(tmp_path / name)
        made += [policy_for(space, name=name, require=()) for _ in range(2)]
    names = [issuer.name for policy in made for issuer in policy.issuers]
    assert names[0] == names[1] != names[2] == names[3]
