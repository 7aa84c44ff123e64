"""The child's side of `isolate`: run one function, send back what it returns or raises.

Started as `python -m mvrecon.engine.child FUNCTION RESULT_FD` with the pickled arguments on
standard input, which the parent then keeps open: when it closes, the parent is gone.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import struct
import sys
import threading
from typing import Any

LENGTH = struct.Struct("<Q")


def resolve(reference: str) -> Any:
    """The object that `module:qualified.name` names."""
    module_name, _, qualified_name = reference.partition(":")
    target: Any = importlib.import_module(module_name)
    for name in qualified_name.split("."):
        target = getattr(target, name)
    return target


def _die_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> None:
    """Read the arguments, call the function, write the outcome."""
    reference, result_fd = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    size = LENGTH.unpack(_read_exactly(sys.stdin.fileno(), LENGTH.size))[0]
    arguments = pickle.loads(_read_exactly(sys.stdin.fileno(), size))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        outcome = (True, resolve(reference)(*arguments))
    except Exception as error:
        outcome = (False, error)
    with os.fdopen(result_fd, "wb") as results:
        pickle.dump(outcome, results)
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries may crash while they unload; the result is already sent.
    os._exit(0)


def _read_exactly(descriptor: int, size: int) -> bytes:
    chunks = []
    while size:
        chunk = os.read(descriptor, min(size, 1 << 20))
        if not chunk:
            os._exit(1)
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


if __name__ == "__main__":
    main()
