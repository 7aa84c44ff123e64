"""From depth maps to a coloured mesh and an oriented point cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.engine.stage import Summary
from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.render import MeshRenderer
from stages.surface.blocks import Scale, choose_voxel_size, measure_scale
from stages.surface.clean import (
    Triangles,
    drop_unused,
    fill_small_holes,
    large_pieces,
    simplify,
)
from stages.surface.color import ImageLoader, VertexColors
from stages.surface.config import SurfaceConfig
from stages.surface.extract import extract_triangles, vertex_confidence
from stages.surface.views import DepthLoader, make_view
from stages.surface.volume import Volume

# Reach of a depth pixel, in deviations of depth: nearly all of what sees one surface meets in it.
NOISE_DEVIATIONS = 3.0
# Median confidence of the surface's vertices below which the user is warned: two fair views.
LOW_CONFIDENCE = 0.5
# Times the wanted voxel size from which the user is warned: then details are missed.
COARSENED = 3.0

Tracker = Callable[[Iterable[PosedFrame], str, int], Iterable[PosedFrame]]


@dataclass(frozen=True)
class SurfaceInputs:
    """What is fused.

    Attributes:
        frames: posed frames with a depth map.
        load_depth: depth map of a frame, by name.
        load_image: RGB image (h, w, 3) of a frame's pinhole camera, by name.
        load_moving: where things move by themselves in a frame (h, w), by name, if known.
        workers: number of threads; does not change the result.
        track: wraps an iteration with progress.
    """

    frames: Sequence[PosedFrame]
    load_depth: DepthLoader
    load_image: ImageLoader
    load_moving: Callable[[str], NDArray[np.bool_] | None] = lambda name: None
    workers: int = 1
    track: Tracker = lambda items, unit, total: items


@dataclass(frozen=True)
class Surface:
    """What the stage makes.

    Attributes:
        mesh: simplified, coloured.
        cloud: the surface before simplification.
        summary: numbers and warnings.
    """

    mesh: Mesh
    cloud: PointCloud
    summary: Summary


def reconstruct_surface(inputs: SurfaceInputs, config: SurfaceConfig) -> Surface:
    """Fuse depth maps into a coloured surface.

    Raises:
        NotEnoughDataError: nothing could be fused.
    """
    if not inputs.frames:
        raise NotEnoughDataError(
            "no posed frame has a depth map", "Film the scene with more sideways motion"
        )
    names = [frame.name for frame in inputs.frames]
    scale = measure_scale(names, inputs.load_depth, config.depth.min_confidence)
    wanted = config.volume.voxel_size or scale.voxel_size(config.volume.resolution)
    volume = _fuse(inputs, config, scale, wanted)
    dense, pieces, removed = _dense_surface(volume, config)
    simple = Triangles.with_normals(
        *simplify(dense.vertices_n3, dense.faces_m3, config.mesh.max_faces)
    )

    # Vertices are sorted by position, so an even choice of rows is even in space.
    count = len(dense.vertices_n3)
    chosen = np.linspace(0, count - 1, min(count, config.cloud.max_points)).round().astype(np.int64)
    points = _colored(
        inputs,
        dense,
        np.concatenate([simple.vertices_n3, dense.vertices_n3[chosen]]),
        np.concatenate([simple.normals_n3, dense.normals_n3[chosen]]),
        volume,
        reference_depth=scale.reference_depth,
    )
    split = len(simple.vertices_n3)
    mesh = Mesh(points.rows(slice(0, split)), simple.faces_m3)
    cloud = points.rows(slice(split, None))
    numbers = {
        "views": len(names),
        **_result_numbers(mesh, cloud),
        **_volume_numbers(volume, scale),
        "pieces_kept": pieces,
        "pieces_removed": removed,
    }
    return Surface(mesh, cloud, Summary(numbers, _warnings(mesh, wanted, volume.voxel_size)))


def _fuse(inputs: SurfaceInputs, config: SurfaceConfig, scale: Scale, wanted: float) -> Volume:
    """All depth maps in one volume, one in memory at a time."""
    voxel_size, keys_n3 = choose_voxel_size(
        [frame.name for frame in inputs.frames],
        inputs.load_depth,
        wanted,
        config,
    )
    noise = NOISE_DEVIATIONS * scale.depth_noise * scale.reference_depth
    volume = Volume.empty(keys_n3, voxel_size, max(config.volume.truncation * voxel_size, noise))
    with ThreadPoolExecutor(inputs.workers) as pool:
        for frame in inputs.track(inputs.frames, "view", len(inputs.frames)):
            depth_map = inputs.load_depth(frame.name)
            view = make_view(
                depth_map, config.depth.min_confidence, scale.reference_depth, config.depth.trim
            )
            volume.integrate(view, config.volume.carving, pool)
    return volume


def _dense_surface(volume: Volume, config: SurfaceConfig) -> tuple[Triangles, int, int]:
    """All that is supported, without floating pieces and small holes.

    Returns:
        The surface, the number of pieces kept, the number removed.
    """
    vertices_n3, faces_m3 = extract_triangles(
        volume, config.volume.min_views, config.volume.min_evidence
    )
    keep_m, pieces, removed = large_pieces(vertices_n3, faces_m3, config.mesh.min_piece)
    used, faces_m3 = drop_unused(len(vertices_n3), faces_m3[keep_m])
    vertices_n3 = vertices_n3[used]
    if config.mesh.fill_holes > 0:
        diameter = config.mesh.fill_holes * volume.voxel_size
        faces_m3 = fill_small_holes(vertices_n3, faces_m3, diameter)
    return Triangles.with_normals(vertices_n3, faces_m3), pieces, removed


def _colored(
    inputs: SurfaceInputs,
    dense: Triangles,
    vertices_n3: NDArray[np.float32],
    normals_n3: NDArray[np.float32],
    volume: Volume,
    *,
    reference_depth: float,
) -> PointCloud:
    """Colours and confidence of points on the dense surface, in one pass over the images."""
    colors = VertexColors.start(vertices_n3, normals_n3, volume.voxel_size, reference_depth)
    renderer = MeshRenderer(dense.as_mesh(), threads=inputs.workers)
    frames = inputs.track(inputs.frames, "image", len(inputs.frames))
    with ThreadPoolExecutor(inputs.workers) as pool:
        for frame in frames:
            image_hw3 = inputs.load_image(frame.name)
            moving_hw = inputs.load_moving(frame.name)
            colors.add(
                image_hw3, frame.camera, frame.world_from_cam, renderer, pool, moving_hw=moving_hw
            )
    confidence_n = vertex_confidence(volume, vertices_n3)
    return PointCloud(vertices_n3, normals_n3, colors.rgb(), confidence_n)


def _result_numbers(mesh: Mesh, cloud: PointCloud) -> dict[str, float | int | str]:
    extent_3 = np.ptp(mesh.points.xyz_n3, axis=0)
    return {
        "faces": len(mesh.faces_m3),
        "vertices": len(mesh.points.xyz_n3),
        "cloud_points": len(cloud.xyz_n3),
        "extent": " × ".join(f"{length:.3g}" for length in extent_3),
        "median_confidence": _rounded(float(np.median(mesh.points.confidence_n))),
    }


def _volume_numbers(volume: Volume, scale: Scale) -> dict[str, float | int | str]:
    return {
        "voxel_size": _rounded(volume.voxel_size),
        "truncation": _rounded(volume.truncation),
        "blocks": len(volume.keys_n3),
        "median_depth": _rounded(scale.reference_depth),
        "depth_noise_percent": _rounded(100.0 * scale.depth_noise),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _warnings(mesh: Mesh, wanted: float, voxel_size: float) -> list[str]:
    warnings = []
    if voxel_size > COARSENED * wanted:
        warnings.append(
            f"Voxels are {voxel_size:.3g} instead of {wanted:.3g} world units to stay within the "
            "budget; --surface.volume.max_blocks raises it."
        )
    if np.median(mesh.points.confidence_n) < LOW_CONFIDENCE:
        warnings.append("Most of the surface rests on few or uncertain views.")
    return warnings
