"""From depth maps to a coloured mesh and an oriented point cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.engine.stage import Summary
from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.render import MeshRenderer
from stages.surface.assemble import Assembled, assemble
from stages.surface.blocks import choose_voxel_size, survey
from stages.surface.build import Builder
from stages.surface.clean import triangle_areas
from stages.surface.color import ImageLoader, VertexColors
from stages.surface.config import SurfaceConfig
from stages.surface.views import DepthLoader

# Median confidence of the surface below which the user is warned: two fair views.
LOW_CONFIDENCE = 0.5
# Times the wanted voxel size from which the user is warned: then details are missed.
COARSENED = 3.0

Tracker = Callable[[Iterable[Any], str, int], Iterable[Any]]


@dataclass(frozen=True)
class SurfaceInputs:
    """What is fused.

    Attributes:
        frames: posed frames with a depth map.
        load_depth: depth map that is built of a frame, by name.
        load_fused: what fusion says of it: how well these agree tells how fine to build.
        load_image: RGB image (h, w, 3) of a frame's pinhole camera, by name.
        load_moving: where things move by themselves in a frame (h, w), by name, if known.
        workers: number of threads; does not change the result.
        track: wraps an iteration with progress.
    """

    frames: Sequence[PosedFrame]
    load_depth: DepthLoader
    load_fused: DepthLoader
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
    min_confidence = config.depth.min_confidence
    scale, sights = survey(names, inputs.load_fused, min_confidence)
    wanted = config.volume.voxel_size or scale.voxel_size(config.volume.resolution)
    voxel_size, keys_n3 = choose_voxel_size(names, inputs.load_depth, wanted, config)
    with ThreadPoolExecutor(inputs.workers) as pool:
        builder = Builder(config, scale, voxel_size, inputs.load_depth, pool)
        parts = list(
            builder.parts(keys_n3, sights, lambda part: inputs.track(part, "view", len(part)))
        )
    if not parts:
        raise NotEnoughDataError(
            "the depth maps agree nowhere on a surface",
            "Film the scene with more overlap, or lower --surface.volume.min_views "
            "and --surface.volume.min_evidence",
        )
    assembled = assemble(parts, config, voxel_size)
    points = _colored(inputs, assembled, voxel_size, scale.reference_depth)
    split = len(assembled.surface.vertices_n3)
    mesh = Mesh(points.rows(slice(0, split)), assembled.surface.faces_m3)
    cloud = points.rows(slice(split, None))
    numbers = {
        "views": len(names),
        **_result_numbers(mesh, cloud),
        "voxel_size": _rounded(voxel_size),
        "truncation": _rounded(builder.truncation),
        "blocks": len(keys_n3),
        "bricks": len(parts),
        "median_depth": _rounded(scale.reference_depth),
        "depth_noise_percent": _rounded(100.0 * scale.depth_noise),
        "pieces_kept": assembled.pieces_kept,
        "pieces_removed": assembled.pieces_removed,
    }
    return Surface(mesh, cloud, Summary(numbers, _warnings(mesh, wanted, voxel_size)))


def _colored(
    inputs: SurfaceInputs, assembled: Assembled, voxel_size: float, reference_depth: float
) -> PointCloud:
    """The mesh's vertices and then the cloud, coloured in one pass over the images."""
    surface = assembled.surface
    vertices_n3 = np.concatenate([surface.vertices_n3, assembled.cloud_k3])
    normals_n3 = np.concatenate([surface.normals_n3, assembled.cloud_normals_k3])
    confidence_n = np.concatenate([assembled.confidence_n, assembled.cloud_confidence_k])
    colors = VertexColors.start(vertices_n3, normals_n3, voxel_size, reference_depth)
    renderer = MeshRenderer(surface.as_mesh(), threads=inputs.workers)
    frames = inputs.track(inputs.frames, "image", len(inputs.frames))
    with ThreadPoolExecutor(inputs.workers) as pool:
        for frame in frames:
            image_hw3 = inputs.load_image(frame.name)
            moving_hw = inputs.load_moving(frame.name)
            colors.add(
                image_hw3, frame.camera, frame.world_from_cam, renderer, pool, moving_hw=moving_hw
            )
    return PointCloud(vertices_n3, normals_n3, colors.rgb(), confidence_n)


def _result_numbers(mesh: Mesh, cloud: PointCloud) -> dict[str, float | int | str]:
    extent_3 = np.ptp(mesh.points.xyz_n3, axis=0)
    return {
        "faces": len(mesh.faces_m3),
        "vertices": len(mesh.points.xyz_n3),
        "cloud_points": len(cloud.xyz_n3),
        "extent": " × ".join(f"{length:.3g}" for length in extent_3),
        "median_confidence": _rounded(_median_confidence(mesh)),
    }


def _median_confidence(mesh: Mesh) -> float:
    """Of the surface by area: vertices are densest where it is ragged."""
    confidence_m = mesh.points.confidence_n[mesh.faces_m3].mean(axis=1)
    order_m = np.argsort(confidence_m)
    area_m = np.cumsum(triangle_areas(mesh.points.xyz_n3, mesh.faces_m3)[order_m])
    return float(confidence_m[order_m[np.searchsorted(area_m, area_m[-1] / 2)]])


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _warnings(mesh: Mesh, wanted: float, voxel_size: float) -> list[str]:
    warnings = []
    if voxel_size > COARSENED * wanted:
        warnings.append(
            f"Voxels are {voxel_size:.3g} instead of {wanted:.3g} world units to stay within the "
            "budget; --surface.volume.max_blocks raises it."
        )
    if _median_confidence(mesh) < LOW_CONFIDENCE:
        warnings.append("Most of the surface rests on few or uncertain views.")
    return warnings
