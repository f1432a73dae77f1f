"""Who may do what: tokens in files that only their owner reads."""

from pathlib import Path

import pytest

from provenance.errors import MalformedError
from storage.celestia.serving.tokens import NAMED, Role, Tokens, token_file


def test_tokens_are_made_once_in_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    first, second = Tokens.kept(tmp_path), Tokens.kept(tmp_path)
    assert first == second
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o600}
    assert len(list(tmp_path.iterdir())) == len(NAMED)


def test_each_token_has_its_role_and_nothing_else_has_one() -> None:
    tokens = Tokens.draw()
    assert [tokens.role(each) for each in (tokens.read, tokens.write, tokens.admin)] == [*NAMED]
    for wrong in ("", "x", tokens.read[:-1], tokens.read + "A", tokens.read.swapcase(), "ü" * 43):
        assert tokens.role(wrong) is None
    assert Role.PUBLIC < Role.READ < Role.WRITE < Role.ADMIN


def test_tokens_are_never_drawn_twice_and_never_shown() -> None:
    one, other = Tokens.draw(), Tokens.draw()
    assert not {one.read, one.write, one.admin} & {other.read, other.write, other.admin}
    assert repr(one) == "Tokens()"


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Tokens.kept(tmp_path)
    token_file(tmp_path, Role.READ).chmod(0o640)
    with pytest.raises(MalformedError, match="chmod 600"):
        Tokens.kept(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 43, b"x" * 5000])
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    Tokens.kept(tmp_path)
    token_file(tmp_path, Role.WRITE).write_bytes(content)
    with pytest.raises(MalformedError):
        Tokens.kept(tmp_path)


def test_two_roles_with_one_token_are_refused(tmp_path: Path) -> None:
    Tokens.kept(tmp_path)
    token_file(tmp_path, Role.READ).write_bytes(token_file(tmp_path, Role.ADMIN).read_bytes())
    with pytest.raises(MalformedError, match="two roles share a token"):
        Tokens.kept(tmp_path)
