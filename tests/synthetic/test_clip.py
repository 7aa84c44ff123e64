import av
import numpy as np
import pytest

from mvrecon.datasets.posed import load_posed_set
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.synthetic.clip import Sensor, render_frames, write_ground_truth, write_video
from tests.synthetic.scenes import small_scene, small_views


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    scene, views = small_scene(), small_views(4)
    times_s = np.arange(4) / 10
    pictures = list(render_frames(scene, views, Sensor(), supersampling=1))
    write_video(folder / "clip.mp4", iter(pictures), (96, 72), fps=10, crf=10)
    write_ground_truth(
        folder / "truth", scene, views, times_s, depth_every=2, video=folder / "clip.mp4"
    )
    return folder, views, pictures


def test_video_shows_the_pictures_at_their_times(clip):
    folder, _, pictures = clip
    with av.open(str(folder / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    for frame, picture in zip(frames, pictures, strict=True):
        shown = frame.to_ndarray(format="rgb24").astype(float)
        assert np.abs(shown - picture).mean() < 8


def test_ground_truth_is_a_posed_set_with_a_mesh(clip):
    folder, views, _ = clip
    posed_set = load_posed_set(folder / "truth")
    assert [image.timestamp_s for image in posed_set.images] == pytest.approx([0, 0.1, 0.2, 0.3])
    for image, view in zip(posed_set.images, views, strict=True):
        np.testing.assert_allclose(image.world_from_cam, view.world_from_cam, atol=1e-8)
        assert image.camera == view.camera
    assert [bool(image.depth_file) for image in posed_set.images] == [True, False, True, False]
    mesh = read_mesh_ply(posed_set.root / posed_set.mesh_file)
    scene = TriangleScene(mesh.points.xyz_n3, mesh.faces_m3)
    third = posed_set.images[2]
    hits = scene.cast(*pixel_rays(third.camera, third.world_from_cam))
    depth_hw = posed_set.read_depth(third)
    np.testing.assert_allclose(depth_hw.ravel(), hits.distance_n, atol=1e-4)
