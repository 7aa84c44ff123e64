"""What the page's 3D viewer shows, packed for it: meshes, points and lines."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.formats.images import encode_jpeg
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.formats.textured_mesh import TexturedMesh
from mvrecon.geometry.resize import fit_size, resize_by_area
from mvrecon.geometry.rigid import inverse_rigid, transform_points
from mvrecon.report.pictures import spread

FloatArray = NDArray[np.float64]

MAX_FACES = 120_000
MAX_POINTS = 60_000
# Of the page's texture: sharper than the window that it is shown in.
TEXTURE_PX = 2048
TEXTURE_QUALITY = 80
MAX_FRUSTA = 120
MAX_ERROR_PX = 4.0
# Points by which the first view is chosen, and that it is made to show; the nearest, this part of
# them, may be crumbs.
MAX_COUNTED, MAX_SEEN = 4000, 300
NEAREST = 0.02
PATH_RGB = (255, 140, 26)
FRUSTUM_RGB = (64, 140, 255)
# Start and end of the lines of a camera's pyramid: apex 0, corners 1 to 4.
FRUSTUM_LINES = (0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1)


@dataclass(frozen=True)
class Viewpoint:
    """Where the viewer starts, in world coordinates.

    Attributes:
        eye_3, target_3, up_3: where it is, what it looks at, and up.
        seen_n3: points that the first view has to show in a window of any shape: the eye goes
            as near or far for it; none: it stays.
    """

    eye_3: FloatArray
    target_3: FloatArray
    up_3: FloatArray
    seen_n3: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))


def viewpoint(
    frames: Sequence[PosedFrame], scene_n3: NDArray[Any], back: float, lift: float
) -> Viewpoint:
    """As the camera that saw most of the scene, from farther back and higher up.

    Args:
        frames: posed frames.
        scene_n3: points of the scene.
        back: how far, in median depths of the scene.
        lift: how high, in median depths of the scene.
    """
    some_n3 = scene_n3[spread(len(scene_n3), MAX_COUNTED)].astype(np.float64)
    best = max(frames, key=lambda frame: len(_inside(frame, some_n3)[0]))
    pose = best.world_from_cam
    ups_n3 = np.stack([-frame.world_from_cam[:3, 1] for frame in frames])
    depth_n = (scene_n3 - pose[:3, 3]) @ pose[:3, 2]
    in_front = depth_n[depth_n > 0]
    depth = float(np.median(in_front)) if len(in_front) else 1.0
    target_3 = pose[:3, 3] + depth * pose[:3, 2]
    up_3 = ups_n3.mean(axis=0)
    eye_3 = pose[:3, 3] - back * depth * pose[:3, 2] + lift * depth * up_3
    return Viewpoint(eye_3, target_3, up_3, _seen(best, some_n3))


def _seen(frame: PosedFrame, scene_n3: FloatArray) -> FloatArray:
    """Some of the points within a camera's picture, none that is much nearer than most."""
    inside, depth_n = _inside(frame, scene_n3)
    if not len(inside):
        return np.zeros((0, 3))
    inside = inside[depth_n >= np.quantile(depth_n, NEAREST)]
    return scene_n3[inside[spread(len(inside), MAX_SEEN)]]


def _inside(frame: PosedFrame, scene_n3: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Which points lie within a camera's picture, and their depths."""
    camera = frame.camera
    cam_n3 = transform_points(inverse_rigid(frame.world_from_cam), scene_n3)
    ahead = np.flatnonzero(cam_n3[:, 2] > 0)
    xy_n2 = camera.project(cam_n3[ahead])
    inside = ahead[np.all((xy_n2 > 0) & (xy_n2 < [camera.width - 1, camera.height - 1]), axis=1)]
    return inside, cam_n3[inside, 2]


def scene(layers: Sequence[dict[str, Any]], view: Viewpoint, lit: bool = False) -> dict[str, Any]:
    """What the page's viewer reads; `lit` shades colours that were not photographed."""
    return {
        "layers": layers,
        "lit": lit,
        "eye": _short(view.eye_3),
        "target": _short(view.target_3),
        "up": _short(view.up_3),
        "seen": [_short(point_3) for point_3 in view.seen_n3],
    }


def mesh_layer(name: str, mesh: Mesh) -> dict[str, Any]:
    """A mesh with vertex colours, simplified for the page."""
    small = simplified(mesh, MAX_FACES)
    layer = _layer(name, "triangles", small.points.xyz_n3, small.points.rgb_n3)
    layer["indices"] = _base64(small.faces_m3.astype("<u4"))
    return layer


def textured_layer(name: str, mesh: TexturedMesh) -> dict[str, Any]:
    """A mesh with its picture, which is shrunk for the page."""
    layer = _layer(name, "triangles", mesh.xyz_n3, None)
    picture_hw3 = mesh.texture_hw3()
    size = fit_size((picture_hw3.shape[1], picture_hw3.shape[0]), TEXTURE_PX)
    jpeg = encode_jpeg(resize_by_area(picture_hw3, size), TEXTURE_QUALITY, full_colour=False)
    uv_n2 = np.round(np.clip(mesh.uv_n2, 0.0, 1.0) * 65535)
    return {
        **layer,
        "indices": _base64(mesh.faces_m3.astype("<u4")),
        "places": _base64(uv_n2.astype("<u2")),
        "texture": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}",
    }


def points_layer(name: str, points: SparsePoints) -> dict[str, Any]:
    """The sparse points with the smallest errors."""
    good = np.nonzero(points.error_px_n <= MAX_ERROR_PX)[0]
    chosen = good[spread(len(good), MAX_POINTS)] if len(good) else good
    return _layer(name, "points", points.xyz_n3[chosen], points.rgb_n3[chosen])


def cameras_layer(
    name: str, frames: Sequence[PosedFrame], size: float, shown: bool
) -> dict[str, Any]:
    """A pyramid of `size` (world units) for each camera, and the path through them."""
    path_n3 = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    path_lines = np.repeat(np.arange(len(frames)), 2)[1:-1]
    drawn = [frames[i] for i in spread(len(frames), MAX_FRUSTA)]
    corners = [_frustum(frame, size)[list(FRUSTUM_LINES)] for frame in drawn]
    lines_n3 = np.concatenate([path_n3[path_lines], *corners])
    rgb_n3 = np.empty(lines_n3.shape, np.uint8)
    rgb_n3[: len(path_lines)] = PATH_RGB
    rgb_n3[len(path_lines) :] = FRUSTUM_RGB
    return {**_layer(name, "lines", lines_n3, rgb_n3), "shown": shown}


def _frustum(frame: PosedFrame, size: float) -> FloatArray:
    camera = frame.camera
    pixels_42 = np.array(
        [
            [-0.5, -0.5],
            [camera.width - 0.5, -0.5],
            [camera.width - 0.5, camera.height - 0.5],
            [-0.5, camera.height - 0.5],
        ]
    )
    corners_43 = np.concatenate([camera.normalize(pixels_42), np.ones((4, 1))], axis=1)
    cam_53 = np.concatenate([np.zeros((1, 3)), corners_43]) * size
    world_53 = cam_53 @ frame.world_from_cam[:3, :3].T + frame.world_from_cam[:3, 3]
    return np.asarray(world_53)


def simplified(mesh: Mesh, most_faces: int) -> Mesh:
    """The mesh with at most so many faces; confidence is one where it is simplified."""
    points = mesh.points
    if len(mesh.faces_m3) <= most_faces:
        return mesh
    import open3d as o3d

    full = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(points.xyz_n3.astype(np.float64)),
        o3d.utility.Vector3iVector(mesh.faces_m3),
    )
    full.vertex_colors = o3d.utility.Vector3dVector(points.rgb_n3 / 255.0)
    small = full.simplify_quadric_decimation(most_faces)
    small.compute_vertex_normals()
    rgb_n3 = np.round(np.clip(np.asarray(small.vertex_colors), 0.0, 1.0) * 255)
    xyz_n3 = np.asarray(small.vertices, np.float32)
    few = PointCloud(
        xyz_n3,
        np.asarray(small.vertex_normals, np.float32),
        rgb_n3.astype(np.uint8),
        np.ones(len(xyz_n3), np.float32),
    )
    return Mesh(few, np.asarray(small.triangles, np.int32))


def _layer(
    name: str, kind: str, xyz_n3: NDArray[Any], rgb_n3: NDArray[Any] | None
) -> dict[str, Any]:
    """Positions as 16 bits of their range, colours, if it has them, as bytes."""
    low_3 = xyz_n3.min(axis=0) if len(xyz_n3) else np.zeros(3)
    size_3 = np.maximum(np.ptp(xyz_n3, axis=0), 1e-9) if len(xyz_n3) else np.ones(3)
    quantized_n3 = np.round((xyz_n3 - low_3) / size_3 * 65535)
    return {
        "name": name,
        "kind": kind,
        "shown": True,
        "low": _short(low_3),
        "size": _short(size_3),
        "positions": _base64(quantized_n3.astype("<u2")),
        **({} if rgb_n3 is None else {"colors": _base64(rgb_n3.astype("u1"))}),
    }


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _short(values: NDArray[Any]) -> list[float]:
    return [float(f"{value:.7g}") for value in values]
