"""The scale of a model from what is known of the true size."""

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.geometry.similarity import Similarity
from stages.pose.undistortion import pinhole_without_blanks
from stages.pose.world.canonical import height_above_ground, move_model, normal_world
from stages.pose.world.scale import ARBITRARY, AS_KNOWN, choose_world, require_frames
from tests.stages.pose.scene import CAMERA, Relief, frame_table, sideways_path
from tests.stages.pose.world.test_canonical import relief_model
from tests.stages.pose.world.test_positions import geodetic

TABLE = frame_table(5, CAMERA, "default")
# The model comes from the mapper in another world: 0.4 units a metre, turned.
TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
MAPPED = Similarity(0.4, TURN, np.array([3.0, -1, 2]))


def centres(model):
    return np.stack([np.linalg.inv(image.cam_from_world)[:3, 3] for image in model.images])


def path_m(model):
    return np.linalg.norm(np.diff(centres(model), axis=0), axis=1).sum()


@pytest.fixture(scope="module")
def truth():
    return relief_model()


def placed(truth, option, table=TABLE, known=False):
    mapped = move_model(truth, MAPPED)
    world = choose_world(table, mapped, option, known)
    return move_model(mapped, world.world_from_model), world


@pytest.mark.parametrize("option", ["auto", "none"])
def test_without_knowledge_the_scale_is_arbitrary_but_always_the_same(truth, option):
    model, world = placed(truth, option)
    assert world.scale == ARBITRARY
    again = move_model(truth, choose_world(TABLE, truth, option, False).world_from_model)
    np.testing.assert_allclose(centres(model), centres(again), atol=1e-9)


def test_a_baseline_gives_metres(truth):
    true_m = np.linalg.norm(centres(truth)[0] - centres(truth)[4])
    model, world = placed(truth, f"baseline:000000:000004:{true_m}")
    assert path_m(model) == pytest.approx(path_m(truth), rel=1e-9)
    assert world.scale.startswith("metres, cameras 000000 and 000004")


def test_two_points_of_the_model_without_scale_give_metres(truth):
    unscaled, _ = placed(truth, "none")
    ends = [",".join(map(str, unscaled.xyz_n3[row])) for row in (3, 40)]
    true_m = np.linalg.norm(truth.xyz_n3[3] - truth.xyz_n3[40])
    model, _ = placed(truth, f"points:{ends[0]}:{ends[1]}:{true_m}")
    assert path_m(model) == pytest.approx(path_m(truth), rel=1e-6)


@pytest.mark.parametrize("distortion", [(), (-0.1, 0.02, 0.0, 0.0)])
def test_what_two_pixels_show_gives_metres(distortion):
    camera = replace(CAMERA, distortion=distortion)
    truth = relief_model(camera)
    # Pixels of the published image, which has no distortion.
    pinhole = pinhole_without_blanks(camera)
    relief = Relief(pinhole)
    pose = sideways_path(5, 0.05)[1]
    spots = np.array([[80.0, 70.0], [160.0, 120.0]])
    ends = relief.points(pose, spots)
    true_m = np.linalg.norm(ends[0] - ends[1])
    model, _ = placed(truth, f"pixels:000001@80,70:000001@160,120:{true_m}")
    assert path_m(model) == pytest.approx(path_m(truth), rel=0.03)


def test_known_poses_keep_their_world_but_for_the_scale(truth):
    model, world = placed(truth, "auto", known=True)
    assert world.scale == AS_KNOWN
    np.testing.assert_array_equal(world.world_from_model.rotation_33, np.eye(3))
    model, world = placed(truth, "baseline:000000:000004:10", known=True)
    np.testing.assert_array_equal(world.world_from_model.rotation_33, np.eye(3))
    assert np.linalg.norm(centres(model)[0] - centres(model)[4]) == pytest.approx(10)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("pixels:000000@500,70:000001@160,120:1", "lies outside"),
        ("pixels:000000@1,1:000001@160,120:1", "no point of the model near"),
        ("points:1,2,3:1,2,3:1", "the same place"),
        ("baseline:000000:000009:1", "no posed key frame 000009"),
    ],
)
def test_lengths_that_cannot_be_measured(truth, option, words):
    with pytest.raises(UsageError, match=words):
        placed(truth, option)


def test_unknown_frames_are_told_before_any_work():
    with pytest.raises(UsageError, match="no key frame 000009"):
        require_frames("pixels:000000@1,2:000009@1,2:1", TABLE)
    require_frames("baseline:000000:000004:2", TABLE)


def test_without_a_ground_there_is_no_height(truth):
    rng = np.random.default_rng(0)
    wall = np.column_stack([np.full(300, 4.0), rng.uniform(-4, 4, (300, 2))])
    assert height_above_ground(wall, np.zeros((5, 3))) is None
    with pytest.raises(NotEnoughDataError, match="no level ground"):
        placed(truth, "height:1.5")


def test_photos_with_positions_come_out_in_metres(truth):
    local = centres(truth) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T * 30
    rows = zip(TABLE.key_frames, geodetic(local).tolist(), strict=True)
    frames = tuple(replace(frame, geodetic=tuple(place)) for frame, place in rows)
    model, world = placed(truth, "auto", replace(TABLE, frames=frames))
    assert world.scale.startswith("metres, from the positions of 5 photos")
    assert path_m(model) == pytest.approx(30 * path_m(truth), rel=0.02)
    unused, world = placed(truth, "none", replace(TABLE, frames=frames))
    assert world.scale == ARBITRARY
    np.testing.assert_allclose(
        normal_world(unused).scale, 1.0, rtol=1e-9, err_msg="normalised as ever"
    )


def test_places_survive_the_frame_table(tmp_path):
    frames = tuple(replace(frame, geodetic=(1.0, 2.0, 3.0)) for frame in TABLE.frames[:1])
    path = tmp_path / "frames.json"
    path.write_text(replace(TABLE, frames=(*frames, *TABLE.frames[1:])).to_json())
    loaded = type(TABLE).load(path)
    assert [frame.geodetic for frame in loaded.frames[:2]] == [(1.0, 2.0, 3.0), None]
