"""The program `mvrecon`, in a process of its own; `python -m mvrecon` is the same."""

import shlex
import sys
from typing import NoReturn

from mvrecon.interrupts import ended_by_signals


def program() -> NoReturn:
    """Run the command line's command, and end when told to, with a word on how to go on."""
    command = shlex.join(["mvrecon", *sys.argv[1:]])
    with ended_by_signals(f"mvrecon: interrupted; go on with: {command}"):
        # Within, as it takes a while in which a person may think better of it.
        from mvrecon.cli import main

        sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    program()
