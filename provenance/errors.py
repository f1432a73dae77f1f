"""Every error the project raises on purpose.

- ProvenanceError
  - MalformedError: the input is not what it claims to be; reject it
  - VerificationError: well formed, but false; reject and report it
    - RootMismatchError
    - SignatureError
  - UnavailableError: could not find out; says nothing about the claim, try again

A caller can do three things, so there are three kinds. "Could not find out" is never "false".
"""


class ProvenanceError(Exception):
    """Base of every error raised on purpose."""


class MalformedError(ProvenanceError):
    """The input cannot be decoded into the expected shape."""


class VerificationError(ProvenanceError):
    """The input is well formed, but its claim does not hold."""


class RootMismatchError(VerificationError):
    """A proof leads to a root other than the committed one."""

    def __init__(self, computed: str, committed: str) -> None:
        super().__init__(f"the proof leads to {computed}, not to the committed {committed}")
        self.computed = computed
        self.committed = committed


class SignatureError(VerificationError):
    """No trusted key made this signature."""


class UnavailableError(ProvenanceError):
    """The answer could not be had now; it says nothing about the claim."""
