"""The model and the cameras in 3D, and the model beside the photographs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    load_poses,
)
from mvrecon.formats.mesh import Mesh, read_mesh_ply
from mvrecon.formats.textured_mesh import read_textured_glb
from mvrecon.multiview.focal_certainty import focal_deviation
from mvrecon.render import MeshRenderer
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import captioned, read_rgb, spread
from mvrecon.report.scene import (
    Viewpoint,
    cameras_layer,
    mesh_layer,
    points_layer,
    scene,
    textured_layer,
    viewpoint,
)

COMPARED_VIEWS = 3
# A page of more would weigh too much.
MAX_TEXTURED_FACES = 200_000
RENDER_SIDE_PX = 560
# Deviation of the focal length from which a person should know better.
UNSURE = 0.03
UNCHANGED = {
    "given": "as given",
    "exif": "by EXIF",
    "default": "assumed, as the images do not tell it: give it with --camera",
}
FRUSTUM_SHARE = 0.06  # of the distance between the viewer and what it looks at


def model_section(report: ReportInput) -> Section | None:
    """The mesh, and renderings of it beside the photographs."""
    mesh_path, poses_path = report.item("surface", "mesh.ply"), report.item("pose", POSES_ITEM)
    if mesh_path is None or poses_path is None:
        return None
    mesh, frames = read_mesh_ply(mesh_path), load_poses(poses_path)
    if not frames:
        return None
    view = viewpoint(frames, mesh.points.xyz_n3, back=0.3, lift=0.15)
    cameras = cameras_layer("Cameras", frames, _frustum_size(view), shown=False)
    layer, is_textured = _model_layer(report, mesh)
    return {
        "triangles": len(mesh.faces_m3),
        "textured": is_textured,
        "scene": scene([layer, cameras], view),
        "compared": _compared(report, mesh, frames),
    }


def _model_layer(report: ReportInput, mesh: Mesh) -> tuple[dict[str, Any], bool]:
    """The model with its texture if it is light enough to send, else with vertex colours."""
    path = report.item("texture", "mesh.glb")
    if path is not None:
        textured = read_textured_glb(path)
        if len(textured.faces_m3) <= MAX_TEXTURED_FACES:
            return textured_layer("Model", textured), True
    return mesh_layer("Model", mesh), False


def cameras_section(report: ReportInput) -> Section | None:
    """The camera path with the sparse points."""
    poses_path, points_path = report.item("pose", POSES_ITEM), report.item("pose", POINTS_ITEM)
    if poses_path is None or points_path is None:
        return None
    frames, points = load_poses(poses_path), SparsePoints.load(points_path)
    if not frames:
        return None
    centers_n3 = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    around_n3 = points.xyz_n3 if len(points.xyz_n3) else centers_n3
    view = viewpoint(frames, around_n3, back=0.9, lift=0.6)
    layers = [cameras_layer("Cameras", frames, _frustum_size(view), shown=True)]
    if len(points.xyz_n3):
        layers.append(points_layer("Points", points))
    return {
        "cameras": len(frames),
        "points": len(points.xyz_n3),
        "focal": _focal_text(report, frames, points),
        "scene": scene(layers, view),
    }


def _focal_text(report: ReportInput, frames: list[PosedFrame], points: SparsePoints) -> str:
    """The focal length, where it is from, and how sure it is."""
    camera = frames[0].source_camera
    text = f"Focal length of the key frames: {camera.fx:.1f} px"
    table_path = report.item("frames", FRAMES_ITEM)
    table = FrameTable.load(table_path) if table_path else None
    names = {frame.name: frame for frame in table.key_frames} if table else {}
    if table is None or frames[0].name not in names:
        return f"{text}."
    prior = table.cameras[names[frames[0].name].camera]
    assumed_px = 0.5 * (prior.camera.fx + prior.camera.fy)
    if math.isclose(camera.fx, assumed_px, rel_tol=1e-6):
        return f"{text}, {UNCHANGED[prior.source]}."
    start = {"exif": "from EXIF's", "given": "from the given", "default": "from a usual lens's"}
    text += f", found from the images, starting {start[prior.source]} {assumed_px:.1f} px"
    deviation = focal_deviation(frames, points)
    if deviation is None:
        return f"{text}; how sure it is cannot be told."
    if deviation < UNSURE:
        return f"{text}; sure to about ±{100 * deviation:.2g} %."
    return (
        f"{text}; unsure (±{100 * deviation:.2g} %), and proportions along the view with it: "
        "give it with --camera if you know it."
    )


def _frustum_size(view: Viewpoint) -> float:
    return FRUSTUM_SHARE * float(np.linalg.norm(view.target_3 - view.eye_3))


def _compared(
    report: ReportInput, mesh: Mesh, frames: list[PosedFrame]
) -> list[list[dict[str, str]]]:
    """For several frames: photograph, the model from the same place, its shape."""
    renderer = MeshRenderer(mesh)
    # Neither the first nor the last view: those see the edges of the model.
    chosen = [frames[i + 1] for i in spread(max(len(frames) - 2, 0), COMPARED_VIEWS)] or frames[:1]
    rows = []
    for frame in chosen:
        photo_hw3 = read_rgb(report.item("pose", image_item(frame.name)))
        if photo_hw3 is None:
            continue
        rendered_hw3, clay_hw3 = _renderings(renderer, frame)
        rows.append(
            [
                captioned(photo_hw3, f"{frame.name}: photograph", RENDER_SIDE_PX),
                captioned(rendered_hw3, "model from the same place", RENDER_SIDE_PX),
                captioned(clay_hw3, "its shape", RENDER_SIDE_PX),
            ]
        )
    return rows


def mesh_rendering(mesh: Mesh, frames: list[PosedFrame]) -> list[NDArray[np.uint8]]:
    """The coloured mesh as frames saw it."""
    renderer = MeshRenderer(mesh)
    return [_renderings(renderer, frame)[0] for frame in frames]


def _renderings(
    renderer: MeshRenderer, frame: PosedFrame
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    camera = frame.camera
    scale = min(1.0, RENDER_SIDE_PX / max(camera.width, camera.height))
    small = camera.scaled(round(camera.width * scale), round(camera.height * scale))
    colored_hw3, _ = renderer.render(small, frame.world_from_cam)
    clay_hw3, _ = renderer.render(small, frame.world_from_cam, shaded=True)
    return colored_hw3, clay_hw3
