"""The textured mesh beside vertex colours, over key frames that it was painted from and others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.clips import CLIPS, finished_run
from benchmarks.measures.running import MVFLOW, STAGES, latest
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import POSES_ITEM, PosedFrame, load_moving_mask, load_poses
from mvrecon.engine.measure import Usage
from mvrecon.engine.store import Artifact
from mvrecon.evaluation.metrics.image import ImageErrors, image_errors, mean_image_errors
from mvrecon.formats.mesh import Mesh, read_mesh_ply
from mvrecon.formats.textured_mesh import TexturedMesh
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.render import MeshRenderer
from stages.texture.config import TextureConfig
from stages.texture.run import MASK_SIZE_PX, relative_sharpness
from stages.texture.texture import TextureInputs, make_texture

HELD_OUT = slice(2, None, 5)  # of the key frames
MOST = 6  # frames of each kind that are rendered

SETS = ("sample", "phone_fox50")


def measure(place: Place, name: str) -> list[Row]:
    """A row of the frames that the texture is painted from, and one of those left out."""
    run_dir = finished_run(place, name)
    pose, surface, frames = (latest(run_dir, stage) for stage in ("pose", "surface", "frames"))
    posed = load_poses(pose.path(POSES_ITEM))
    table = FrameTable.load(frames.path(FRAMES_ITEM))
    sharpness = {frame.name: frame.sharpness for frame in table.key_frames}
    held = posed[HELD_OUT]
    left = {frame.name for frame in held}
    used = [frame for frame in posed if frame.name not in left]
    mesh = read_mesh_ply(surface.path("mesh.ply"))
    inputs = TextureInputs(
        mesh,
        used,
        relative_sharpness([sharpness[frame.name] for frame in used]),
        lambda name: read_key_frame(pose, name),
        lambda name: load_moving_mask(pose, name, (MASK_SIZE_PX, MASK_SIZE_PX)),
    )
    with Usage() as usage:
        textured, _ = make_texture(inputs, TextureConfig())
    rows: list[Row] = []
    for label, chosen in (("used", used), ("not used", held)):
        step = max(1, len(chosen) // MOST)
        figures = _compare(chosen[::step], pose, mesh, textured)
        rows.append({"set": name, "frames": label, "cpu_s": usage.cpu_s, **figures})
    return rows


def _compare(
    frames: Sequence[PosedFrame], pose: Artifact, mesh: Mesh, textured: TexturedMesh
) -> dict[str, float]:
    renderer = MeshRenderer(mesh)
    scene = TriangleScene(textured.xyz_n3, textured.faces_m3)
    texture_hw3 = textured.texture_hw3()
    errors: list[list[ImageErrors]] = [[], [], [], []]
    for frame in frames:
        photo_hw3 = read_key_frame(pose, frame.name).astype(np.float32) / np.float32(255)
        plain_hw3, depth_hw = renderer.render(frame.camera, frame.world_from_cam)
        fine_hw3, covered_hw = _render(scene, textured, texture_hw3, frame)
        both_hw = covered_hw & (depth_hw > 0)
        for index, image_hw3 in enumerate((plain_hw3, fine_hw3)):
            scaled_hw3 = image_hw3.astype(np.float32) / np.float32(255)
            fitted_hw3 = _fitted(scaled_hw3, photo_hw3, both_hw)
            errors[index].append(image_errors(scaled_hw3, photo_hw3, both_hw))
            errors[2 + index].append(image_errors(fitted_hw3, photo_hw3, both_hw))
    names = ("vertex", "texture", "fitted_vertex", "fitted_texture")
    means = {name: mean_image_errors(one) for name, one in zip(names, errors, strict=True)}
    return {f"psnr_{name}": mean.psnr_db for name, mean in means.items()} | {
        f"ssim_{name}": mean.ssim for name, mean in means.items()
    }


def _render(
    scene: TriangleScene,
    mesh: TexturedMesh,
    texture_hw3: NDArray[np.uint8],
    frame: PosedFrame,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    hits = scene.cast(*pixel_rays(frame.camera, frame.world_from_cam))
    triangle_n = np.where(hits.met_n, hits.triangle_n, 0)
    corner_n32 = mesh.uv_n2[mesh.faces_m3[triangle_n]]
    second_n1, third_n1 = hits.barycentric_n2[:, :1], hits.barycentric_n2[:, 1:]
    uv_n2 = (1 - second_n1 - third_n1) * corner_n32[:, 0] + second_n1 * corner_n32[:, 1]
    uv_n2 = (uv_n2 + third_n1 * corner_n32[:, 2]) * texture_hw3.shape[1::-1] - 0.5
    shape = frame.camera.height, frame.camera.width
    uv_n2 = np.where(hits.met_n[:, None], uv_n2, 0)
    # Two maps: with one of two channels OpenCV 5.0 interpolates wrongly between pixels.
    u_hw, v_hw = (np.ascontiguousarray(axis, np.float32) for axis in uv_n2.T.reshape(2, *shape))
    image_hw3 = cv2.remap(texture_hw3, u_hw, v_hw, cv2.INTER_LINEAR)
    return np.asarray(image_hw3, np.uint8), hits.met_n.reshape(shape)


def _fitted(
    image_hw3: NDArray[np.float32], photo_hw3: NDArray[np.float32], chosen_hw: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The image times the gain of each channel that brings it nearest to the photograph."""
    image_n3, photo_n3 = image_hw3[chosen_hw], photo_hw3[chosen_hw]
    gain_3 = (image_n3 * photo_n3).sum(axis=0) / np.maximum((image_n3**2).sum(axis=0), 1e-9)
    return np.clip(image_hw3 * gain_3, 0, 1).astype(np.float32)


TABLE = Table(
    "texture",
    "Texture",
    """
Every fifth key frame is left out of the texture; the mesh's vertex colours (`mesh.ply`) come from
all key frames, those too. Both meshes are rendered from the poses of at most 6 key frames of each
kind, at their full size, and compared where both cover the picture. *Fitted*: after one gain a
channel, fitted to the photograph, on both sides: the texture has one exposure, the photographs
each their own. *CPU*: to make the texture.
""",
    (
        Column("set", "set"),
        Column("frames", "frames"),
        Column("psnr_vertex", "PSNR vertex", ".2f"),
        Column("psnr_texture", "texture", ".2f"),
        Column("psnr_fitted_vertex", "fitted PSNR vertex", ".2f"),
        Column("psnr_fitted_texture", "texture", ".2f"),
        Column("ssim_vertex", "SSIM vertex", ".3f"),
        Column("ssim_texture", "texture", ".3f"),
        Column("ssim_fitted_vertex", "fitted SSIM vertex", ".3f"),
        Column("ssim_fitted_texture", "texture", ".3f"),
        Column("cpu_s", "CPU s", ".1f"),
    ),
    tuple(
        Piece(f"texture/{name}", partial(measure, name=name), STAGES, (MVFLOW,), CLIPS[name].data)
        for name in SETS
    ),
)
