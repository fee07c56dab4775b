"""
Run a command that ends when its parent ends, however the parent ends.

Run as a script: `python bound_process.py PARENT_PID SIGNAL COMMAND ...`. It asks the kernel for the signal at the
parent's death and then becomes the command. Doing this between fork and exec instead (`preexec_fn`) can deadlock in a program with
threads. Only Linux has it; elsewhere the command runs unbound.

Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the kernel was asked
    os.execv(command[0], command)  # noqa: S606 - the command is what the supervisor gave, no shell is involved


if __name__ == "__main__":
    main()
