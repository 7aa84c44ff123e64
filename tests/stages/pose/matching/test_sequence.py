"""How a sequence is matched, with SIFT replaced by its outcome."""

from dataclasses import replace

import numpy as np
import pytest

from stages.pose.config import PoseConfig
from stages.pose.matching import photos, sequence
from stages.pose.matching.features import FeatureMatches
from tests.stages.pose.matching.test_pairs import chain, circle
from tests.stages.pose.scene import CAMERA, frame_table, pose_context

KEYPOINTS = np.zeros((100, 2), np.float32)
ROWS = np.column_stack([np.arange(60)] * 2)


@pytest.fixture
def matched(tmp_path, monkeypatch):
    """Matches of frames whose tracks and descriptors are given; which pairs SIFT was asked for."""

    def match(tracked, descriptors, config=None, rows=ROWS):
        count = len(tracked.keypoints)
        asked = []

        def match_pairs(context, table, pairs, options):
            asked.extend(pairs)
            return FeatureMatches((KEYPOINTS,) * count, dict.fromkeys(pairs, rows))

        for module in (sequence, photos):
            monkeypatch.setattr(module, "describe_key_frames", lambda *_: descriptors)
            monkeypatch.setattr(module, "match_pairs", match_pairs)
        monkeypatch.setattr(sequence, "track_frames", lambda *_: tracked)
        table = frame_table(count, CAMERA, "given")
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        context = pose_context(root, [], {}, replace(table, frames=()), config)
        return sequence.match_sequence(context, table), asked

    return match


def test_a_short_sequence_in_one_piece_needs_no_sift(matched):
    found, asked = matched(chain(20), circle(20, 1))
    assert not asked
    assert (found.loops, found.pieces) == ([], 1)


def test_a_gap_is_bridged_from_side_to_side(matched):
    found, asked = matched(chain(20, gaps=(9,)), circle(20, 1))
    assert found.pieces == 2
    assert (9, 10) in asked
    assert (9, 10) in found.features.matches
    assert (9, 10) not in found.loops


def test_loops_are_looked_for_in_long_sequences_and_not_trusted_yet(matched):
    found, _ = matched(chain(120), circle(120, 2))
    assert found.pieces == 1
    assert found.loops
    assert set(found.loops) <= set(found.features.matches)
    off, asked = matched(chain(120), circle(120, 2), PoseConfig(loops={"enabled": False}))
    assert off.loops == asked == []


def test_a_loop_needs_enough_matches(matched):
    found, _ = matched(chain(120), circle(120, 2), rows=ROWS[:39])
    assert found.loops == []
    found, _ = matched(chain(120), circle(120, 2), rows=ROWS[:40])
    assert found.loops


def test_many_pieces_are_matched_like_photos(matched):
    gaps = (3, 7, 11, 15)
    found, asked = matched(chain(20, gaps), circle(20, 1))
    assert found.pieces == 5
    assert len(asked) == 20 * 19 / 2
    _, fewer = matched(chain(20, gaps), circle(20, 1), PoseConfig(photos={"exhaustive": 10}))
    assert 0 < len(fewer) <= 20 * 20
