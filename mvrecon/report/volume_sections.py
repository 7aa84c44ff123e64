"""The report of a volume: the model, its pieces, slices with its outline."""

from __future__ import annotations

import numpy as np

from mvrecon.artifacts.volume import (
    GRID_ITEM,
    NOT_FOR_DIAGNOSIS,
    PIECES_ITEM,
    VOLUME_ITEM,
    Piece,
    VolumeGrid,
    load_pieces,
)
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.formats.slabs import SlabFile
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import captioned
from mvrecon.report.scene import Viewpoint, mesh_layer, scene
from mvrecon.report.slices import PlacedMesh, grey_limits, middle_slices, picture, plane_name
from mvrecon.report.verdict import Measure, Verdict

MAX_PIECES = 20
SLICE_SHARES = (0.3, 0.5, 0.7)
SLICE_PX = 560
OUTLINE_RGB = (255, 96, 48)
AXES_TOLD = {
    "RAS": "to the patient's right, front, head",
    "LPS": "to the patient's left, back, head",
}
VIEW_DISTANCE = 0.95  # diagonals of the model


def judge_volume(report: ReportInput) -> Verdict:
    """What was made; it does not say how good, as there is no second view to compare with."""
    path = report.item("mesh", PIECES_ITEM)
    if path is None:
        done = [stage.name for stage in report.stages if stage.folder is not None]
        missing = [stage.name for stage in report.stages if stage.folder is None]
        sentence = f"Done: {', '.join(done) or 'nothing'}. Missing: {', '.join(missing)}."
        return Verdict("partial", f"Not finished. {NOT_FOR_DIAGNOSIS}", sentence, ())
    pieces, axes = load_pieces(path)
    volume_ml = sum(piece.volume_mm3 for piece in pieces) / 1000
    area_cm2 = sum(piece.area_mm2 for piece in pieces) / 100
    load, segment = report.stage("load").numbers, report.stage("segment").numbers
    inside = segment.get("threshold", f"{segment.get('labels', '')} labels")
    measures = (
        Measure("Volume", f"{volume_ml:.5g} ml", "", 2),
        Measure("Area", f"{area_cm2:.5g} cm²", "", 2),
        Measure("Pieces", str(len(pieces)), "", 2),
        Measure("Voxel", f"{load.get('spacing_mm', '')} mm", "", 2),
        Measure("Inside", str(inside), "", 2),
    )
    sentence = (
        f"A model of {load.get('voxels')} voxels ({load.get('format')}, {load.get('orientation')}) "
        f"in millimetres, axes {axes}."
    )
    return Verdict("fair", NOT_FOR_DIAGNOSIS, sentence, measures)


def shape_section(report: ReportInput) -> Section | None:
    """The mesh in 3D and its pieces."""
    mesh_path, pieces_path = report.item("mesh", "mesh.ply"), report.item("mesh", PIECES_ITEM)
    if mesh_path is None or pieces_path is None:
        return None
    mesh = read_mesh_ply(mesh_path)
    pieces, axes = load_pieces(pieces_path)
    low_3, high_3 = mesh.points.xyz_n3.min(axis=0), mesh.points.xyz_n3.max(axis=0)
    # From the front, a little from the patient's right and from above.
    front_3 = np.array([0.35, 1.0, 0.3]) * ([1, 1, 1] if axes == "RAS" else [-1, -1, 1])
    target_3 = (low_3 + high_3).astype(np.float64) / 2
    away = VIEW_DISTANCE * float(np.linalg.norm(high_3 - low_3)) / np.linalg.norm(front_3)
    view = Viewpoint(target_3 + away * front_3, target_3, np.array([0.0, 0.0, 1.0]))
    return {
        "triangles": len(mesh.faces_m3),
        "axes": axes,
        "axes_told": AXES_TOLD[axes],
        "scene": scene([mesh_layer("Model", mesh)], view, lit=True),
        "pieces": [_row(piece) for piece in pieces[:MAX_PIECES]],
        "more": max(len(pieces) - MAX_PIECES, 0),
    }


def _row(piece: Piece) -> list[str]:
    sizes = [high - low for low, high in zip(piece.low_3, piece.high_3, strict=True)]
    return [
        piece.part,
        f"{piece.volume_mm3 / 1000:.5g}",
        f"{piece.area_mm2 / 100:.5g}",
        " × ".join(f"{size:.4g}" for size in sizes),
        str(piece.cavities),
        "yes" if piece.cut else "no",
    ]


def slices_section(report: ReportInput) -> Section | None:
    """Slices across each axis with the model's outline."""
    grid_path, values_path = report.item("load", GRID_ITEM), report.item("load", VOLUME_ITEM)
    mesh_path, pieces_path = report.item("mesh", "mesh.ply"), report.item("mesh", PIECES_ITEM)
    if grid_path is None or values_path is None or mesh_path is None or pieces_path is None:
        return None
    grid, mesh = VolumeGrid.load(grid_path), read_mesh_ply(mesh_path)
    flips_3 = [1, 1, 1] if load_pieces(pieces_path)[1] == "RAS" else [-1, -1, 1]
    ijk_from_ras_44 = np.linalg.inv(grid.ras_from_ijk_44)
    ras_n3 = mesh.points.xyz_n3.astype(np.float64) * flips_3
    ijk_n3 = ras_n3 @ ijk_from_ras_44[:3, :3].T + ijk_from_ras_44[:3, 3]
    rgb_n3 = mesh.points.rgb_n3
    if len(np.unique(rgb_n3, axis=0)) == 1:  # one part: no colour tells it from others
        rgb_n3 = np.tile(np.array(OUTLINE_RGB, np.uint8), (len(rgb_n3), 1))
    placed = PlacedMesh(ijk_n3, mesh.faces_m3, rgb_n3)
    slices = middle_slices(SlabFile(values_path), SLICE_SHARES)
    limits = grey_limits(slices)
    rows: dict[int, list[dict[str, str]]] = {}
    for cut in slices:
        image_hw3 = picture(cut, grid, placed, limits)
        name = ("column", "row", "slice")[cut.axis]
        caption = f"{plane_name(grid, cut.axis)}, {name} {cut.index}"
        rows.setdefault(cut.axis, []).append(captioned(image_hw3, caption, SLICE_PX))
    return {"shown": list(rows.values())}
