"""Become another program that the kernel kills when this one's parent dies, however it dies.

    python tether.py PARENT PROGRAM ARGUMENTS…

A test run that is itself killed cannot stop what it started. On Linux a process can ask for a
signal when its parent ends, and keeps that wish when it becomes another program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the wish was heard
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main()
