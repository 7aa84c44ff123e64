import pytest

from stages.pose.config import PoseConfig
from stages.pose.matching.features import FeatureMatches, mapping_problem
from tests.stages.pose.scene import CAMERA, frame_table, pose_context


@pytest.mark.parametrize(
    ("source", "refined", "fixed"),
    [("given", False, True), ("given", True, False), ("default", False, False)],
)
def test_only_given_intrinsics_stay_unless_they_may_be_refined(tmp_path, source, refined, fixed):
    table = frame_table(3, CAMERA, source)
    config = PoseConfig(mapping={"refine_intrinsics": refined})
    context = pose_context(tmp_path, [], {}, frame_table(0, CAMERA, source), config)
    features = FeatureMatches.nothing(3)
    problem = mapping_problem(context, table, features)
    assert problem.names == ("000000.jpg", "000001.jpg", "000002.jpg")
    assert problem.fixed_cameras == (fixed,)
    assert problem.camera_of_image == (0, 0, 0)
    assert problem.features is features
