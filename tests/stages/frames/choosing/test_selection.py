import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError
from stages.frames.choosing.appearance import Look, look_at_frames
from stages.frames.choosing.selection import Limits, select_from_sequence, select_from_set
from stages.frames.choosing.spacing import choose_spaced
from stages.frames.config import SelectionOptions
from stages.frames.source import SourceFrame
from tests.media import make_texture, pan

PATH = Path("clip.mp4")
DIAGONAL_PX = 200.0


def looks_of(images):
    def frame(index, image):
        grey_hw = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return SourceFrame(index, str(index), index / 10, lambda _: grey_hw, lambda _: image)

    return look_at_frames(frame(i, image) for i, image in enumerate(images))


def select(images, parallax_px=8.0, max_frames=None, **options):
    limits = Limits(max_frames, parallax_px / DIAGONAL_PX, **options)
    return select_from_sequence(looks_of(images), limits, PATH)


def steps_px(selection, offsets):
    return np.diff([offsets[index] for index in selection.kept])


def with_noise(image, seed, sigma=4.0):
    noisy = image + np.random.default_rng(seed).normal(0, sigma, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def test_key_frames_are_evenly_spaced_whatever_the_speed():
    offsets = [*np.arange(0, 60, 1.0), *np.arange(60, 160, 4.0), *np.arange(160, 200, 0.5)]
    selection = select(pan(offsets))
    steps = steps_px(selection, offsets)
    assert steps.min() > 0.6 * 8
    assert steps.max() < 1.6 * 8
    assert offsets[selection.kept[-1]] > 190


def test_every_frame_has_its_place_and_every_dropped_one_a_reason():
    offsets = np.arange(0, 150, 2.0)
    selection = select(pan(offsets))
    assert [look.index for look in selection.looks] == list(range(75))
    assert set(selection.kept) | set(selection.reasons) == set(range(75))
    assert not set(selection.kept) & set(selection.reasons)
    second = selection.kept[1]
    assert selection.reasons[second + 1] == (
        f"redundant: little parallax since key frame {second:06d}"
    )


def test_the_sharpest_of_the_window_is_taken():
    offsets = np.arange(0, 140, 2.0)
    images = pan(offsets)
    sharp = set(range(0, 70, 4))
    soft = [
        image if i in sharp else cv2.GaussianBlur(image, (0, 0), 1.0)
        for i, image in enumerate(images)
    ]
    selection = select(soft)
    assert sum(index in sharp for index in selection.kept) > 0.85 * len(selection.kept)


def test_blurred_frames_are_dropped_with_their_reason():
    images = pan(np.arange(0, 100, 2.0))
    bad = [11, 20, 33]
    for i in bad:
        images[i] = cv2.blur(images[i], (25, 1))
    selection = select(images, every_frame=False)
    assert not set(bad) & set(selection.kept)
    assert all(selection.reasons[i].startswith("blurred") for i in bad)


def test_duplicates_are_dropped_with_their_reason():
    images = [image for image in pan(np.arange(0, 120, 8.0)) for _ in range(3)]
    selection = select(images)
    assert all(index % 3 == 0 for index in selection.kept)
    assert selection.reasons[4] == "duplicate: no change since frame 000003"


def test_too_many_key_frames_go_where_the_steps_are_smallest():
    offsets = np.arange(0, 400, 4.0)
    wanted, selection = select(pan(offsets)), select(pan(offsets), max_frames=20)
    steps = steps_px(selection, offsets)
    assert len(selection.kept) == 20 < len(wanted.kept)
    assert steps.max() <= 1.3 * 400 / 20
    assert offsets[selection.kept[-1]] > 380
    assert selection.warnings[0].startswith(f"{len(wanted.kept)} key frames were wanted")
    assert "--frames.max 20" in selection.warnings[0]
    assert len(selection.warnings) == 1
    left_out = set(wanted.kept) - set(selection.kept)
    assert {selection.reasons[i] for i in left_out} == {"left out to keep to --frames.max 20"}


def test_a_fast_part_is_not_torn_by_the_maximum():
    """Twenty even steps of 30 px would tear the fast part, which needs its frames."""
    offsets = [*np.arange(0, 300, 2.0), *np.arange(300, 600, 40.0)]
    selection = select(pan(offsets), max_frames=20)
    assert len(selection.kept) == 20
    assert set(range(150, 158)) <= set(selection.kept)
    assert not any("little view" in warning for warning in selection.warnings)


def test_a_maximum_that_tears_the_chain_says_how_many_it_takes():
    warnings = select(pan(np.arange(0, 600, 3.0)), max_frames=6).warnings
    assert "at least keep them joined" in warnings[0]
    assert "share little view" in warnings[1]


@pytest.mark.parametrize("max_frames", [None, 6])
def test_memory_does_not_grow_with_the_length(max_frames):
    """Six hundred frames back and forth: never more than a few small images are held."""
    images = pan(60 + 60 * np.sin(np.arange(200) / 12), 60, 80)
    alive, most = weakref.WeakSet(), 0

    class Pixels(np.ndarray):
        """An array that can be told from others of the same content."""

        __hash__ = object.__hash__

    def frames():
        nonlocal most
        for i in range(600):
            grey_hw = cv2.cvtColor(images[i % 200], cv2.COLOR_RGB2GRAY).view(Pixels)
            yield Look(i, str(i), i / 10, grey_hw, 1.0)
            alive.add(grey_hw)
            del grey_hw
            most = max(most, len(alive))

    selection = select_from_sequence(frames(), Limits(max_frames, 8 / 100), PATH)
    assert len(selection.kept) == (max_frames or pytest.approx(220, abs=40))
    assert most < 150


def test_fast_motion_keeps_the_frames_that_bridge_it():
    """40 px a frame: far more than wanted, and each frame is needed to follow it."""
    offsets = [*np.arange(0, 40, 2.0), *np.arange(40, 280, 40.0), *np.arange(280, 320, 2.0)]
    selection = select(pan(offsets))
    assert set(range(20, 27)) <= set(selection.kept)


@pytest.mark.parametrize("speed_px", [3.0, 12.0, 50.0])
def test_nothing_of_the_view_is_lost_whatever_the_speed(speed_px):
    """Fast at once, turning back at once: neighbours see what they may, or are frames on end."""
    there = [*np.arange(0, 100, 2.0), *np.arange(100, 400, speed_px)]
    offsets = [*there, *np.arange(there[-1], 250, -speed_px)[1:], *np.arange(250, 270, 1.0)]
    selection = select(pan(offsets), parallax_px=20.0)
    kept = selection.kept
    far = np.abs(steps_px(selection, offsets)) > 0.4 * 160
    assert not far[np.diff(kept) > 1].any()
    assert not selection.warnings
    assert offsets[kept[-1]] > 235


@pytest.mark.parametrize("gain", [0.85, 0.5])
def test_flicker_changes_no_choice(gain):
    offsets = np.arange(0, 150, 1.5)
    steady = pan(offsets)
    flickering = [
        (image * (gain if i % 2 else 1.0)).astype(np.uint8) for i, image in enumerate(steady)
    ]
    usual, selection = select(steady), select(flickering)
    assert len(selection.kept) == pytest.approx(len(usual.kept), abs=1)
    assert steps_px(selection, offsets).max() < 1.6 * 8
    assert not selection.warnings


def faint(images, contrast, noise):
    """The same in the dark: little contrast above a sensor's noise."""
    return [
        with_noise(40 + contrast * (image / 255.0 - 0.5), i, noise)
        for i, image in enumerate(images)
    ]


def test_where_contrast_is_low_key_frames_are_closer():
    offsets = np.arange(0, 150, 1.0)
    images = pan(offsets)
    usual, selection = (select(each, parallax_px=24) for each in (images, faint(images, 6, 1.5)))
    assert len(selection.kept) > 1.5 * len(usual.kept)
    assert steps_px(selection, offsets).min() > 24 / 5
    assert not selection.warnings


def test_low_contrast_is_no_repetition():
    images = faint(pan(np.arange(0, 30, 0.3)), 10, 0.0)
    selection = select(images)
    assert not any(reason.startswith("duplicate") for reason in selection.reasons.values())


def blurred_at(offsets, bad, width_px=11):
    images = pan(offsets)
    for i in bad:
        images[i] = cv2.blur(images[i], (width_px, 1))
    return images


def test_a_blurred_frame_that_alone_joins_two_parts_is_kept_for_poses():
    """The parts before and after share half of the view, and three quarters with the frame."""
    offsets = [*np.arange(0, 60, 2.0), 98.0, *np.arange(138, 200, 2.0)]
    selection = select(blurred_at(offsets, [30]))
    assert 30 in selection.kept
    assert selection.poses_only == {30}
    assert selection.reasons[30].startswith("blurred")
    assert "kept for poses" in selection.reasons[30]
    assert not selection.warnings


def test_a_blurred_frame_that_the_sharp_ones_do_without_is_not_kept():
    offsets = [*np.arange(0, 40, 2.0), 45.0, *np.arange(52, 180, 2.0)]
    selection = select(blurred_at(offsets, [20]))
    assert 20 not in selection.kept
    assert not selection.poses_only


def test_a_set_in_order_keeps_a_blurred_image_that_alone_joins():
    offsets = np.arange(0, 12) * 50.0
    looks = list(looks_of(blurred_at(offsets, [5], width_px=41)))
    alone = select_from_set(looks, Limits(None, 0.04), PATH)
    assert alone.kept == [i for i in range(12) if i != 5]
    joined = select_from_set(looks, Limits(None, 0.04), PATH, in_order=True)
    assert joined.kept == list(range(12))
    assert joined.poses_only == {5}


def test_a_cut_is_crossed_with_a_warning():
    images = [*pan(np.arange(0, 60, 2.0), seed=0), *pan(np.arange(0, 60, 2.0), seed=1)]
    selection = select(images)
    assert selection.kept[-1] > 50
    assert selection.warnings[0].startswith("1 of")


def test_a_clip_with_little_motion_gets_a_finer_spacing():
    offsets = np.arange(0, 30, 0.5)
    selection = select(pan(offsets))
    assert len(selection.kept) >= 8


def test_few_frames_are_all_kept():
    assert select(pan([0, 1, 2, 40, 41, 80, 81, 82])).kept == list(range(8))


def test_every_frame_keeps_all_but_duplicates():
    images = pan(np.arange(0, 40, 2.0))
    images[7] = images[6]
    assert select(images, every_frame=True).kept == [i for i in range(20) if i != 7]


def test_the_choice_is_the_same_each_time():
    images = [with_noise(image, i) for i, image in enumerate(pan(np.arange(0, 120, 1.5)))]
    first, second = select(images), select(images)
    assert first.kept == second.kept
    assert first.reasons == second.reasons


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([make_texture(120, 160)], "only one frame"),
        ([make_texture(120, 160)] * 5, "identical"),
        ([np.zeros((120, 160, 3), np.uint8)] * 5, "all black"),
        ([with_noise(make_texture(120, 160), i) for i in range(20)], "static camera"),
        ([with_noise(np.full((120, 160, 3), 120), i) for i in range(20)], "static camera"),
    ],
    ids=["one", "identical", "black", "static", "wall"],
)
def test_not_enough_data_says_which(images, message):
    with pytest.raises(NotEnoughDataError, match=message) as caught:
        select(images)
    assert caught.value.remedy


def test_a_set_keeps_all_but_duplicates_and_clearly_bad_ones():
    images = [make_texture(120, 160, seed) for seed in range(12)]
    images[3] = images[2]
    images[8] = cv2.GaussianBlur(images[8], (0, 0), 12)
    images[10] = cv2.GaussianBlur(images[10], (0, 0), 1)
    selection = select_from_set(looks_of(images), Limits(100, 0.04), PATH)
    assert selection.kept == [i for i in range(12) if i not in (3, 8)]
    assert selection.reasons[3].startswith("duplicate")
    assert selection.reasons[8].startswith("blurred")


def test_what_counts_as_blurred_or_seen_is_an_option():
    images = [make_texture(120, 160, seed) for seed in range(9)]
    images[4] = cv2.GaussianBlur(images[4], (0, 0), 12)
    tolerant = SelectionOptions(min_photo_sharpness=0.0)
    assert select_from_set(looks_of(images), Limits(100, 0.04), PATH).reasons.keys() == {4}
    kept = select_from_set(looks_of(images), Limits(100, 0.04, selection=tolerant), PATH).kept
    assert kept == list(range(9))
    looks = list(looks_of(pan(np.arange(0, 160, 2.0))))
    usual, close = (list(choose_spaced(looks, 16 / DIAGONAL_PX, least)) for least in (0.6, 0.97))
    assert len(close) > 1.2 * len(usual)


def test_a_set_above_the_maximum_is_thinned_evenly():
    images = [make_texture(60, 80, seed) for seed in range(30)]
    selection = select_from_set(looks_of(images), Limits(10, 0.04), PATH)
    assert len(selection.kept) == 10
    assert max(np.diff(selection.kept)) <= 4
    assert "--frames.max 10" in selection.warnings[0]
    assert "--frames.max 10" in selection.reasons[1]


def test_a_cut_is_found_and_neither_a_fast_pan_nor_a_flash_is_one():
    offsets = np.arange(0, 60, 3.0)
    first, second = pan(offsets), pan(offsets, seed=7)
    assert select([*first, *second]).cuts == {len(first)}
    assert not select(pan(np.arange(0, 900, 45.0))).cuts
    bright = [np.minimum(image.astype(int) + 60, 255).astype(np.uint8) for image in first[10:]]
    assert not select([*first[:10], *bright]).cuts
