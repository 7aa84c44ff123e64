"""A small run on disk, as the stages leave it, for the report to show."""

from __future__ import annotations

import cv2
import numpy as np

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.flow import FlowPair, pair_item
from mvrecon.artifacts.frames import (
    FRAMES_ITEM,
    CameraPrior,
    FrameRecord,
    FrameTable,
    image_item,
)
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    poses_to_json,
)
from mvrecon.formats.mesh import Mesh, PointCloud, write_mesh_ply
from mvrecon.geometry.camera import Camera
from mvrecon.report.contents import ReportInput, StageReport

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
STAGES = ("frames", "flow", "pose", "depth", "fusion", "surface")
COUNT = 4
DROP_REASON = "too blurred <sharpness 3 of 40>"
WARNING = "Exposure jumps & <b>flickers</b>."


def make_run(root, until="surface", error_px=0.5, posed=COUNT):
    """Write the items of the stages up to `until` and describe them."""
    present = STAGES[: STAGES.index(until) + 1]
    makers = {
        "frames": make_frames,
        "flow": make_flow,
        "pose": lambda folder: make_pose(folder, error_px, posed),
        "depth": make_depth,
        "fusion": make_depth,
        "surface": make_surface,
    }
    stages = []
    for index, name in enumerate(STAGES):
        if name not in present:
            stages.append(StageReport(name, config={"model": "plain"}))
            continue
        folder = root / name
        folder.mkdir(parents=True)
        makers[name](folder)
        stages.append(
            StageReport(
                name,
                folder,
                numbers={f"{name}_figure": 1234 + index, "median_confidence": 0.8},
                warnings=[WARNING] if name == "frames" else [],
                config={"model": "plain", "max_side_px": 640 + index},
                wall_s=10.0 + index,
                cpu_s=20.0 + index,
                peak_bytes=(index + 1) << 30,
            )
        )
    return ReportInput("clip <one>.mp4", stages, {"numpy": "2.0"})


def write_image(path, shade):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((CAMERA.height, CAMERA.width, 3), shade, np.uint8))


def make_frames(folder):
    records = []
    for index in range(COUNT + 1):
        kept = index < COUNT
        name = f"{index:06d}" if kept else ""
        reason = "" if kept else DROP_REASON
        records.append(FrameRecord(index, name, str(index), index / 10, 0, 1.0, reason))
        if kept:
            write_image(folder / image_item(name), 40 * index)
    prior = CameraPrior(CAMERA, "default")
    table = FrameTable("sequence", "neighbours overlap", (prior,), tuple(records))
    (folder / FRAMES_ITEM).write_text(table.to_json())


def make_flow(folder):
    (folder / "flow").mkdir()
    flow = np.ones((12, 16, 2), np.float32)
    confidence = np.full((12, 16), 0.5, np.float32)
    for index in range(COUNT - 1):
        item = pair_item(f"{index:06d}", f"{index + 1:06d}")
        FlowPair(flow, -flow, confidence, confidence).save(folder / item)


def make_pose(folder, error_px, posed):
    frames = []
    for index in range(posed):
        pose = np.eye(4)
        pose[0, 3] = 0.1 * index
        name = f"{index:06d}"
        frames.append(PosedFrame(name, index / 10, CAMERA, CAMERA, pose))
        write_image(folder / image_item(name), 40 * index)
    (folder / POSES_ITEM).write_text(poses_to_json(frames))
    rng = np.random.default_rng(0)
    SparsePoints(
        xyz_n3=rng.normal([0.0, 0.0, 4.0], size=(50, 3)),
        rgb_n3=rng.integers(0, 255, (50, 3)).astype(np.uint8),
        error_px_n=np.full(50, error_px, np.float32),
        observation_point_m=np.zeros(1, np.int32),
        observation_frame_m=np.zeros(1, np.int32),
        observation_xy_m2=np.zeros((1, 2), np.float32),
    ).save(folder / POINTS_ITEM)


def make_depth(folder):
    (folder / "depth").mkdir()
    for index in range(COUNT):
        depth = np.full((CAMERA.height, CAMERA.width), 4.0, np.float32)
        confidence = np.full_like(depth, 0.9)
        confidence[:, :8] = 0.1
        DepthMap(depth, confidence, CAMERA.k_33, np.eye(4)).save(
            folder / depth_item(f"{index:06d}")
        )


def make_surface(folder):
    xyz = np.array([[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]], np.float32)
    normals = np.tile(np.float32([0, 0, -1]), (4, 1))
    rgb = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 9, 9]], np.uint8)
    points = PointCloud(xyz, normals, rgb, np.full(4, 0.8, np.float32))
    write_mesh_ply(folder / "mesh.ply", Mesh(points, np.int32([[0, 2, 1], [0, 3, 2]])))
