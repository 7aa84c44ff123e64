"""The mesh stage's run: closed surfaces of all parts, in millimetres, and their measures."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import (
    LEVEL_ITEM,
    NOT_FOR_DIAGNOSIS,
    PARTS_ITEM,
    PIECES_ITEM,
    VOLUME_ITEM,
    Part,
    Piece,
    VolumeGrid,
    grid_of,
    load_parts,
    pieces_json,
)
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.mesh import Mesh, PointCloud, write_glb, write_mesh_ply
from mvrecon.formats.slabs import SlabFile
from stages.volume.mesh.extraction import extract
from stages.volume.mesh.levels import LevelField
from stages.volume.mesh.matching import curved_volumes, voxel_volumes, with_volumes
from stages.volume.mesh.pieces import measure_pieces, without_small
from stages.volume.mesh.simplification import simplified
from stages.volume.mesh.smoothing import smoothed

if TYPE_CHECKING:
    from stages.volume.mesh.config import MeshConfig

# Faces that are simplified at most, if the budget is lower: it takes 0.6 kB and 65 µs for each.
MAX_SIMPLIFIED = 3_000_000
FARTHEST_VOXELS = 0.5  # that a vertex is moved: the error of the surface stays below it
# Of voxels, see `curved_volumes`: 1/24 for means over voxels, the rest for lines between them.
# Measured on balls of 4 to 20 voxels' radius.
CURVATURE_LOSS = 0.14
CUT_VOXELS = 0.25  # beyond the outermost voxels' centres: there is nothing but caps
PART_RGB = {"bone": (227, 218, 196), "skin": (222, 178, 150), "lung": (226, 160, 160)}
OTHER_RGB = (200, 202, 206)
GOLDEN = 0.618034  # of a turn: neighbouring labels differ most


@dataclass(frozen=True)
class Model:
    """A part's surface.

    Attributes:
        mesh: in millimetres.
        pieces: of it.
        dropped: number of small surfaces that were left out.
        step: voxels of the volume to one of the grid that it was found on.
    """

    mesh: Mesh
    pieces: list[Piece]
    dropped: int
    step: int


def run_mesh(context: StageContext[MeshConfig]) -> Summary:
    """Model every part, then all together."""
    load, segment = context.inputs["load"], context.inputs["segment"]
    grid = grid_of(load, context.inputs["denoise"])
    parts = load_parts(segment.path(PARTS_ITEM))
    is_level = parts[0].label is None
    volume = SlabFile(segment.path(LEVEL_ITEM) if is_level else load.path(VOLUME_ITEM))
    # A surface grows with the square of a thing's size.
    sizes = np.array([part.voxels ** (2 / 3) for part in parts])
    budgets = np.maximum(100, context.config.max_faces * sizes / sizes.sum()).astype(int)
    models = []
    for part, budget in context.track(list(zip(parts, budgets, strict=True)), "part"):
        model = _model(LevelField.of(part, volume), part, grid, context.config, int(budget))
        models.append(model)
        _write(context, f"parts/{part.name}.ply", model.mesh)
    whole = _joined([model.mesh for model in models])
    _write(context, "mesh.ply", whole)
    context.out.write("mesh.glb", lambda path: write_glb(path, whole))
    pieces = [piece for model in models for piece in model.pieces]
    context.out.write_text(PIECES_ITEM, pieces_json(pieces, context.config.axes))
    return _summary(context.config, grid, models, pieces)


def _write(context: StageContext[MeshConfig], name: str, mesh: Mesh) -> None:
    context.out.write(name, lambda path: write_mesh_ply(path, mesh))


def _model(
    field: LevelField, part: Part, grid: VolumeGrid, config: MeshConfig, budget: int
) -> Model:
    while True:
        vertices_n3, faces_m3 = extract(field)
        vertices_n3, faces_m3, dropped = without_small(vertices_n3, faces_m3, config.min_piece)
        if len(faces_m3) <= max(budget, MAX_SIMPLIFIED):
            break
        field = field.coarser()
    if config.smooth:
        vertices_n3 = _smooth(vertices_n3, faces_m3, field, config.smooth)
    world_from_ijk_44 = _world_from_ijk(grid, config)
    if np.linalg.det(world_from_ijk_44[:3, :3]) < 0:
        faces_m3 = np.ascontiguousarray(faces_m3[:, ::-1])
    xyz_n3 = _moved(vertices_n3, world_from_ijk_44)
    xyz_n3, faces_m3 = simplified(xyz_n3, faces_m3, budget)
    ijk_n3 = _moved(xyz_n3, np.asarray(np.linalg.inv(world_from_ijk_44)))
    last_3 = np.array(grid.shape_kji[::-1]) - 1
    cut_n = np.any((ijk_n3 < -CUT_VOXELS) | (ijk_n3 > last_3 + CUT_VOXELS), axis=1)
    rgb_n3 = np.tile(np.array(_rgb(part), np.uint8), (len(xyz_n3), 1))
    confidence_n = np.ones(len(xyz_n3), np.float32)
    points = PointCloud(xyz_n3, _normals(xyz_n3, faces_m3), rgb_n3, confidence_n)
    pieces = measure_pieces(part.name, xyz_n3, faces_m3, cut_n)
    return Model(Mesh(points, faces_m3), pieces, dropped, field.step)


def _smooth(
    vertices_n3: NDArray[np.float32], faces_m3: NDArray[np.int32], field: LevelField, passes: int
) -> NDArray[np.float32]:
    """The surface without steps and noise, of the right volume, within half a voxel."""
    farthest = FARTHEST_VOXELS * field.step
    low_n3, high_n3 = vertices_n3 - farthest, vertices_n3 + farthest
    if field.two_valued:
        wanted_s = voxel_volumes(vertices_n3, faces_m3)
    else:
        wanted_s = curved_volumes(vertices_n3, faces_m3, CURVATURE_LOSS, field.step)
    moved_n3 = smoothed(vertices_n3, faces_m3, passes, low_n3, high_n3)
    return with_volumes(moved_n3, faces_m3, wanted_s, low_n3, high_n3)


def _world_from_ijk(grid: VolumeGrid, config: MeshConfig) -> NDArray[np.float64]:
    flips = (1.0, 1.0, 1.0, 1.0) if config.axes == "RAS" else (-1.0, -1.0, 1.0, 1.0)
    return np.diag(flips) @ grid.ras_from_ijk_44


def _moved(points_n3: NDArray[np.float32], to_44: NDArray[np.float64]) -> NDArray[np.float32]:
    moved_n3 = points_n3 @ to_44[:3, :3].T + to_44[:3, 3]
    return np.ascontiguousarray(moved_n3, np.float32)


def _normals(xyz_n3: NDArray[np.float32], faces_m3: NDArray[np.int32]) -> NDArray[np.float32]:
    import open3d as o3d

    tensor = o3d.core.Tensor.from_numpy
    mesh = o3d.t.geometry.TriangleMesh(tensor(xyz_n3), tensor(faces_m3))
    normals_n3 = mesh.compute_vertex_normals().vertex.normals.numpy()
    return np.ascontiguousarray(normals_n3, np.float32)


def _rgb(part: Part) -> tuple[int, int, int]:
    if part.label is None:
        return PART_RGB.get(part.name, OTHER_RGB)
    red, green, blue = colorsys.hsv_to_rgb(part.label * GOLDEN % 1.0, 0.45, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)


def _joined(meshes: list[Mesh]) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.points.xyz_n3) for mesh in meshes])
    fields = ("xyz_n3", "normals_n3", "rgb_n3", "confidence_n")
    points = PointCloud(
        *(np.concatenate([getattr(mesh.points, name) for mesh in meshes]) for name in fields)
    )
    faces = [mesh.faces_m3 + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
    return Mesh(points, np.concatenate(faces).astype(np.int32))


def _summary(
    config: MeshConfig, grid: VolumeGrid, models: list[Model], pieces: list[Piece]
) -> Summary:
    faces = sum(len(model.mesh.faces_m3) for model in models)
    numbers: dict[str, float | int | str] = {
        "axes": f"{config.axes}, mm",
        "parts": len(models),
        "pieces": len(pieces),
        "small_ones_dropped": sum(model.dropped for model in models),
        "faces": faces,
        "volume_ml": _rounded(sum(piece.volume_mm3 for piece in pieces) / 1000),
        "area_cm2": _rounded(sum(piece.area_mm2 for piece in pieces) / 100),
    }
    warnings = [f"{NOT_FOR_DIAGNOSIS} A model for looking at, measured without any guarantee."]
    cut = sum(piece.cut for piece in pieces)
    if cut:
        warnings.append(
            f"{cut} of {len(pieces)} pieces are cut by the edge of the volume and closed flat "
            "there: their volume and area are of what the volume shows."
        )
    if faces > max(config.max_faces, 100 * len(models)):
        warnings.append(
            "A part is left with more faces than --mesh.max_faces, as simplifying it would have "
            "left it open."
        )
    coarsest = max(model.step for model in models)
    if coarsest > 1:
        warnings.append(
            f"The surface was found on blocks of {coarsest} voxels a side, as it is too large to "
            "be simplified as it is; a larger --mesh.max_faces keeps the voxels."
        )
    return Summary(numbers, warnings)


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
