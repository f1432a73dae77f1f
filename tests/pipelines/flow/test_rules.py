"""What a run names is checked before it is announced: an announcement cannot be taken back."""

from pathlib import Path

import pytest

from pipelines.flow.catalogue import runs
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, UnavailableError
from provenance.replay import INITIAL, OPTIMISER, SAMPLER
from storage.keys import ISSUER
from tests.pipelines.flow.conftest import table

PARAMETERS = {"batch": 4, "epochs": 1, "holdout_permille": 100, "centre": [0], "rate_bits": 1}


@pytest.mark.parametrize(
    ("rules", "parameters", "words"),
    [
        (("shuffle", EXTERNAL, EXTERNAL), {}, "'shuffle' is no rule here"),
        ((SAMPLER, EXTERNAL, EXTERNAL), {}, "member 'batch' is missing"),
        ((SAMPLER, OPTIMISER, INITIAL), {**PARAMETERS, "centre": "x"}, "'centre' must be"),
        ((SAMPLER, OPTIMISER, INITIAL), PARAMETERS, "needs a version with features and a label"),
    ],
)
def test_a_run_that_cannot_be_followed_is_not_announced(
    space: Workspace, rules: tuple[str, str, str], parameters: dict[str, object], words: str
) -> None:
    register(space, table(20), Request("rows", "v1"))
    sampler, optimiser, initial = rules
    with pytest.raises(MalformedError, match=words):
        Run(
            "r",
            train="rows@v1",
            hyperparameters=parameters,
            space=space,
            sampler=sampler,
            optimiser=optimiser,
            initial=initial,
        )
    assert runs(space) == ()


def test_a_home_whose_keys_are_lost_gets_no_new_ones(space: Workspace, tmp_path: Path) -> None:
    assert space.ledger.head() == 1
    for path in space.home.keys.glob(f"{ISSUER}.*.key"):
        path.rename(tmp_path / path.name)
    with pytest.raises(UnavailableError, match="rootline keys restore"):
        Workspace.create(space.home.path)
    assert not list(space.home.keys.glob(f"{ISSUER}.*.key"))
