"""The pipeline from Python: what `mvrecon run` does, and its results as arrays.

import mvrecon

run = mvrecon.run("clip.mp4", depth={"max_size": 480})
run.mesh.points.xyz_n3, run.cameras["000000"].world_from_cam, run.depth("000000").depth_hw
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvrecon.errors import InputError, UsageError

if TYPE_CHECKING:
    from mvrecon.artifacts.depth import DepthMap
    from mvrecon.artifacts.poses import PosedFrame
    from mvrecon.formats.mesh import Mesh, PointCloud
    from mvrecon.formats.textured_mesh import TexturedMesh


@dataclass(frozen=True)
class Run:
    """The results of a run directory, each read when it is first asked for.

    Every one raises `InputError` where the run has not made it.

    Attributes:
        folder: the run directory.
    """

    folder: Path

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh with colours, normals and confidence of its vertices."""
        from mvrecon.formats.mesh import read_mesh_ply

        return read_mesh_ply(self._file("mesh.ply"))

    @cached_property
    def textured_mesh(self) -> TexturedMesh:
        """The mesh with its texture, at its own budget of faces."""
        from mvrecon.formats.textured_mesh import read_textured_glb

        return read_textured_glb(self._file("mesh.glb"))

    @cached_property
    def cloud(self) -> PointCloud:
        """The oriented point cloud."""
        from mvrecon.formats.mesh import read_cloud_ply

        return read_cloud_ply(self._file("cloud.ply"))

    @cached_property
    def cameras(self) -> dict[str, PosedFrame]:
        """Posed key frames by name, in order: pinhole camera, `world_from_cam`, time."""
        from mvrecon.artifacts.poses import POSES_ITEM, load_poses
        from mvrecon.engine.store import Store

        pose = Store(self.folder / "store").latest("pose")
        if pose is None:
            raise InputError(f"{self.folder} has no cameras", "Run it at least until pose")
        return {frame.name: frame for frame in load_poses(pose.path(POSES_ITEM))}

    def depth(self, name: str) -> DepthMap:
        """Depth map and confidence of a posed key frame, by its name in `cameras`."""
        from mvrecon.artifacts.depth import DepthMap

        return DepthMap.load(self._file(f"depth/{name}.npz"))

    def export(self, name: str, folder: Path | str | None = None) -> Path:
        """What `mvrecon export --format NAME` does; the file or folder made."""
        from mvrecon.export.formats import export

        return export(self.folder, name, Path(folder or self.folder / "export"))

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise InputError(f"{self.folder} has no {name}", "Run it to the end with mvrecon.run")
        return path


def run(
    source: Path | str | Sequence[Path | str],
    output: Path | str | None = None,
    *,
    preset: str = "default",
    until: str | None = None,
    workers: int | None = None,
    use: Sequence[str] = (),
    **options: Mapping[str, Any],
) -> Run:
    """Reconstruct a video or an image folder; what is there already is not made again.

    Args:
        source: a video file or an image folder; several of one scene become one model.
        output: run directory; by default INPUT's name with `.mvrecon`, where the program runs.
        preset: a shipped one, or a TOML file.
        until: the last stage to run; all if None.
        workers: threads; all cores if None.
        use: stages of other packages, by the names of their entry points.
        options: of each stage, by its name: `depth={"max_size": 480}`, names dotted or nested as in
            a preset.

    Raises:
        MvreconError: wrong options, unusable input, or not enough in it.
    """
    from mvrecon.commands.pipelines import PIPELINES, RUN
    from mvrecon.commands.running import How, carry_out
    from mvrecon.config import load_preset, merge_options
    from mvrecon.run_dir import RunRecord

    sources = [source] if isinstance(source, Path | str) else source
    first, *more = map(Path, sources)
    names = PIPELINES[RUN].names
    if until is not None and until not in names:
        raise UsageError(f"no stage {until!r}", f"The stages are {', '.join(names)}")
    run_dir = Path(output or f"{first.resolve().stem}.mvrecon")
    merged = merge_options([load_preset(preset), options])
    record = RunRecord(first, merged, used=tuple(use), more_inputs=tuple(more))
    carry_out(run_dir, record, How(until or names[-1], workers=workers))
    return Run(run_dir)


def open_run(run_dir: Path | str) -> Run:
    """The results of a run that was made before.

    Raises:
        UsageError: this is not a run directory.
    """
    from mvrecon.run_dir import RunRecord

    RunRecord.load(Path(run_dir))
    return Run(Path(run_dir))
