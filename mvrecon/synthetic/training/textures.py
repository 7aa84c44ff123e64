"""Colours for synthetic scenes: a folder of images, or noise when there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.errors import InputError
from mvrecon.formats.images import read_pixels
from mvrecon.synthetic.training.batch import Draws

TEXTURE_HW = (288, 384)
HELD_OUT_EVERY = 8
PROCEDURAL = 64
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def some_textures(folder: Path | None) -> Tensor:
    """The images of a folder, or procedural ones, as `load_textures` gives them."""
    return procedural_textures(PROCEDURAL) if folder is None else load_textures(folder)


def load_textures(folder: Path) -> Tensor:
    """All images of a folder as one tensor (n, 288, 384, 3), RGB, uint8.

    Raises:
        InputError: the folder holds no readable image.
    """
    height, width = TEXTURE_HW
    textures = []
    for path in sorted(p for p in folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
        try:
            rgb_hw3 = read_pixels(path)
        except InputError:
            continue
        if rgb_hw3.shape[0] > rgb_hw3.shape[1]:
            rgb_hw3 = np.ascontiguousarray(rgb_hw3.transpose(1, 0, 2))
        resized_hw3 = cv2.resize(rgb_hw3, (width, height), interpolation=cv2.INTER_AREA)
        textures.append(torch.from_numpy(resized_hw3))
    if not textures:
        raise InputError(f"no readable image in {folder}", "Name a folder with .jpg or .png images")
    return torch.stack(textures)


def split_textures(textures_nhw3: Tensor) -> tuple[Tensor, Tensor]:
    """Those for training, and the rest, which is for validation and calibration alone.

    The rest is the first of every eight. With fewer than eight there is none to spare: both
    parts are all of them.
    """
    if len(textures_nhw3) < HELD_OUT_EVERY:
        return textures_nhw3, textures_nhw3
    held_out_n = torch.arange(len(textures_nhw3)) % HELD_OUT_EVERY == 0
    return textures_nhw3[~held_out_n], textures_nhw3[held_out_n]


def procedural_textures(count: int, seed: int = 0) -> Tensor:
    """Noise of several scales with hard edges, (n, 288, 384, 3), RGB, uint8."""
    draws = Draws(seed, 0, torch.device("cpu"))
    height, width = TEXTURE_HW
    total = torch.zeros(count, 3, height, width)
    for cell_px in (96, 48, 24, 12, 6, 3):
        coarse = draws.normal(count, 3, height // cell_px + 2, width // cell_px + 2)
        amplitude = draws.log_uniform(0.1, 1.0, count, 1, 1, 1)
        octave = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
        # Every other texture has steps instead of slopes: edges like those of made things.
        stepped = draws.coin(0.5, count, 1, 1, 1)
        total += amplitude * torch.where(stepped, octave.sign() * 0.7, octave)
    tint = draws.uniform(0.2, 1.0, count, 3, 1, 1)
    grey = total.mean(1, keepdim=True)
    colour = torch.lerp(grey.expand_as(total), total, draws.uniform(0.2, 1.0, count, 1, 1, 1))
    normalized = (colour - colour.mean((2, 3), keepdim=True)) / colour.std((1, 2, 3), keepdim=True)
    return (
        ((0.5 + 0.22 * normalized) * tint * 255)
        .clamp(0, 255)
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .contiguous()
    )
