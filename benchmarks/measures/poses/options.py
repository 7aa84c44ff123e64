"""What options of the pose stage are worth, from the same frames and flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.measures.clips import CLIPS, finished_run
from benchmarks.measures.running import MVFLOW, POSE_STAGES, errors, numbers, posed, recorded, run
from benchmarks.piece import Column, Piece, Place, Row, Table, markdown

OPTIONS = {
    "default": (),
    "points not found again": ("--pose.tracks.find_again=false",),
    "global mapper": ("--pose.mapping.mapper=global",),
}
SETS = ("sample", "livingroom_synthetic", "phone_fox50", "kitti_odometry_30", "strecha_fountain11")


def measure(place: Place, name: str) -> list[Row]:
    """A row for each option."""
    run_dir = finished_run(place, name)
    rows: list[Row] = []
    for label, options in OPTIONS.items():
        source = place.data(CLIPS[name].source)
        run(source, run_dir, "--until", "pose", "--mend=none", *options)
        said = numbers(run_dir, "pose")
        rows.append(
            {
                "set": name,
                "option": label,
                **posed(run_dir),
                **errors(run_dir, place.data(CLIPS[name].truth), "trajectory"),
                "focal_px": float(said["focal_px"]),
                "error_px": float(said["mean_reprojection_error_px"]),
                "cpu_s": recorded(run_dir, "pose")["cpu_s"],
            }
        )
    return rows


def found_again_block(rows: Mapping[str, Sequence[Row]], old: Mapping[str, bool]) -> str:
    """Points found again or not, for docs/poses.md."""
    columns = [column for column in TABLE.columns if column.key not in ("posed", "rotation_deg")]
    wanted = ("default", "points not found again")
    cells = [
        [column.text(row) for column in columns]
        for piece in TABLE.pieces
        for row in rows.get(piece.name, ())
        if row["option"] in wanted
    ]
    aged = [piece.name for piece in TABLE.pieces if old.get(piece.name)]
    note = f"\nOf an older state of the program: {', '.join(aged)}.\n" if aged else ""
    missing = [name for name in SETS if f"pose-options/{name}" not in rows]
    note += f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""
    return markdown([column.heading for column in columns], cells) + note


TABLE = Table(
    "pose-options",
    "Points found again, and the other mapper",
    """
The pose stage with one option changed: `--pose.tracks.find_again false`, `--pose.mapping.mapper
global`; the same frames and flow; nothing is mended. The bounds of the search were chosen on some
of these sets, so this is no test of them. KITTI's true focal length is 707.1 px.
""",
    (
        Column("set", "set"),
        Column("option", "option"),
        Column("posed", "posed"),
        Column("ate_percent", "ATE %", ".4f"),
        Column("rotation_deg", "rotation, °", ".3f"),
        Column("focal_px", "focal px", ".1f"),
        Column("error_px", "error px", ".3f"),
        Column("cpu_s", "CPU s", ".1f"),
    ),
    tuple(
        Piece(
            f"pose-options/{name}",
            partial(measure, name=name),
            POSE_STAGES,
            (MVFLOW,),
            CLIPS[name].data,
            {label: list(options) for label, options in OPTIONS.items()},
        )
        for name in SETS
    ),
)
