"""A child process that looks at inputs as the frames stage does, within bounds of memory.

Reads a path a line from standard input (JSON), and writes what came of it (JSON). A crash of
native code ends the process, a hang is the parent's to end: see `tests/fuzz/watch.py`.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

# Of address space: libraries take half of it without using it.
ADDRESS_SPACE_BYTES = 6 << 30


def look(path: Path) -> list[str]:
    """Choose and store the key frames; returns the warnings."""
    from mvrecon.formats.files import require_input
    from stages.frames.config import FramesConfig
    from stages.frames.decode import KeyFrameSettings, choose_key_frames, write_key_frames

    require_input(path)
    config = FramesConfig(max_size=320)
    table, warnings = choose_key_frames(path, config)
    times_s = [frame.timestamp_s for frame in table.frames]
    assert all(later - time > 0 for time, later in pairwise(times_s)), times_s
    assert json.loads(table.to_json())
    names = {frame.index: frame.name for frame in table.key_frames}
    with tempfile.TemporaryDirectory() as folder:
        settings = KeyFrameSettings(config.max_size, 90, 0.0)
        write_key_frames(path, names, Path(folder), settings, table.kind == "sequence")
        written = {file.stem for file in Path(folder).glob("*.jpg")}
        assert written == set(names.values()), "a key frame is missing"
    return warnings


def outcome(path: Path) -> dict[str, Any]:
    """Exit code, the error or the warnings, and the memory that it took."""
    from mvrecon.errors import MvreconError, one_line

    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from here
    before = _memory_bytes("VmRSS")
    try:
        code, text, trace = 0, one_line("; ".join(look(path))), ""
    except MvreconError as error:
        code, text, trace = error.exit_code, one_line(str(error)), ""
    except Exception as error:
        code, text, trace = 1, one_line(repr(error)), traceback.format_exc()
    taken = max(0, _memory_bytes("VmHWM") - before)
    return {"code": code, "text": text, "trace": trace, "memory_bytes": taken}


def _memory_bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


def main() -> None:
    """Serve until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints
    for line in sys.stdin:
        print(json.dumps(outcome(Path(json.loads(line)))), file=answers, flush=True)


if __name__ == "__main__":
    main()
