"""The child's side of `isolate`: run one function, send back what it returns or raises.

Started as `python -m mvrecon.engine.processes.child FUNCTION PIPE_FD` with the framed arguments on
standard input, which the parent then keeps open: when it closes, the parent is gone. Linux tells
that sooner, even where native code keeps Python's threads from running.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from typing import Any

from mvrecon.engine.processes import channel
from mvrecon.interrupts import end_with_parent


def resolve(reference: str) -> Any:
    """The object that `module:qualified.name` names."""
    module_name, _, qualified_name = reference.partition(":")
    target: Any = importlib.import_module(module_name)
    for name in qualified_name.split("."):
        target = getattr(target, name)
    return target


def main() -> None:
    """Read the arguments, call the function, send the outcome."""
    reference, pipe_fd = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL)
    channel.connect(pipe_fd)
    arguments = _read_arguments()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        outcome = channel.ResultMessage(resolve(reference)(*arguments), raised=False)
    except Exception as error:
        outcome = channel.ResultMessage(error, raised=True)
    channel.send(outcome)
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries may crash while they unload; the result is already sent.
    os._exit(0)


def _read_arguments() -> tuple[Any, ...]:
    buffer = bytearray()
    while (arguments := channel.take_message(buffer)) is None:
        chunk = os.read(sys.stdin.fileno(), 1 << 20)
        if not chunk:
            os._exit(1)
        buffer += chunk
    return tuple(arguments)


def _die_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
