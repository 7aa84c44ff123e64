"""The same input gives the same poses bit for bit, whatever the number of workers."""

import hashlib

import pytest

from mvrecon.engine.partial import BOOKKEEPING
from stages.pose.config import PoseConfig
from stages.pose.stage import run
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path

TRUTH = sideways_path(6, 0.25)
FREE = PoseConfig(photos={"features": 400})


@pytest.fixture(scope="module")
def rendered():
    relief = Relief()
    return [relief.image(pose) for pose in TRUTH], relief.flows(TRUTH)


def hashes(context):
    names = [
        str(path.relative_to(context.out.folder))
        for path in sorted(context.out.folder.rglob("*"))
        if path.is_file()
        and "scratch" not in path.parts
        and not path.name.startswith(".")
        and not any(path.match(pattern) for pattern in BOOKKEEPING)
    ]
    assert {"poses.json", "points.npz", "trajectory.txt", "colmap/images.bin"} <= set(names)
    return {
        name: hashlib.sha256((context.out.folder / name).read_bytes()).hexdigest() for name in names
    }


@pytest.mark.parametrize("kind", ["sequence", "photos"])
def test_twice_with_one_worker_and_once_with_three(tmp_path, rendered, kind):
    images, flows = rendered
    found = []
    for number, workers in enumerate((1, 1, 3)):
        table = frame_table(len(TRUTH), CAMERA, "default", kind)
        context = pose_context(
            tmp_path / str(number), images, flows if kind == "sequence" else {}, table, FREE
        )
        context.workers = workers
        run(context)
        found.append(hashes(context))
    assert found[0] == found[1]
    assert found[0] == found[2]
