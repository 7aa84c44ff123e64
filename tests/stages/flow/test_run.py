from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.flow import FlowPair, load_pairs
from mvrecon.artifacts.frames import CameraPrior, FrameRecord, FrameTable, image_item
from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.stage import Summary
from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.formats.images import write_jpeg
from mvrecon.geometry.camera import Camera
from stages.flow.config import FlowConfig
from stages.flow.models.base import FlowEstimate
from stages.flow.run import estimate_pair
from stages.flow.stage import STAGE
from tests.stages.flow.scenes import shifted_pair, texture


class Folder:
    """Finished items without an engine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str = "") -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.glob(f"{prefix}*"))

    def path(self, name: str) -> Path:
        return self.root / name


def write_frames(root: Path, images: list[np.ndarray], kind: str) -> Folder:
    (root / "images").mkdir(parents=True)
    camera = CameraPrior(Camera(160, 128, 150, 150, 79.5, 63.5), "default")
    records = []
    for index, image in enumerate(images):
        name = f"{index:06d}"
        write_jpeg(root / image_item(name), image, 95)
        records.append(FrameRecord(index, name, name, index, 0, 1.0, ""))
    table = FrameTable(kind, "given", (camera,), tuple(records))
    (root / "frames.json").write_text(table.to_json())
    return Folder(root)


def run_stage(tmp_path: Path, frames: Folder, workers: int = 1, **options) -> tuple[Summary, Path]:
    out = PartialArtifact(tmp_path / f"flow-{workers}")
    context = RunContext(
        name="flow",
        config=FlowConfig(**options),
        inputs={"frames": frames},
        raw_input=tmp_path,
        workers=workers,
        out=out,
    )
    return STAGE.run(context), out.folder


def sliding(count: int, step: int = 4) -> list[np.ndarray]:
    strip = texture(128, 160 + step * count, seed=7)
    return [np.ascontiguousarray(strip[:, step * i : step * i + 160]) for i in range(count)]


def test_a_sequence_gives_flow_of_each_pair(tmp_path):
    frames = write_frames(tmp_path / "frames", sliding(4), "sequence")
    summary, folder = run_stage(tmp_path, frames, pairs={"offsets": (1, 2)})
    pairs = load_pairs(folder / "pairs.json")
    assert pairs[0] == ("000000", "000001")
    assert summary.numbers["pairs"] == len(pairs) == 5
    flow = FlowPair.load(folder / "flow" / "000001_000003.npz")
    middle = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(flow.forward_hw2[middle], axis=(0, 1)), [-8, 0], atol=0.2)
    np.testing.assert_allclose(np.median(flow.backward_hw2[middle], axis=(0, 1)), [8, 0], atol=0.2)
    assert flow.forward_confidence_hw[middle].mean() > 0.7
    assert summary.numbers["median_fb_residual_px"] < 0.3
    assert not summary.warnings


def test_the_number_of_workers_changes_nothing(tmp_path):
    frames = write_frames(tmp_path / "frames", sliding(4), "sequence")
    (_, alone), (_, shared) = (run_stage(tmp_path, frames, workers) for workers in (1, 3))
    items = sorted(p.name for p in (alone / "flow").iterdir())
    assert items == sorted(p.name for p in (shared / "flow").iterdir())
    for name in items:
        first, second = FlowPair.load(alone / "flow" / name), FlowPair.load(shared / "flow" / name)
        for field, value in vars(first).items():
            np.testing.assert_array_equal(value, getattr(second, field))


def test_flow_works_at_no_more_than_the_given_size(tmp_path):
    frames = write_frames(tmp_path / "frames", sliding(2), "sequence")
    _, folder = run_stage(tmp_path, frames, max_size=80)
    flow = FlowPair.load(folder / "flow" / "000000_000001.npz")
    assert flow.forward_hw2.shape == (64, 80, 2)
    np.testing.assert_allclose(
        np.median(flow.forward_hw2[8:-8, 8:-8], axis=(0, 1)), [-2, 0], atol=0.2
    )


def test_photos_are_paired_by_overlap(tmp_path):
    two_scenes = [*sliding(3, step=20), *[255 - texture(128, 160, seed=8)] * 2]
    frames = write_frames(tmp_path / "frames", two_scenes, "photos")
    _, folder = run_stage(tmp_path, frames, pairs={"partners": 2})
    pairs = {(int(a), int(b)) for a, b in load_pairs(folder / "pairs.json")}
    assert {(0, 1), (1, 2), (3, 4)} <= pairs
    assert not any((first < 3) != (second < 3) for first, second in pairs)


def test_photos_that_share_nothing(tmp_path):
    frames = write_frames(tmp_path / "f", [texture(128, 160, s) for s in (1, 2)], "photos")
    with pytest.raises(NotEnoughDataError, match="no two photos"):
        run_stage(tmp_path, frames)


def test_one_frame_is_not_enough(tmp_path):
    frames = write_frames(tmp_path / "frames", sliding(1), "sequence")
    with pytest.raises(NotEnoughDataError, match="only 1 key frame"):
        run_stage(tmp_path, frames)


def test_useless_pairs_are_named(tmp_path):
    image = texture(128, 160, seed=1)
    frames = write_frames(tmp_path / "frames", [image, 255 - image], "sequence")
    summary, _ = run_stage(tmp_path, frames)
    assert summary.numbers["useless_pairs"] == 1
    assert "000000–000001" in summary.warnings[0]


@pytest.mark.parametrize(
    ("weights", "what"), [(None, "--flow.raft.weights"), ("missing.pth", "do not exist")]
)
def test_a_learned_model_wants_its_weights(tmp_path, weights, what):
    frames = write_frames(tmp_path / "frames", sliding(2), "sequence")
    with pytest.raises(UsageError, match=what):
        run_stage(tmp_path, frames, model="raft-small", raft={"weights": weights})


def test_the_more_doubtful_confidence_counts():
    first, second = shifted_pair(dx=2, dy=0)
    size = first.shape[:2]
    moved = np.broadcast_to(np.float32([2, 0]), (*size, 2))
    own = np.full(size, 0.9, np.float32)
    own[:60] = 0.1

    class Doubtful:
        def estimate(self, first_rgb_hw3, second_rgb_hw3):
            return FlowEstimate(moved, -moved, own, None)

    pair = estimate_pair(Doubtful(), first, second)
    assert pair.forward_confidence_hw[:60].max() <= np.float32(0.1)
    assert pair.backward_confidence_hw[:60, 8:-8].min() > 0.5


def test_photos_of_other_shape_take_the_first_ones_size():
    image = texture(60, 80, seed=9)

    class Still:
        def estimate(self, first_rgb_hw3, second_rgb_hw3):
            assert first_rgb_hw3.shape == second_rgb_hw3.shape
            return FlowEstimate(*np.zeros((2, *first_rgb_hw3.shape[:2], 2), np.float32))

    assert estimate_pair(Still(), image, texture(80, 60, 9)).backward_hw2.shape == (60, 80, 2)
