"""Points of exact matches and known cameras."""

import numpy as np

from mvrecon.artifacts.frames import CameraPrior
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.formats.colmap.files import read_model
from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.known.triangulation import triangulate_known
from stages.pose.matching.features import MappingProblem
from tests.stages.pose.known.test_epipolar_check import FEATURES, POSES
from tests.stages.pose.scene import CAMERA, Relief


def test_points_lie_on_the_surface_and_cameras_stay(tmp_path):
    problem = MappingProblem(
        tuple(f"{row}.jpg" for row in range(4)),
        (CameraPrior(CAMERA, "given"),),
        (True,),
        (0,) * 4,
        FEATURES,
    )
    # The last image has no pose: it takes no part.
    poses = dict(enumerate(POSES[:3]))
    folder = run_isolated(
        triangulate_known, (problem, poses, tmp_path, 1.0), tmp_path / "log", "test"
    )
    model = read_model(folder)
    assert [image.name for image in model.images] == ["0.jpg", "1.jpg", "2.jpg"]
    found = inverse_rigid(np.stack([image.cam_from_world for image in model.images]))
    np.testing.assert_allclose(found, POSES[:3], atol=1e-9)
    assert model.cameras == {1: CAMERA}
    assert len(model.xyz_n3) == 60
    height = Relief().height(model.xyz_n3[:, 0], model.xyz_n3[:, 1])
    np.testing.assert_allclose(model.xyz_n3[:, 2], height, atol=1e-2)
