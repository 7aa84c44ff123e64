"""The sample clip and its ground truth belong together."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mvrecon.datasets.posed import load_posed_set
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.synthetic.clip import Sensor
from mvrecon.synthetic.render import View, render_radiance
from sample_data.desk import desk_scene

SAMPLE = Path(__file__).parents[1] / "sample_data"


@pytest.fixture(scope="module")
def truth():
    return load_posed_set(SAMPLE / "ground_truth")


def test_every_video_frame_has_its_pose_and_time(truth):
    with av.open(str(SAMPLE / "clip.mp4")) as container:
        times_s = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert times_s == pytest.approx([image.timestamp_s for image in truth.images], abs=1e-5)
    assert 2 <= times_s[-1] <= 3


def test_depth_maps_lie_on_the_mesh(truth):
    mesh = read_mesh_ply(truth.root / truth.mesh_file)
    scene = TriangleScene(mesh.points.xyz_n3, mesh.faces_m3)
    with_depth = [image for image in truth.images if image.depth_file]
    assert len(with_depth) >= 3
    for image in with_depth:
        hits = scene.cast(*pixel_rays(image.camera, image.world_from_cam))
        assert hits.met_n.all()
        np.testing.assert_allclose(truth.read_depth(image).ravel(), hits.distance_n, atol=1e-4)


def test_the_code_still_renders_the_clip(truth):
    number = 40
    with av.open(str(SAMPLE / "clip.mp4")) as container:
        shown = list(container.decode(video=0))[number].to_ndarray(format="rgb24")
    image = truth.images[number]
    view = View(image.camera.scaled(160, 120), image.world_from_cam)
    light = render_radiance(desk_scene(texels_per_m=150.0), view, supersampling=2)
    rendered = Sensor(exposure=1.5).develop(light, number)
    shown_small = cv2.resize(shown, (160, 120), interpolation=cv2.INTER_AREA)
    rendered, shown_small = (
        cv2.GaussianBlur(picture, (0, 0), 1.5).astype(float) for picture in (rendered, shown_small)
    )
    assert np.abs(rendered - shown_small).mean() < 6
    assert np.corrcoef(rendered.ravel(), shown_small.ravel())[0, 1] > 0.985


def test_it_stays_small():
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert (SAMPLE / "clip.mp4").stat().st_size <= 2_000_000
    assert sum(path.stat().st_size for path in files) < 4_000_000
