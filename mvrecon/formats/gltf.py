"""glTF 2.0: what meshes with vertex colours and with a texture share."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GLB_MAGIC = 0x46546C67
GLB_JSON_CHUNK = 0x4E4F534A
GLB_BINARY_CHUNK = 0x004E4942
GL_UNSIGNED_SHORT = 5123
GL_UNSIGNED_INT = 5125
GL_FLOAT = 5126
GL_ARRAY_BUFFER = 34962
GL_ELEMENT_ARRAY_BUFFER = 34963
# Our worlds have z up, glTF's y: a quarter turn about x, as a quaternion x, y, z, w. The vertices
# stay in world coordinates.
Y_UP_FROM_Z_UP = [-(0.5**0.5), 0.0, 0.0, 0.5**0.5]


def write_glb_chunks(path: Path, gltf: dict[str, Any], binary: bytes) -> None:
    """Write glTF's JSON and its one buffer, a multiple of four bytes, as a .glb file."""
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with path.open("wb") as file:
        file.write(struct.pack("<III", GLB_MAGIC, 2, 12 + 8 + len(text) + 8 + len(binary)))
        file.write(struct.pack("<II", len(text), GLB_JSON_CHUNK) + text)
        file.write(struct.pack("<II", len(binary), GLB_BINARY_CHUNK) + binary)


def unlit_gltf(
    attributes: Mapping[str, int],
    *,
    colour: Mapping[str, Any],
    texture: Mapping[str, Any],
    size_bytes: int,
    views: Sequence[Mapping[str, Any]],
    accessors: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The JSON part of one mesh, unlit where the viewer knows how, as photographs hold their light.

    The world has z up.

    Args:
        attributes: of the vertices, by the number of their accessor; faces are number 3.
        colour: what the material takes its base colour from.
        texture: pictures and how they are sampled.
        size_bytes: of the one buffer.
        views: parts of it.
        accessors: what stands in them.
    """
    material = {
        "pbrMetallicRoughness": {**colour, "metallicFactor": 0.0, "roughnessFactor": 1.0},
        "doubleSided": True,
        "extensions": {"KHR_materials_unlit": {}},
    }
    return {
        "asset": {"version": "2.0", "generator": "mvrecon"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "rotation": Y_UP_FROM_Z_UP}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [material],
        **texture,
        "buffers": [{"byteLength": size_bytes}],
        "bufferViews": views,
        "accessors": accessors,
    }
