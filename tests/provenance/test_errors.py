"""Three kinds of error, which never stand for one another."""

import pytest

from provenance.errors import (
    MalformedError,
    ProvenanceError,
    RootMismatchError,
    SignatureError,
    UnavailableError,
    VerificationError,
)

KINDS: tuple[type[ProvenanceError], ...] = (MalformedError, VerificationError, UnavailableError)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_provenance_error_and_none_of_the_others(
    kind: type[ProvenanceError],
) -> None:
    assert issubclass(kind, ProvenanceError)
    assert [other for other in KINDS if issubclass(kind, other)] == [kind]


def test_a_false_root_and_a_false_signature_are_verification_errors() -> None:
    assert issubclass(RootMismatchError, VerificationError)
    assert issubclass(SignatureError, VerificationError)


def test_a_root_mismatch_keeps_both_roots() -> None:
    error = RootMismatchError("aa", "bb")
    assert (error.computed, error.committed) == ("aa", "bb")
    assert str(error) == "the proof leads to aa, not to the committed bb"


def test_errors_on_purpose_are_no_value_errors() -> None:
    assert not issubclass(ProvenanceError, ValueError | OSError | KeyError)
