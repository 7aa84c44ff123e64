"""Drives the child of `tests/fuzz/look.py`: ends it when it hangs, starts another when it dies."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.conftest import REPOSITORY

LONGEST_S = 60.0  # of tiny inputs, on a loaded machine
CRASHED, HUNG = -1, -2


@dataclass(frozen=True)
class Outcome:
    """What came of an input: `code` as the program would exit, or CRASHED, or HUNG."""

    code: int
    text: str
    trace: str = ""
    memory_bytes: int = 0


class Watched:
    """A child that looks at inputs, replaced whenever one ends it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def look(self, path: Path) -> Outcome:
        """Let the child look at an input."""
        child = self._child or self._start()
        assert child.stdin
        assert child.stdout
        child.stdin.write(json.dumps(str(path)) + "\n")
        child.stdin.flush()
        ready, _, _ = select.select([child.stdout], [], [], LONGEST_S)
        if not ready:
            self._end()
            return Outcome(HUNG, f"no answer within {LONGEST_S:.0f} s")
        answer = child.stdout.readline()
        if not answer:
            status = child.wait()
            self._child = None
            return Outcome(CRASHED, f"ended with status {status}")
        return Outcome(**json.loads(answer))

    def _start(self) -> subprocess.Popen[str]:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.look"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        return self._child

    def _end(self) -> None:
        if self._child:
            self._child.kill()
            self._child.communicate()
            self._child = None
