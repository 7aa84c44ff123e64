import numpy as np
import open3d as o3d
import pytest

from mvrecon.evaluation.metrics.surface import (
    SurfacePoints,
    count_views,
    diameter,
    sample_surface,
    surface_errors,
)
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.synthetic.paths import look_at

CAMERA = Camera(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)


def sphere(radius=1.0):
    mesh = o3d.geometry.TriangleMesh.create_sphere(radius, 40)
    return np.asarray(mesh.vertices), np.asarray(mesh.triangles).astype(np.int64)


def cloud(xyz_n3):
    return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(xyz_n3))


def test_by_hand():
    errors = surface_errors(np.array([0.0, 0.5, 1.0, 2.5]), np.array([0.1, 3.0]), 1.0)
    assert errors.precision == 0.5
    assert errors.recall == 0.5
    assert errors.f_score == pytest.approx(0.5)
    assert errors.accuracy_mean == pytest.approx(1.0)
    assert errors.accuracy_median == pytest.approx(0.75)
    assert errors.completeness_mean == pytest.approx(1.55)
    assert errors.chamfer == pytest.approx(1.275)
    uneven = surface_errors(np.zeros(4), np.array([0.0, 2.0, 2.0, 2.0]), 1.0)
    assert uneven.f_score == pytest.approx(2 * 1 * 0.25 / 1.25)


def test_nothing_right_or_nothing_judged_scores_zero():
    assert surface_errors(np.full(3, 9.0), np.full(3, 9.0), 1.0).f_score == 0
    unjudged = surface_errors(np.zeros(0), np.zeros(3), 1.0)
    assert unjudged.precision == 0 and unjudged.f_score == 0
    assert np.isnan(unjudged.chamfer)


def test_distances_agree_with_open3d_between_dense_clouds():
    (vertices, triangles), (larger, _) = sphere(1.0), sphere(1.1)
    ours = sample_surface(vertices, triangles, 20_000, 0)
    dense = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(larger), o3d.utility.Vector3iVector(triangles)
    ).sample_points_uniformly(400_000)
    expected = np.asarray(cloud(ours.xyz_n3).compute_point_cloud_distance(dense))
    exact = TriangleScene(larger, triangles).distance(ours.xyz_n3)
    assert (exact <= expected + 1e-6).all()
    assert exact.mean() == pytest.approx(expected.mean(), abs=1e-3)
    assert exact.mean() == pytest.approx(0.1, abs=1e-3)
    assert diameter(ours.xyz_n3) == pytest.approx(np.sqrt(12), rel=0.01)


def test_samples_are_uniform_by_area_and_seeded():
    # Two squares: one of area 1 at z = 0, one of area 4 at z = 1.
    unit = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    vertices = np.concatenate([unit, 2 * unit + [0, 0, 1]])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    points = sample_surface(vertices, triangles, 50_000, 3)
    large = points.xyz_n3[:, 2] > 0.5
    assert large.mean() == pytest.approx(0.8, abs=0.01)
    counts, _, _ = np.histogram2d(*points.xyz_n3[large, :2].T, bins=5)
    assert np.abs(counts / counts.mean() - 1).max() < 0.12
    np.testing.assert_allclose(np.abs(points.normals_n3), np.tile([0, 0, 1.0], (50_000, 1)))
    again = sample_surface(vertices, triangles, 50_000, 3)
    np.testing.assert_array_equal(points.xyz_n3, again.xyz_n3)
    with pytest.raises(ValueError, match="no area"):
        sample_surface(unit, np.array([[0, 0, 1]]), 10, 0)


def test_a_camera_sees_the_near_side_only():
    vertices, triangles = sphere()
    points = sample_surface(vertices, triangles, 20_000, 0)
    eye = np.array([0.0, 4.0, 0.0])
    views = [(CAMERA, look_at(eye, np.zeros(3)))]
    seen = count_views(points, TriangleScene(vertices, triangles), views)
    assert set(np.unique(seen)) == {0, 1}
    # Seen: incidence cosine at least 0.1 from distance 4.
    towards = eye - points.xyz_n3
    cosine = (towards * points.xyz_n3).sum(1) / np.linalg.norm(towards, axis=1)
    expected = cosine > 0.1
    assert (seen.astype(bool) == expected).mean() > 0.985
    assert 0.3 < seen.mean() < 0.45


def test_what_hides_and_what_is_outside_is_not_seen():
    wall = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], float)
    # Both quads face the camera at y = 3; the shield hides the wall's half with x > 0.
    shield = wall * [0.5, 0, 1] + [0.5, 0.1, 0]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    scene = TriangleScene(np.concatenate([wall, shield]), np.concatenate([faces, faces + 4]))
    points = sample_surface(wall, faces, 5000, 0)
    here = look_at(np.array([0.0, 3.0, 0.0]), np.zeros(3))
    away = look_at(np.array([0.0, 3.0, 0.0]), np.array([0.0, 9.0, 0.0]))
    seen = count_views(points, scene, [(CAMERA, here), (CAMERA, here), (CAMERA, away)])
    left = points.xyz_n3[:, 0] < -0.05
    right = (points.xyz_n3[:, 0] > 0.05) & (points.xyz_n3[:, 0] < 0.95)
    assert (seen[left] == 2).all()
    assert (seen[right] == 0).all()
    narrow = Camera(width=4, height=4, fx=60.0, fy=60.0, cx=1.5, cy=1.5)
    assert count_views(points.only(left), scene, [(narrow, here)]).mean() < 0.1


def test_a_surface_seen_edge_on_is_not_seen():
    floor = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    point = SurfacePoints(np.zeros((1, 3)), np.array([[0, 0, 1.0]]))
    low, high = (look_at(np.array([0.9, 0.0, height]), np.zeros(3)) for height in (0.05, 0.3))
    scene = TriangleScene(floor, faces)
    assert count_views(point, scene, [(CAMERA, low)]).tolist() == [0]
    assert count_views(point, scene, [(CAMERA, high)]).tolist() == [1]


def test_agrees_with_open3d_metrics_of_two_meshes():
    vertices, triangles = sphere()
    other = vertices * [1.0, 1.1, 0.9] + [0.03, 0, 0]
    threshold = 0.05
    meshes = [
        o3d.t.geometry.TriangleMesh(
            o3d.core.Tensor(corners.astype(np.float32)), o3d.core.Tensor(triangles)
        )
        for corners in (vertices, other)
    ]
    kinds = (o3d.t.geometry.Metric.ChamferDistance, o3d.t.geometry.Metric.FScore)
    parameters = o3d.t.geometry.MetricParameters(
        fscore_radius=[threshold], n_sampled_points=100_000
    )
    chamfer_sum, f_percent = meshes[0].compute_metrics(meshes[1], kinds, parameters).numpy()
    first, second = (sample_surface(v, triangles, 100_000, 1) for v in (vertices, other))
    errors = surface_errors(
        TriangleScene(other, triangles).distance(first.xyz_n3),
        TriangleScene(vertices, triangles).distance(second.xyz_n3),
        threshold,
    )
    # Open3D measures to sampled points (hence the tolerance), and adds the two directions.
    assert errors.chamfer == pytest.approx(chamfer_sum / 2, rel=0.03)
    assert errors.f_score == pytest.approx(f_percent / 100, abs=0.01)
    assert 0.3 < errors.f_score < 0.95
