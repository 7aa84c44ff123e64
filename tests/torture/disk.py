"""A disk that is full in each stage: a small file system in a mount namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from stages.pipeline import STAGE_NAMES
from tests.torture.small_run import SmallRun, digests, left_over, manifests
from tests.torture.strikes import Book

AMPLE = 512 * 1024**2
# Of what a stage's result takes: full at its begin, in the middle, and near its end.
SHARES = (0.02, 0.5, 0.9)
FULL = "No space left"


def stored_bytes(manifest: Path) -> int:
    """Size of a stage's result on the disk."""
    return sum(path.stat().st_blocks * 512 for path in manifest.parent.rglob("*"))


def resize(folder: Path, size: int) -> None:
    """Make the file system larger or smaller, not below what is in it."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def out_of_disk(folder: Path, whole: Path, book: Book) -> None:
    """Let the disk be full in each stage, three times, then make room and go on.

    To be called in a mount namespace of its own.
    """
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={AMPLE}", "tmpfs", str(folder)], check=True
    )
    run_dir = folder / "run"
    for stage in STAGE_NAMES:
        needed = stored_bytes(manifests(whole)[stage])
        for share in SHARES:
            used = shutil.disk_usage(folder).used
            resize(folder, used + max(4096, round(share * needed)))
            run = SmallRun(run_dir, stage)
            status = run.process.wait()
            last = (run.words().strip().splitlines() or [""])[-1]
            resize(folder, AMPLE)
            is_right = status == 2 and FULL in last and "Traceback" not in run.words()
            if status == 0:
                break  # what was left from the time before leaves room enough
            book.add(
                {
                    "fault": "full disk",
                    "place": stage,
                    "share": share,
                    "wrong end": "" if is_right else f"{status}: {run.words()}",
                }
            )
        SmallRun(run_dir, stage).end()
    SmallRun(run_dir).end()
    other = [k for k, v in digests(run_dir).items() if digests(whole)[k] != v]
    found = {"fault": "full disk lap", "other results": other, "made twice": []}
    book.add(found | {"left over": left_over(run_dir)})
