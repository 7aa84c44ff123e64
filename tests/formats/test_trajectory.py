import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.formats.trajectory import read_trajectory, trajectory_text
from mvrecon.geometry.rigid import rigid, rotation_from_quaternion


def poses(count):
    rng = np.random.default_rng(0)
    return [
        rigid(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3))
        for _ in range(count)
    ]


def test_round_trip(tmp_path):
    path = tmp_path / "trajectory.txt"
    path.write_text("# a comment\n" + trajectory_text([0.0, 0.5, 1.25], poses(3)))
    found = read_trajectory(path)
    np.testing.assert_allclose(found.timestamp_s_n, [0.0, 0.5, 1.25])
    np.testing.assert_allclose(found.world_from_cam_n44, np.stack(poses(3)), atol=1e-7)


def test_quaternion_comes_last_with_w_at_the_end():
    quarter_about_z = rotation_from_quaternion(np.array([1.0, 0.0, 0.0, 1.0]))
    line = trajectory_text([2.0], [rigid(quarter_about_z, np.array([1.0, 2.0, 3.0]))])
    values = [float(value) for value in line.split()]
    np.testing.assert_allclose(values, [2, 1, 2, 3, 0, 0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-8)


def test_evo_reads_it(tmp_path):
    file_interface = pytest.importorskip("evo.tools.file_interface")
    path = tmp_path / "trajectory.txt"
    path.write_text(trajectory_text([0.0, 1.0, 2.0], poses(3)))
    found = file_interface.read_tum_trajectory_file(str(path))
    np.testing.assert_allclose(np.stack(found.poses_se3), np.stack(poses(3)), atol=1e-7)


def test_path_length(tmp_path):
    path = tmp_path / "trajectory.txt"
    corners = [rigid(np.eye(3), np.array(centre, float)) for centre in ([0, 0, 0], [3, 4, 0])]
    path.write_text(trajectory_text([0, 1], corners))
    assert read_trajectory(path).path_length == pytest.approx(5.0)


@pytest.mark.parametrize("line", ["1 2 3", "0 0 0 0 0 0 0 nine", "0 1 2 3 0 0 0 0"])
def test_bad_line_is_named(tmp_path, line):
    path = tmp_path / "bad.txt"
    path.write_text(trajectory_text([0.0], poses(1)) + line + "\n")
    with pytest.raises(InputError, match="line 2"):
        read_trajectory(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_trajectory(tmp_path / "none.txt")
