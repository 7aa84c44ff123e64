"""SIFT features and their matches by pycolmap: only for use in a child process."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvrecon.artifacts.frames import mask_item
from mvrecon.formats.images import write_png
from stages.pose.colmap import quieten
from stages.pose.matching.database import two_view_options, write_images
from stages.pose.matching.features import FeatureMatches, MappingProblem, MatchRows, Pair
from stages.pose.options import SiftOptions

# RANSAC trials: matches of descriptors hold many outliers.
MAX_TRIALS = 2000


@dataclass(frozen=True)
class SiftSettings:
    """How to extract and match.

    Attributes:
        options: of the user.
        max_error_px: distance of an inlier from its epipolar line.
        threads: they do not change the result.
    """

    options: SiftOptions
    max_error_px: float
    threads: int


def match_sift(
    images: Path,
    problem: MappingProblem,
    pairs: Sequence[Pair],
    scratch: Path,
    settings: SiftSettings,
) -> FeatureMatches:
    """Verified SIFT matches of some pairs of images.

    D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004.

    Args:
        images: folder of the images, beside that of their masks if there are some.
        problem: names and cameras of all images; only those in `pairs` are read.
        pairs: first below second.
        scratch: existing folder for the database.
        settings: how.
    """
    import pycolmap

    quieten()
    names = problem.names
    used = sorted({image for pair in pairs for image in pair})
    path = scratch / "sift.db"
    path.unlink(missing_ok=True)
    with pycolmap.Database.open(path) as database:
        write_images(database, problem)
    extraction = pycolmap.FeatureExtractionOptions(
        max_image_size=settings.options.size, num_threads=settings.threads, use_gpu=False
    )
    extraction.sift.max_num_features = settings.options.features
    # Doubling the images first, as COLMAP does, takes most of the time and adds little.
    extraction.sift.first_octave = 0
    reader = pycolmap.ImageReaderOptions()
    masks = images.parent / Path(mask_item("any")).parent
    if masks.is_dir():
        reader.mask_path = _a_mask_for_each(masks, problem, used, scratch / "all_masks")
    pycolmap.extract_features(
        path,
        images,
        reader_options=reader,
        image_names=[names[image] for image in used],
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    pairs_path = scratch / "pairs.txt"
    pairs_path.write_text("".join(f"{names[first]} {names[second]}\n" for first, second in pairs))
    _match_and_verify(path, pairs_path, settings)
    return _read_matches(path, len(names), set(used), pairs, settings.options.min_inliers)


def _a_mask_for_each(
    masks: Path, problem: MappingProblem, used: Sequence[int], folder: Path
) -> Path:
    """A folder with a mask of each image: COLMAP finds nothing in one that has none."""
    folder.mkdir(exist_ok=True)
    for image in used:
        name = f"{problem.names[image]}.png"
        if (masks / name).is_file():
            shutil.copyfile(masks / name, folder / name)
        else:
            camera = problem.cameras[problem.camera_of_image[image]].camera
            write_png(folder / name, np.full((camera.height, camera.width), 255, np.uint8))
    return folder


def _match_and_verify(path: Path, pairs_path: Path, settings: SiftSettings) -> None:
    import pycolmap

    pycolmap.match_image_pairs(
        path,
        matching_options=pycolmap.FeatureMatchingOptions(
            num_threads=settings.threads, use_gpu=False
        ),
        pairing_options=pycolmap.ImportedPairingOptions(match_list_path=pairs_path),
        verification_options=two_view_options(settings.max_error_px, MAX_TRIALS),
        device=pycolmap.Device.cpu,
    )


def _read_matches(
    path: Path, image_count: int, used: set[int], pairs: Sequence[Pair], min_inliers: int
) -> FeatureMatches:
    import pycolmap

    matches: dict[Pair, MatchRows] = {}
    with pycolmap.Database.open(path) as database:
        keypoints = tuple(
            np.asarray(database.read_keypoints(image + 1))[:, :2].astype(np.float32) - 0.5
            if image in used
            else np.zeros((0, 2), np.float32)
            for image in range(image_count)
        )
        for first, second in pairs:
            geometry = database.read_two_view_geometry(first + 1, second + 1)
            rows = np.asarray(geometry.inlier_matches).astype(np.int64).reshape(-1, 2)
            if len(rows) >= min_inliers:
                matches[first, second] = rows
    return FeatureMatches(keypoints, matches)
