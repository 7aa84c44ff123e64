"""How long many videos would take on many machines, from what some runs here took.

python -m benchmarks.tools.fleet RUN_DIR … [--videos 10000] [--machines 100] [--cores 4]
    [--markdown FILE]

Calculated, not measured: every video is taken to be as the runs given are on average, every core
as fast as here, and the shared file system as fast as it is asked to be; how fast that is, is told.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.piece import markdown
from mvrecon.engine.store import Artifact, Store
from stages.pipeline import PIPELINE

MIB, TIB = 1024**2, 1024**4
# Of a machine's cores, those that two runs at once keep at work: stages that run in one thread
# leave the others idle (measured: processor by elapsed time of the pipeline is 1.5 on 2 cores).
EFFICIENCY = 0.75
# Calls to the file system for an item: open, write, sync, rename, its line in the journal (open,
# write), its claim and its release, and when it is looked for.
CALLS_AN_ITEM = 10


@dataclass(frozen=True)
class Typical:
    """What a video takes, on average over some runs."""

    cpu_s: float
    shared_cpu_s: float
    stored_bytes: float
    items: float

    @classmethod
    def of(cls, run_dirs: list[Path]) -> Typical:
        """Average over run directories."""
        cpu_s = shared_s = stored = items = 0.0
        for stage in PIPELINE:
            for run_dir in run_dirs:
                result = Store(run_dir / "store").latest(stage.name)
                if result is None:
                    raise SystemExit(f"{run_dir} has no result of the stage {stage.name}")
                cpu_s += _cpu_s(result)
                shared_s += _cpu_s(result) if stage.shares_items else 0.0
                stored += result.size_bytes
                items += len(result.names())
        count = len(run_dirs)
        return cls(cpu_s / count, shared_s / count, stored / count, items / count)


def _cpu_s(result: Artifact) -> float:
    return float(result.manifest["recorded"]["cpu_s"])


def main() -> None:
    """Calculate, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dirs", type=Path, nargs="+")
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--longest", type=float, default=20.0, help="videos' lengths, longest/mean")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    one = Typical.of(options.run_dirs)
    busy_s = options.videos * one.cpu_s / (options.machines * options.cores * EFFICIENCY)
    # The longest video begun last, by two threads alone and with the others' help.
    longest_s = options.longest * one.cpu_s / 2 / EFFICIENCY
    unshared_share = 1 - one.shared_cpu_s / one.cpu_s
    rows = [
        ("a video: processor time", f"{one.cpu_s:.0f} s"),
        ("… of it in stages whose items workers share", f"{100 * (1 - unshared_share):.0f} %"),
        ("… stored", f"{one.stored_bytes / MIB:.0f} MiB in {one.items:.0f} items"),
        ("all videos: processor time", f"{options.videos * one.cpu_s / 3600:.0f} h"),
        ("all machines busy for", f"{busy_s / 3600:.1f} h"),
        (
            f"a video {options.longest:g} times as long, begun last",
            f"{longest_s / 3600:.2f} h more",
        ),
        ("… with the help of idle workers, at least", f"{unshared_share * longest_s / 3600:.2f} h"),
        ("stored in all", f"{options.videos * one.stored_bytes / TIB:.1f} TiB"),
        (
            "written a second, all together",
            f"{options.videos * one.stored_bytes / MIB / busy_s:.0f} MiB",
        ),
        (
            "calls to the file system a second, all together",
            f"{CALLS_AN_ITEM * options.videos * one.items / busy_s:.0f}",
        ),
    ]
    names = " ".join(run_dir.name for run_dir in options.run_dirs)
    head = "# Many videos on many machines\n\n"
    head += f"`python -m benchmarks.tools.fleet` on runs of {names}: {options.videos:,} videos on "
    head += f"{options.machines} machines of {options.cores} cores.\n\n"
    text = head + markdown(("", "calculated"), rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
