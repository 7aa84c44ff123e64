"""Textures of the things in the sample clip, beside those of `mvrecon.synthetic.textures`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvrecon.synthetic.noise import FloatArray, cell_hash, fractal_noise, value_noise
from mvrecon.synthetic.textures import Colour, Texture, contrast, grain, ramp, vector

GLYPH_ROWS, GLYPH_COLUMNS, GLYPHS = 7, 5, 48


def painted(colours: Sequence[Colour], size_m: float, seed: int) -> Texture:
    """Patches of flat colours with ragged borders and brush strokes."""

    def texture(points_n3: FloatArray) -> FloatArray:
        scaled_n3 = points_n3 / np.float32(size_m)
        warp_n = fractal_noise(scaled_n3 * 2, 4, seed + 1)
        noise_n = fractal_noise(scaled_n3 + 0.8 * warp_n[:, None], 5, seed)
        step_n = np.floor(contrast(noise_n, 3.0) * (len(colours) - 1e-3)).astype(np.int64)
        colour_n3 = np.asarray(colours, np.float32)[step_n]
        strokes_n3 = points_n3 * vector([1 / 0.02, 1 / 0.004, 1 / 0.004])
        return np.asarray(colour_n3 * grain(strokes_n3, 1.0, 0.45, seed + 2), np.float32)

    return texture


def wood(light: Colour, dark: Colour, plank_m: float, seed: int) -> Texture:
    """Planks along x, each with its own grain and tone."""

    def texture(points_n3: FloatArray) -> FloatArray:
        plank_n = np.floor(points_n3[:, 1] / plank_m)
        within_n = points_n3[:, 1] / np.float32(plank_m) - plank_n
        start_n = cell_hash(plank_n[:, None].astype(np.int64), seed)
        board_n = np.floor(points_n3[:, 0] / 0.9 + start_n * 7)
        board_id_n2 = np.stack([plank_n, board_n], 1).astype(np.int64)
        tone_n = cell_hash(board_id_n2, seed + 1)
        local_n3 = points_n3 + (tone_n * 40)[:, None]
        bend_n = fractal_noise(local_n3 * vector([3, 9, 9]), 4, seed + 2)
        rings_n = np.abs(((local_n3[:, 1] * 28 + bend_n * 5.5) % 1) * 2 - 1)
        fibre_n = fractal_noise(local_n3 * vector([22, 260, 260]), 4, seed + 3, gain=0.75)
        knots_n = contrast(value_noise(local_n3 * vector([7, 13, 13]), seed + 4) - 0.36, 8)
        value_n = 0.45 * rings_n + 0.75 * (fibre_n - 0.15) + 0.25 * (tone_n - 0.5)
        colour_n3 = ramp(np.clip(value_n, 0, 1), [light, dark])
        colour_n3 *= 1 - 0.3 * knots_n[:, None]
        gap_n = (np.minimum(within_n, 1 - within_n) * plank_m < 0.0015).astype(np.float32)
        gap_factor_n1 = np.asarray((1 - 0.7 * gap_n)[:, None], np.float32)
        return colour_n3 * gap_factor_n1 * grain(points_n3, 0.05, 0.3, seed + 5)

    return texture


def marble(base: Colour, vein: Colour, size_m: float, seed: int) -> Texture:
    """Veins of several widths in a cloudy stone."""

    def texture(points_n3: FloatArray) -> FloatArray:
        scaled_n3 = points_n3 / np.float32(size_m)
        warp_n = fractal_noise(scaled_n3 * 1.7, 6, seed, gain=0.6)
        broad_n = np.abs(np.sin(scaled_n3 @ vector([2.1, 1.3, 1.7]) + 9 * warp_n))
        fine_n = np.abs(fractal_noise(scaled_n3 * 5, 6, seed + 1, gain=0.65) - 0.5) * 2
        value_n = np.clip((1 - broad_n) ** 5 + 0.9 * (1 - fine_n) ** 7, 0, 1)
        colour_n3 = ramp(value_n, [base, vein])
        return colour_n3 * grain(points_n3, size_m * 0.3, 0.55, seed + 2)

    return texture


def bricks(
    colours: Sequence[Colour], mortar: Colour, brick_m: tuple[float, float], seed: int
) -> Texture:
    """Running bond with bricks that differ in tone, stain and outline."""

    def texture(points_n3: FloatArray) -> FloatArray:
        length_m, height_m = brick_m
        wobble_n = fractal_noise(points_n3 * 30, 3, seed) - 0.5
        x_n = points_n3[:, 0] + np.float32(0.012) * wobble_n
        y_n = points_n3[:, 1] + np.float32(0.012) * (
            fractal_noise(points_n3 * 26, 3, seed + 1) - 0.5
        )
        row_n = np.floor(y_n / height_m)
        along_n = x_n / np.float32(length_m) + 0.5 * (row_n % 2)
        column_n = np.floor(along_n)
        cell_n3 = np.stack([row_n, column_n, np.floor(points_n3[:, 2])], 1).astype(np.int64)
        border_n = np.minimum(
            np.minimum(along_n - column_n, 1 - along_n + column_n) * length_m,
            np.minimum(y_n / height_m - row_n, 1 - y_n / height_m + row_n) * height_m,
        )
        mortar_n = np.clip((0.007 - border_n) / 0.003, 0, 1)[:, None]
        own_n3 = points_n3 + 30 * cell_hash(cell_n3, seed + 2)[:, None]
        stain_n = fractal_noise(own_n3 * 16, 6, seed + 3, gain=0.7)
        tone_n = 0.7 * cell_hash(cell_n3, seed + 4) + 0.9 * (stain_n - 0.5) + 0.15
        brick_n3 = ramp(np.clip(tone_n, 0, 1), colours) * grain(own_n3, 0.012, 0.7, seed + 5)
        mortar_n3 = vector(mortar) * grain(points_n3, 0.02, 0.8, seed + 6)
        return np.asarray(brick_n3 * (1 - mortar_n) + mortar_n3 * mortar_n, np.float32)

    return texture


def weave(colours: Sequence[Colour], thread_m: float, seed: int) -> Texture:
    """Cloth: threads over a blurred pattern of colours."""

    def texture(points_n3: FloatArray) -> FloatArray:
        pattern_n = fractal_noise(points_n3 / np.float32(thread_m * 30), 7, seed, gain=0.7)
        colour_n3 = ramp(contrast(pattern_n, 3.0), colours)
        across_n = points_n3[:, 0] / np.float32(thread_m)
        along_n = points_n3[:, 1] / np.float32(thread_m)
        bump_n = 0.5 + 0.25 * (np.sin(2 * np.pi * across_n) + np.sin(2 * np.pi * along_n))
        thread_n3 = np.stack([np.floor(across_n), np.floor(along_n)], 1).astype(np.int64)
        shade_n = 0.62 + 0.25 * bump_n + 0.4 * (cell_hash(thread_n3, seed + 1) - 0.3)
        return np.asarray(colour_n3 * shade_n[:, None], np.float32)

    return texture


def printed(paper: Colour, ink: Colour, line_m: float, seed: int) -> Texture:
    """Lines of words in symmetric letters of our own, with headings in place of some lines."""
    half = np.random.default_rng(seed).random((GLYPHS, GLYPH_ROWS, GLYPH_COLUMNS // 2 + 1)) < 0.5
    glyphs = np.concatenate([half, half[:, :, -2::-1]], 2)

    def letters(
        x_n: FloatArray, y_n: FloatArray, page_n: FloatArray, size_m: float
    ) -> NDArray[np.bool_]:
        line_n, column_n = np.floor(y_n / size_m), np.floor(x_n / (0.55 * size_m))
        cell_n3 = np.stack([line_n, column_n, page_n], 1).astype(np.int64)
        row_n = np.floor((y_n / size_m - line_n) * 10).astype(np.int64) - 1
        dot_n = np.floor((x_n / (0.55 * size_m) - column_n) * 6).astype(np.int64)
        drawn_n = (row_n >= 0) & (row_n < GLYPH_ROWS) & (dot_n < GLYPH_COLUMNS)
        drawn_n &= cell_hash(cell_n3, seed + 2) > 0.17
        glyph_n = (cell_hash(cell_n3, seed + 3) * GLYPHS).astype(np.int64)
        dark_n = glyphs[glyph_n, row_n.clip(0, GLYPH_ROWS - 1), dot_n.clip(0, GLYPH_COLUMNS - 1)]
        return np.asarray(drawn_n & dark_n)

    def texture(points_n3: FloatArray) -> FloatArray:
        x_n, y_n, page_n = points_n3[:, 0], points_n3[:, 1], np.floor(points_n3[:, 2])
        block_n2 = np.stack([np.floor(y_n / (4 * line_m)), page_n], 1).astype(np.int64)
        heading_n = cell_hash(block_n2, seed + 4) < 0.25
        small_n = letters(x_n, y_n, page_n, line_m)
        large_n = letters(x_n, y_n, page_n, 4 * line_m)
        inked_n = np.where(heading_n, large_n, small_n)[:, None]
        paper_n3 = vector(paper) * grain(points_n3, 0.03, 0.35, seed + 5)
        ink_n3 = vector(ink) * grain(points_n3, 0.01, 0.5, seed + 6)
        return np.where(inked_n, ink_n3, paper_n3)

    return texture
