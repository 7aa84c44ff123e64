"""Triangle meshes with a texture: glTF binary in and out, OBJ with its material and picture out."""

from __future__ import annotations

import json
import struct
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
    unlit_gltf,
    write_glb_chunks,
)
from mvrecon.formats.images import decode_rgb, write_png

GL_LINEAR, GL_LINEAR_MIPMAP_LINEAR, GL_CLAMP_TO_EDGE = 9729, 9987, 33071
GLB_HEADER, CHUNK_HEADER = struct.Struct("<III"), struct.Struct("<II")


@dataclass(frozen=True)
class TexturedMesh:
    """Triangles with a picture on them.

    Attributes:
        xyz_n3: world coordinates, float32; a vertex at a seam is there once for each side.
        normals_n3: unit normals, float32.
        uv_n2: place in the picture, float32; 0…1 from its left and upper edge.
        faces_m3: vertex indices, counter-clockwise seen from outside, int32.
        jpeg: the picture, as a file's content.
    """

    xyz_n3: NDArray[np.float32]
    normals_n3: NDArray[np.float32]
    uv_n2: NDArray[np.float32]
    faces_m3: NDArray[np.int32]
    jpeg: bytes

    def texture_hw3(self) -> NDArray[np.uint8]:
        """The picture's pixels, RGB."""
        return decode_rgb(self.jpeg)


def write_textured_glb(path: Path, mesh: TexturedMesh) -> None:
    """Write glTF 2.0 binary, in world coordinates; unlit, as photographs hold their light."""
    parts = [
        np.ascontiguousarray(mesh.xyz_n3, "<f4").tobytes(),
        np.ascontiguousarray(mesh.normals_n3, "<f4").tobytes(),
        np.ascontiguousarray(mesh.uv_n2, "<f4").tobytes(),
        np.ascontiguousarray(mesh.faces_m3, "<u4").tobytes(),
        mesh.jpeg + b"\0" * (-len(mesh.jpeg) % 4),
    ]
    write_glb_chunks(path, _gltf(mesh, [len(part) for part in parts]), b"".join(parts))


def _gltf(mesh: TexturedMesh, sizes: list[int]) -> dict[str, Any]:
    starts = np.cumsum([0, *sizes]).tolist()
    targets = [GL_ARRAY_BUFFER] * 3 + [GL_ELEMENT_ARRAY_BUFFER]
    views: list[dict[str, Any]] = [
        {"buffer": 0, "byteOffset": start, "byteLength": size}
        for start, size in zip(starts[:-1], sizes, strict=True)
    ]
    for view, target in zip(views[:4], targets, strict=True):
        view["target"] = target
    views[4]["byteLength"] = len(mesh.jpeg)
    bounds = {
        "min": mesh.xyz_n3.min(axis=0).astype(float).tolist(),
        "max": mesh.xyz_n3.max(axis=0).astype(float).tolist(),
    }
    count = len(mesh.xyz_n3)
    accessors = [
        {"bufferView": 0, "componentType": GL_FLOAT, "count": count, "type": "VEC3", **bounds},
        {"bufferView": 1, "componentType": GL_FLOAT, "count": count, "type": "VEC3"},
        {"bufferView": 2, "componentType": GL_FLOAT, "count": count, "type": "VEC2"},
        {
            "bufferView": 3,
            "componentType": GL_UNSIGNED_INT,
            "count": mesh.faces_m3.size,
            "type": "SCALAR",
        },
    ]
    sampler = {
        "magFilter": GL_LINEAR,
        "minFilter": GL_LINEAR_MIPMAP_LINEAR,
        "wrapS": GL_CLAMP_TO_EDGE,
        "wrapT": GL_CLAMP_TO_EDGE,
    }
    texture = {
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [sampler],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg"}],
    }
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    colour = {"baseColorTexture": {"index": 0}}
    return unlit_gltf(
        attributes,
        colour=colour,
        texture=texture,
        size_bytes=starts[-1],
        views=views,
        accessors=accessors,
    )


def read_textured_glb(path: Path) -> TexturedMesh:
    """Read what `write_textured_glb` wrote.

    Raises:
        InputError: the file is not there, damaged, or has no texture.
    """
    remedy = "Make it with: mvrecon run INPUT"
    try:
        data = path.read_bytes()
        text_size, _ = CHUNK_HEADER.unpack_from(data, GLB_HEADER.size)
        text_start = GLB_HEADER.size + CHUNK_HEADER.size
        gltf = json.loads(data[text_start : text_start + text_size])
        start = text_start + text_size + CHUNK_HEADER.size
        if "images" not in gltf:
            raise InputError(f"{path} has no texture", remedy)
        parts = [
            data[start + view["byteOffset"] :][: view["byteLength"]] for view in gltf["bufferViews"]
        ]
        return TexturedMesh(
            np.frombuffer(parts[0], "<f4").reshape(-1, 3),
            np.frombuffer(parts[1], "<f4").reshape(-1, 3),
            np.frombuffer(parts[2], "<f4").reshape(-1, 2),
            np.frombuffer(parts[3], "<u4").reshape(-1, 3).astype(np.int32),
            parts[4],
        )
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})", remedy) from error
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path} is damaged ({error!r})", remedy) from error


def write_obj(path: Path, mesh: TexturedMesh) -> None:
    """Write an OBJ, and beside it its MTL and PNG of the same name."""
    material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    material.write_text(
        f"newmtl texture\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture.name}\n"
    )
    write_png(picture, mesh.texture_hw3())
    # OBJ counts from one, and v from the lower edge.
    uv_n2 = np.stack([mesh.uv_n2[:, 0], 1.0 - mesh.uv_n2[:, 1]], axis=1)
    corners_m9 = np.repeat(mesh.faces_m3 + 1, 3, axis=1)
    with path.open("w") as file:
        file.write(f"mtllib {material.name}\nusemtl texture\n")
        np.savetxt(file, mesh.xyz_n3, "v %.7g %.7g %.7g")
        np.savetxt(file, uv_n2, "vt %.7g %.7g")
        np.savetxt(file, mesh.normals_n3, "vn %.5g %.5g %.5g")
        np.savetxt(file, corners_m9, "f %d/%d/%d %d/%d/%d %d/%d/%d")
