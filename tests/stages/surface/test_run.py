from dataclasses import replace

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from mvrecon.artifacts.depth import depth_item
from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import POSES_ITEM, poses_to_json
from mvrecon.config import build_configs
from mvrecon.engine.config import option_fields
from mvrecon.engine.partial import PartialArtifact
from mvrecon.errors import InputError, UsageError
from mvrecon.formats.mesh import read_cloud_ply, read_mesh_ply
from stages.surface.config import SurfaceConfig
from stages.surface.stage import STAGE
from tests.stages.surface.scenes import (
    depth_map,
    distance_to_scene,
    exact_depth,
    make_frames,
    make_image,
)


class Folder:
    """Read access to items in a folder, as the engine gives it."""

    def __init__(self, root):
        self.root = root

    def names(self, prefix=""):
        files = (str(path.relative_to(self.root)) for path in self.root.rglob("*.*"))
        return sorted(name for name in files if name.startswith(prefix))

    def path(self, name):
        return self.root / name


class Context:
    def __init__(self, root, config):
        self.config = config
        self.inputs = {name: Folder(root / name) for name in STAGE.needs}
        self.out = PartialArtifact(root / "surface")
        self.workers = 2

    def track(self, items, unit, total=None):
        return iter(items)


@pytest.fixture
def context(tmp_path):
    """Eight posed frames, the last of which has no depth map."""
    frames = make_frames()
    (tmp_path / "pose" / "images").mkdir(parents=True)
    for stage in ("depth", "fusion"):
        (tmp_path / stage / "depth").mkdir(parents=True)
    (tmp_path / "pose" / POSES_ITEM).write_text(poses_to_json(frames))
    for frame in frames:
        image = np.ascontiguousarray(make_image(frame)[..., ::-1])
        cv2.imwrite(str(tmp_path / "pose" / image_item(frame.name)), image)
    for frame in frames[:-1]:
        for stage in ("depth", "fusion"):
            depth_map(frame, exact_depth(frame)).save(tmp_path / stage / depth_item(frame.name))
    return Context(tmp_path, SurfaceConfig(volume={"voxel_size": 0.06}))


def test_stage_makes_what_it_publishes(context):
    summary = STAGE.run(context)
    assert set(STAGE.publishes) == {"mesh.ply", "mesh.glb", "cloud.ply"}
    assert all(context.out.has(item) for item in STAGE.publishes.values())
    assert summary.numbers["views"] == 7
    mesh = read_mesh_ply(context.out.path("mesh.ply"))
    assert len(mesh.faces_m3) == summary.numbers["faces"]
    assert np.median(distance_to_scene(mesh.points.xyz_n3)) < 0.01
    cloud = read_cloud_ply(context.out.path("cloud.ply"))
    assert len(cloud.xyz_n3) == summary.numbers["cloud_points"]
    assert 0 < cloud.confidence_n.min() <= cloud.confidence_n.max() <= 1


def test_a_missing_image_is_an_input_error(context):
    (context.inputs["pose"].root / image_item("000003")).unlink()
    with pytest.raises(InputError, match="000003"):
        STAGE.run(context)


@pytest.mark.parametrize(
    ("group", "field"),
    [
        ("mesh", "max_faces"),
        ("volume", "voxel_size"),
        ("depth", "min_confidence"),
        ("cloud", "max_points"),
    ],
)
def test_options_out_of_range_are_refused(group, field):
    with pytest.raises(ValidationError, match=field):
        SurfaceConfig(**{group: {field: -1}})


def test_every_option_is_told_by_the_name_it_had_before_groups():
    names = SurfaceConfig.renamed
    assert set(names.values()) == set(option_fields(SurfaceConfig))
    assert names["min_evidence"] == "volume.min_evidence"
    with pytest.raises(UsageError, match=r"it is now 'mesh\.max_faces'"):
        build_configs({"surface": SurfaceConfig}, [{"surface": {"max_faces": 1000}}])


@pytest.mark.parametrize("completed", [False, True])
def test_what_was_guessed_is_left_out_unless_asked_for(context, completed):
    """The sphere was measured, the wall behind it only guessed."""
    context.config = SurfaceConfig(volume={"voxel_size": 0.06}, depth={"completed": completed})
    folder = context.inputs["fusion"].root
    for frame in make_frames()[:-1]:
        depth_hw = exact_depth(frame)
        wall_hw = make_image(frame)[..., 1] > 100
        measured = depth_map(frame, np.where(wall_hw, 0, depth_hw))
        guessed_hw = np.where(wall_hw, depth_hw, 0).astype(np.float32)
        replace(measured, completed_hw=guessed_hw).save(folder / depth_item(frame.name))
    STAGE.run(context)
    points = read_mesh_ply(context.out.path("mesh.ply")).points
    on_wall_n = points.xyz_n3[:, 2] > 1.7
    assert on_wall_n.any() == completed
    if completed:
        assert points.confidence_n[on_wall_n].mean() < points.confidence_n[~on_wall_n].mean()
