"""A lack of memory is an error that names the stage, in this process and in a child."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.processes.memory import is_lack_of_memory, machine_bytes
from mvrecon.errors import OutOfMemoryError

MIB = 1024**2
PROGRAM = """
import sys
from pathlib import Path
from mvrecon.engine.processes.memory import limit_memory
from mvrecon.errors import MvreconError
from tests.engine import toy
from tests.engine.processes import test_memory

folder, limit_mib, isolated = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "child"
limit_memory(limit_mib * 1024**2)
stage = test_memory.hungry_stage(isolated)
try:
    toy.make_runner(folder, "one", stages=(stage,)).run("lines")
    print("done")
except MvreconError as error:
    print(error)
"""


def take(size_mib: int) -> int:
    return len(bytearray(size_mib * MIB))


def hungry_stage(isolated: bool):  # type: ignore[no-untyped-def]
    """A stage that takes 600 MiB."""
    import dataclasses

    from mvrecon.engine.stage import Summary
    from tests.engine import toy

    def run(context):  # type: ignore[no-untyped-def]
        context.isolated(take, 600) if isolated else take(600)
        return Summary()

    return dataclasses.replace(toy.LINES, run=run)


@pytest.mark.parametrize("where", ["here", "child"])
@pytest.mark.parametrize(("limit_mib", "says"), [(400, "lines ran out of memory"), (4000, "done")])
def test_beyond_the_limit_a_stage_ends_with_an_error(
    tmp_path: Path, where: str, limit_mib: int, says: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(limit_mib), where]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert says in done.stdout


def killed_by_the_system() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_that_the_system_killed_was_short_of_memory(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError, match="stage toy ran out of memory"):
        run_isolated(killed_by_the_system, (), tmp_path / "log", "toy")


def test_libraries_say_it_in_their_own_words() -> None:
    assert is_lack_of_memory(MemoryError())
    assert is_lack_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert is_lack_of_memory(RuntimeError("(-4:Insufficient memory) Failed to allocate 9 bytes"))
    assert not is_lack_of_memory(RuntimeError("shapes do not match"))


def test_the_machine_has_memory() -> None:
    assert machine_bytes() > 64 * MIB
