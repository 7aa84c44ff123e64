"""Coloured triangle meshes and oriented point clouds: PLY in and out, glTF binary out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.gltf import (
    GL_ARRAY_BUFFER,
    GL_ELEMENT_ARRAY_BUFFER,
    GL_FLOAT,
    GL_UNSIGNED_INT,
    GL_UNSIGNED_SHORT,
    unlit_gltf,
    write_glb_chunks,
)

VERTEX_FIELDS: list[tuple[str, str]] = [
    ("x", "<f4"),
    ("y", "<f4"),
    ("z", "<f4"),
    ("nx", "<f4"),
    ("ny", "<f4"),
    ("nz", "<f4"),
    ("red", "u1"),
    ("green", "u1"),
    ("blue", "u1"),
    ("confidence", "<f4"),
]
PLY_TYPE = {"<f4": "float", "u1": "uchar"}


@dataclass(frozen=True)
class PointCloud:
    """Oriented coloured points.

    Attributes:
        xyz_n3: world coordinates, float32.
        normals_n3: unit length, pointing to the side it was seen from, float32.
        rgb_n3: sRGB colours, uint8.
        confidence_n: 0…1, float32.
    """

    xyz_n3: NDArray[np.float32]
    normals_n3: NDArray[np.float32]
    rgb_n3: NDArray[np.uint8]
    confidence_n: NDArray[np.float32]

    def rows(self, rows: slice) -> PointCloud:
        """Some of the points."""
        return PointCloud(
            self.xyz_n3[rows], self.normals_n3[rows], self.rgb_n3[rows], self.confidence_n[rows]
        )


@dataclass(frozen=True)
class Mesh:
    """Triangles over an oriented coloured point cloud.

    Attributes:
        points: the vertices.
        faces_m3: vertex indices, counter-clockwise seen from outside, int32.
    """

    points: PointCloud
    faces_m3: NDArray[np.int32]


def write_cloud_ply(path: Path, points: PointCloud) -> None:
    """Write a binary little-endian PLY with normals, colours and `confidence`."""
    _write_ply(path, points, None)


def write_mesh_ply(path: Path, mesh: Mesh) -> None:
    """Write a binary little-endian PLY with normals, colours and `confidence` per vertex."""
    _write_ply(path, mesh.points, mesh.faces_m3)


def read_cloud_ply(path: Path) -> PointCloud:
    """Read the vertices of a PLY file; what it lacks is zero (confidence: one).

    Raises:
        InputError: the file cannot be read or is empty.
    """
    import open3d as o3d

    cloud = _o3d_file(path, o3d.t.io.read_point_cloud).point
    if "positions" not in cloud or len(cloud.positions) == 0:
        raise InputError(f"{path} holds no points", "Give a PLY file with vertices")
    xyz_n3 = cloud.positions.numpy().astype(np.float32)

    def attribute(name: str, default: NDArray[Any]) -> NDArray[Any]:
        return cloud[name].numpy() if name in cloud else default

    return PointCloud(
        xyz_n3=xyz_n3,
        normals_n3=attribute("normals", np.zeros_like(xyz_n3)).astype(np.float32),
        rgb_n3=attribute("colors", np.zeros(xyz_n3.shape, np.uint8)).astype(np.uint8),
        confidence_n=attribute("confidence", np.ones(len(xyz_n3))).ravel().astype(np.float32),
    )


def sample_cloud_ply(path: Path, most: int) -> PointCloud:
    """At most so many points, evenly taken, of a file that `write_cloud_ply` wrote.

    The other points are never in memory.

    Raises:
        InputError: it is no such file.
    """
    remedy = "Run again: it is rebuilt"
    try:
        with path.open("rb") as file:
            lines = [file.readline(200) for _ in range(len(VERTEX_FIELDS) + 4)]
            start = file.tell()
        count = int(lines[2].removeprefix(b"element vertex "))
        if b"".join(lines) != _ply_header(count, None):
            raise ValueError("another header")
        vertices = np.memmap(path, VERTEX_FIELDS, "r", start, (count,))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or not a cloud of this program", remedy) from error
    chosen = vertices[:: -(-count // most)]

    def columns(*names: str) -> NDArray[Any]:
        return np.stack([chosen[name] for name in names], axis=1)

    return PointCloud(
        columns("x", "y", "z"),
        columns("nx", "ny", "nz"),
        columns("red", "green", "blue"),
        np.array(chosen["confidence"]),
    )


def read_mesh_ply(path: Path) -> Mesh:
    """Read a PLY mesh; what it lacks is zero (confidence: one).

    Raises:
        InputError: the file cannot be read, or has no vertices or no triangles.
    """
    import open3d as o3d

    faces_m3 = np.asarray(_o3d_file(path, o3d.io.read_triangle_mesh).triangles, np.int32)
    if len(faces_m3) == 0:
        raise InputError(f"{path} holds no triangles", "Give a PLY file of a triangle mesh")
    return Mesh(read_cloud_ply(path), faces_m3)


def _o3d_file(path: Path, read: Any) -> Any:
    if not path.is_file():
        raise InputError(f"there is no file {path}", "Give the path of a PLY file")
    return read(str(path))


def _write_ply(path: Path, points: PointCloud, faces_m3: NDArray[np.int32] | None) -> None:
    vertices = np.empty(len(points.xyz_n3), dtype=VERTEX_FIELDS)
    for axis, name in enumerate("xyz"):
        vertices[name] = points.xyz_n3[:, axis]
        vertices[f"n{name}"] = points.normals_n3[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = points.rgb_n3[:, channel]
    vertices["confidence"] = points.confidence_n
    with path.open("wb") as file:
        file.write(_ply_header(len(vertices), None if faces_m3 is None else len(faces_m3)))
        file.write(vertices.tobytes())
        if faces_m3 is not None:
            faces = np.empty(len(faces_m3), dtype=[("count", "u1"), ("indices", "<i4", 3)])
            faces["count"] = 3
            faces["indices"] = faces_m3
            file.write(faces.tobytes())


def _ply_header(vertices: int, faces: int | None) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {vertices}"]
    lines += [f"property {PLY_TYPE[kind]} {name}" for name, kind in VERTEX_FIELDS]
    if faces is not None:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    return "\n".join([*lines, "end_header\n"]).encode("ascii")


def write_glb(path: Path, mesh: Mesh) -> None:
    """Write glTF 2.0 binary with normals and vertex colours, in world coordinates.

    Colours are converted from sRGB to the linear values that glTF asks for, and the
    material is unlit where the viewer knows how, so that they look as photographed.
    """
    points = mesh.points
    alpha_n1 = np.full((len(points.rgb_n3), 1), 65535, np.uint16)
    linear_n3 = np.round(linear_from_srgb(points.rgb_n3) * 65535).astype(np.uint16)
    parts = [
        np.ascontiguousarray(points.xyz_n3, "<f4"),
        np.ascontiguousarray(points.normals_n3, "<f4"),
        np.concatenate([linear_n3, alpha_n1], axis=1).astype("<u2"),
        np.ascontiguousarray(mesh.faces_m3.ravel(), "<u4"),
    ]
    write_glb_chunks(path, _gltf(parts), b"".join(part.tobytes() for part in parts))


def _gltf(parts: list[NDArray[Any]]) -> dict[str, Any]:
    """The JSON part; every part's size is a multiple of four bytes, as glTF asks."""
    xyz_n3, normals_n3, rgba_n4, indices = parts
    starts = np.cumsum([0] + [part.nbytes for part in parts]).tolist()
    targets = [GL_ARRAY_BUFFER] * 3 + [GL_ELEMENT_ARRAY_BUFFER]
    views = [
        {"buffer": 0, "byteOffset": start, "byteLength": part.nbytes, "target": target}
        for start, part, target in zip(starts[:-1], parts, targets, strict=True)
    ]
    accessors: list[dict[str, Any]] = [
        {
            "bufferView": 0,
            "componentType": GL_FLOAT,
            "count": len(xyz_n3),
            "type": "VEC3",
            "min": xyz_n3.min(axis=0).astype(float).tolist(),
            "max": xyz_n3.max(axis=0).astype(float).tolist(),
        },
        {"bufferView": 1, "componentType": GL_FLOAT, "count": len(normals_n3), "type": "VEC3"},
        {
            "bufferView": 2,
            "componentType": GL_UNSIGNED_SHORT,
            "normalized": True,
            "count": len(rgba_n4),
            "type": "VEC4",
        },
        {
            "bufferView": 3,
            "componentType": GL_UNSIGNED_INT,
            "count": len(indices),
            "type": "SCALAR",
        },
    ]
    attributes = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    return unlit_gltf(
        attributes,
        colour={},
        texture={},
        size_bytes=starts[-1],
        views=views,
        accessors=accessors,
    )


def linear_from_srgb(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear light in 0…1 of sRGB bytes (IEC 61966-2-1)."""
    srgb = rgb.astype(np.float64) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
