from dataclasses import replace

import numpy as np

from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel
from stages.pose.mapping.diagnosis import count_reasons, cuts_between, lost_reasons
from stages.pose.matching.features import FeatureMatches
from tests.stages.pose.scene import CAMERA, frame_table, turn
from tests.stages.pose.world.test_canonical import relief_model

TABLE = frame_table(8, CAMERA, "given")
NAMES = [frame.name for frame in TABLE.key_frames]
GRAY = np.full((CAMERA.height, CAMERA.width), 128, np.uint8)
ROWS = np.column_stack([np.arange(80)] * 2)


def with_lost_frames():
    """Frames 0–4 posed; 5 sees few points, 6 none and 7 is in another model."""
    model = relief_model()
    keypoints = [image.xy_k2.astype(np.float32) for image in model.images]
    keypoints += [keypoints[4] + 40.0, keypoints[4] + 40.0, keypoints[4]]
    matches = {(a, b): ROWS for a in range(5) for b in range(a + 1, 5)}
    matches |= {(4, 5): ROWS[:12], (0, 7): ROWS}
    other = ColmapModel(
        model.cameras,
        (ColmapImage(8, 1, "000007.jpg", np.eye(4), np.zeros((1, 2)), np.array([NO_POINT])),),
        model.xyz_n3,
        model.rgb_n3,
        model.error_px_n,
    )
    return FeatureMatches(tuple(keypoints), matches), [model, other]


def reasons_of(features, models, table=TABLE, gray=GRAY):
    return lost_reasons(table, features, models, 30, lambda name: gray)


def changed(of_index):
    """The table with other values in the records of its frames."""
    frames = [replace(frame, **of_index(frame.index)) for frame in TABLE.frames]
    return replace(TABLE, frames=tuple(frames))


def test_a_cut_is_the_reason_for_what_lies_behind_it():
    features, models = with_lost_frames()
    found = reasons_of(features, models, changed(lambda i: {"after_cut": i == 6}))
    assert "cut" not in found[NAMES[5]]
    assert all(found[name].startswith("cut: another scene begins at 0.60") for name in NAMES[6:])
    assert cuts_between(found.values()) == 1
    # A part of which some frames are posed is no other scene.
    found = reasons_of(features, models, changed(lambda i: {"after_cut": i == 3}))
    assert not any("cut" in reason for reason in found.values())
    assert cuts_between(found.values()) == 0


def test_each_lost_frame_has_its_reason():
    features, models = with_lost_frames()
    reasons = reasons_of(features, models)
    assert sorted(reasons) == NAMES[5:]
    assert "too few tracks: 12 points" in reasons[NAMES[5]]
    assert "no overlap" in reasons[NAMES[6]]
    assert "colmap_others/0" in reasons[NAMES[7]]


def test_a_frame_that_sees_enough_is_still_turned_or_contradicted():
    features, models = with_lost_frames()
    still, turned, wrong = (list(features.keypoints) for _ in range(3))
    still[5] = still[4] + 0.3
    rays = np.column_stack([CAMERA.normalize(turned[4]), np.ones(80)]) @ turn(0.1).T
    turned[5] = CAMERA.project(rays).astype(np.float32)
    wrong[5] = wrong[4][::-1].copy()
    for keypoints, word in ((still, "parallax"), (turned, "rotation"), (wrong, "moving scene")):
        many = FeatureMatches(tuple(keypoints), {**features.matches, (4, 5): ROWS})
        assert word in reasons_of(many, models)[NAMES[5]].split(";")[0]


def test_a_bad_picture_is_the_reason_before_all_others():
    features, models = with_lost_frames()
    found = reasons_of(features, models, changed(lambda i: {"sharpness": 0.3 if i > 4 else 1.0}))
    assert all(found[name].startswith("blurred: sharpness 0.30") for name in NAMES[5:])
    dark = reasons_of(features, models, gray=np.full_like(GRAY, 12))
    assert all(dark[name].startswith("dark") for name in NAMES[5:])


def test_reasons_are_counted_with_their_remedies():
    text = count_reasons(
        [
            "blurred: sharpness 0.20, that of posed frames 0.50; move slower",
            "too few tracks: 12 points seen; show more",
            "blurred: sharpness 0.10, that of posed frames 0.50; move slower",
            "unreadable",
        ]
    )
    assert text == "2 blurred: move slower; 1 too few tracks: show more; 1 unreadable"


def test_each_reason_names_a_remedy():
    features, models = with_lost_frames()
    assert all("; " in reason for reason in reasons_of(features, models).values())
