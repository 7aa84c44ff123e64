"""From a surface and its photographs to a textured mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.engine.stage import Summary
from mvrecon.formats.images import encode_jpeg
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.formats.textured_mesh import TexturedMesh
from mvrecon.render import MeshRenderer
from stages.texture.atlas import Atlas, find_texels, pack
from stages.texture.charts import Charts, make_charts
from stages.texture.config import TextureConfig
from stages.texture.exposure import view_gains
from stages.texture.paint import Paint, Shape, picture, sample, spread_colours, vertex_weights
from stages.texture.visibility import BestViews, ViewGeometry

BLUR_PX = 2.0  # of the colours that are compared between views: they are not seen alike sharp
# By edges in order of their error a face costs ten times as much as without an order, which is to
# leave so many times the budget.
ROUGH_FACTOR = 1.5
ROUGH_ERROR = 1e-9  # squared, that is allowed at first, in mean areas of a face; it grows
# Of the surface that no view sees, from which the user is warned.
MANY_UNSEEN = 0.25

Tracker = Callable[[Iterable[PosedFrame], str, int], Iterable[PosedFrame]]


@dataclass(frozen=True)
class TextureInputs:
    """What is painted, and with what.

    Attributes:
        mesh: the surface, with colours where no view paints.
        frames: posed key frames.
        sharpness_v: of each, 0…1.
        load_image: RGB image (h, w, 3) of a frame's pinhole camera, by name.
        load_moving: where things move by themselves in a frame (h, w), by name, if known.
        workers: number of threads; does not change the result.
        track: wraps an iteration with progress.
    """

    mesh: Mesh
    frames: Sequence[PosedFrame]
    sharpness_v: NDArray[np.float64]
    load_image: Callable[[str], NDArray[np.uint8]]
    load_moving: Callable[[str], NDArray[np.bool_] | None] = lambda name: None
    workers: int = 1
    track: Tracker = lambda items, unit, total: items


def make_texture(inputs: TextureInputs, config: TextureConfig) -> tuple[TexturedMesh, Summary]:
    """Paint a surface with its photographs; the mesh, and numbers for a person."""
    mesh = simplified(inputs.mesh, config.atlas.max_faces)
    vertices_n3, faces_m3 = mesh.points.xyz_n3, mesh.faces_m3
    charts = make_charts(vertices_n3, faces_m3)
    best, views = _look(inputs, mesh, config.blend.views)
    density_c = _chart_density(charts, best.pixels_per_unit()[faces_m3])
    atlas = pack(
        charts, density_c * config.atlas.density, config.atlas.padding, config.atlas.max_texels
    )
    seen_n = best.quality_nk.max(axis=1) > 0
    paint = Paint.start(
        Shape(vertices_n3, mesh.points.normals_n3, faces_m3),
        find_texels(atlas),
        spread_colours(mesh.points.rgb_n3, seen_n, faces_m3),
    )
    gains_v3 = np.ones((len(views), 3))
    if config.blend.exposure:
        gains_v3 = view_gains(best, len(views))
    _paint(inputs, paint, best, views, gains_v3=gains_v3, sharpness=config.blend.sharpness)
    unseen = float(1.0 - seen_n.mean())
    rgb_hw3 = picture(paint.texels, paint.rgb(), atlas.width, atlas.height)
    textured = _seamed(mesh, charts, atlas, encode_jpeg(rgb_hw3, config.jpeg_quality))
    numbers: dict[str, float | int | str] = {
        "faces": len(faces_m3),
        "charts": len(charts.size_c2),
        "texture": f"{atlas.width} × {atlas.height}",
        "texels_used_percent": round(
            100.0 * len(paint.texels.place_t) / (atlas.width * atlas.height), 1
        ),
        "unseen_percent": round(100.0 * unseen, 1),
        "smallest_gain": round(float(gains_v3.min()), 3),
        "largest_gain": round(float(gains_v3.max()), 3),
    }
    warnings = []
    if unseen > MANY_UNSEEN:
        warnings.append(
            f"No key frame sees {100 * unseen:.0f} % of the surface; there its colours are coarse."
        )
    return textured, Summary(numbers, warnings)


def _roughly_simplified(mesh: Mesh, wanted: int) -> Mesh:
    """About `wanted` faces by quadric error, without an order of the edges; open borders stay."""
    if len(mesh.faces_m3) <= wanted:
        return mesh
    import pyfqmr
    from scipy.spatial import cKDTree

    corners_m33 = mesh.points.xyz_n3[mesh.faces_m3].astype(np.float64)
    sides_m23 = corners_m33[:, 1:] - corners_m33[:, :1]
    area = float(np.linalg.norm(np.cross(sides_m23[:, 0], sides_m23[:, 1]), axis=1).mean() / 2)
    rough = pyfqmr.Simplify()
    rough.setMesh(mesh.points.xyz_n3, mesh.faces_m3)
    rough.simplify_mesh(
        target_count=wanted,
        alpha=ROUGH_ERROR * area,
        preserve_border=True,
        max_iterations=100,
        verbose=False,
    )
    vertices_k3, faces_m3, _ = rough.getMesh()
    _, nearest_k = cKDTree(mesh.points.xyz_n3).query(vertices_k3)
    points = mesh.points.rows(nearest_k)
    return Mesh(replace(points, xyz_n3=vertices_k3.astype(np.float32)), faces_m3.astype(np.int32))


def simplified(mesh: Mesh, max_faces: int) -> Mesh:
    """At most `max_faces` faces by quadric error, with vertex colours (Garland, Heckbert 1997)."""
    if len(mesh.faces_m3) <= max_faces:
        return mesh
    import open3d as o3d

    mesh = _roughly_simplified(mesh, round(ROUGH_FACTOR * max_faces))
    full = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.points.xyz_n3.astype(np.float64)),
        o3d.utility.Vector3iVector(mesh.faces_m3),
    )
    full.vertex_colors = o3d.utility.Vector3dVector(mesh.points.rgb_n3 / 255.0)
    small = full.simplify_quadric_decimation(max_faces)
    small.remove_degenerate_triangles()
    small.remove_unreferenced_vertices()
    small.compute_vertex_normals()
    colors_n3 = np.clip(np.asarray(small.vertex_colors), 0.0, 1.0)
    points = PointCloud(
        np.asarray(small.vertices, np.float32),
        np.asarray(small.vertex_normals, np.float32),
        np.round(255.0 * colors_n3).astype(np.uint8),
        np.ones(len(colors_n3), np.float32),
    )
    return Mesh(points, np.asarray(small.triangles, np.int32))


def _look(inputs: TextureInputs, mesh: Mesh, views: int) -> tuple[BestViews, list[ViewGeometry]]:
    """The best views of each vertex, and what each view sees; images one at a time."""
    best = BestViews.start(len(mesh.points.xyz_n3), views)
    renderer = MeshRenderer(mesh, threads=inputs.workers)
    geometries = []
    frames = inputs.track(inputs.frames, "view", len(inputs.frames))
    for number, frame in enumerate(frames):
        image_hw3 = inputs.load_image(frame.name)
        view = ViewGeometry.look(
            frame.camera, frame.world_from_cam, renderer, inputs.load_moving(frame.name)
        )
        quality_n, u_n, v_n = view.quality(mesh.points.xyz_n3, mesh.points.normals_n3)
        # A frame half as sharp has a quarter of the pixels, as it were.
        quality_n *= np.float32(inputs.sharpness_v[number] ** 2)
        blurred_hw3 = cv2.GaussianBlur(image_hw3, (0, 0), BLUR_PX)
        best.add(number, quality_n, sample(blurred_hw3, u_n, v_n).astype(np.uint8))
        geometries.append(view)
    return best, geometries


def _chart_density(charts: Charts, pixels_per_unit_m3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels that the best views have along a unit of length of each chart: its faces' median."""
    finest_m = np.median(pixels_per_unit_m3, axis=1)
    count_c = np.bincount(charts.label_m)
    sorted_m = finest_m[np.lexsort((finest_m, charts.label_m))]
    density_c = sorted_m[np.cumsum(count_c) - count_c + count_c // 2]
    seen_c = density_c > 0
    return np.where(seen_c, density_c, np.median(density_c[seen_c]) if seen_c.any() else 1.0)


def _paint(
    inputs: TextureInputs,
    paint: Paint,
    best: BestViews,
    views: Sequence[ViewGeometry],
    *,
    gains_v3: NDArray[np.float64],
    sharpness: float,
) -> None:
    weight_nk = best.weights(sharpness)
    frames = inputs.track(inputs.frames, "image", len(inputs.frames))
    with ThreadPoolExecutor(inputs.workers) as pool:
        for number, frame in enumerate(frames):
            image_hw3 = inputs.load_image(frame.name) * gains_v3[number].astype(np.float32)
            paint.add(image_hw3, views[number], vertex_weights(best, weight_nk, number), pool)


def _seamed(mesh: Mesh, charts: Charts, atlas: Atlas, jpeg: bytes) -> TexturedMesh:
    """The mesh with a vertex for each chart that it lies in."""
    corner_m3 = charts.label_m[:, None] * len(mesh.points.xyz_n3) + mesh.faces_m3
    _, first, index = np.unique(corner_m3, return_index=True, return_inverse=True)
    vertex_n = mesh.faces_m3.ravel()[first]
    # Texture coordinates count from the picture's edge, half a texel before the first centre.
    uv_n2 = (atlas.uv_m32.reshape(-1, 2)[first] + 0.5) / [atlas.width, atlas.height]
    return TexturedMesh(
        mesh.points.xyz_n3[vertex_n],
        mesh.points.normals_n3[vertex_n],
        uv_n2.astype(np.float32),
        index.reshape(-1, 3).astype(np.int32),
        jpeg,
    )
