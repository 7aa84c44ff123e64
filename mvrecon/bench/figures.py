"""What the benchmarks measure: each figure with its aggregation and its better direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Time differs from run to run by more than errors do.
TIME_TOLERANCE = 0.15


@dataclass(frozen=True)
class Figure:
    """One column.

    Attributes:
        name: in JSON and CSV, with aggregation and unit.
        heading: in tables.
        meaning: in full, with how it aggregates.
        better: direction; empty if neither is.
        form: how a number is printed.
        main: whether it is in the first table and in the terminal.
        tolerance: relative change that still counts as the same.
    """

    name: str
    heading: str
    meaning: str
    better: Literal["lower", "higher", ""] = "lower"
    form: str = "{:.2f}"
    main: bool = True
    tolerance: float = 0.01


def _epe(region: str, heading: str, which: str) -> Figure:
    return Figure(
        f"epe_{region}_over_pixels_px",
        heading,
        f"end-point error, mean over the pixels of all images {which}, px",
        main=False,
    )


def _share(name: str, heading: str, meaning: str, main: bool = True) -> Figure:
    where = "share of the pixels of all images"
    return Figure(name, heading, f"{where} {meaning}", form="{:.1%}", main=main)


FLOW_FIGURES = (
    Figure(
        "epe_mean_over_pixels_px",
        "EPE, pixels",
        "end-point error, mean over the valid pixels of all images: large images weigh more, px",
    ),
    Figure(
        "epe_mean_over_images_px",
        "EPE, images",
        "end-point error, mean of the images' means (RAFT's custom on KITTI), px",
    ),
    _share("fl_all_over_pixels", "Fl-all", "wrong by over 3 px and over 5 % of the true flow"),
    _share("fl_bg_over_pixels", "Fl-bg", "of the background wrong in this sense", main=False),
    _share("fl_fg_over_pixels", "Fl-fg", "of moving objects wrong in this sense", main=False),
    _share("over_1px_over_pixels", "> 1 px", "whose error is above 1 px"),
    _share("over_3px_over_pixels", "> 3 px", "whose error is above 3 px", main=False),
    _share("over_5px_over_pixels", "> 5 px", "whose error is above 5 px", main=False),
    _epe("visible", "EPE visible", "that are visible in the second image"),
    _epe("occluded", "EPE occluded", "that are hidden or outside in the second image"),
    _epe("s0_10", "EPE s0-10", "that move by less than 10 px"),
    _epe("s10_40", "EPE s10-40", "that move by 10 to 40 px"),
    _epe("s40_plus", "EPE s40+", "that move by more than 40 px"),
    _epe(
        "with_invalid",
        "EPE with invalid",
        "those included that the data set marks invalid (RAFT's custom on Sintel)",
    ),
    Figure(
        "epe_surest_80_over_images_px",
        "EPE surest 80 %",
        "end-point error when each image's least confident 20 % are dropped, mean of the "
        "images' means, px",
    ),
    Figure(
        "epe_surest_50_over_images_px",
        "EPE surest 50 %",
        "the same with the least confident 50 % dropped, px",
        main=False,
    ),
    Figure(
        "epe_best_80_over_images_px",
        "EPE best 80 %",
        "the same with the 20 % of largest error dropped: what a perfect confidence would give, px",
        main=False,
    ),
    Figure(
        "cpu_s_mean_over_pairs",
        "CPU s",
        "processor seconds for a pair at full size, both ways with confidence, in one thread, "
        "mean over pairs",
        tolerance=TIME_TOLERANCE,
        form="{:.3g}",
    ),
    Figure(
        "peak_mib_largest",
        "peak MiB",
        "largest resident memory of the process (interpreter, libraries and model included) "
        "during a pair, the largest over pairs",
        form="{:.0f}",
        tolerance=TIME_TOLERANCE,
    ),
)

FLOW_TIME_FIGURES = (
    Figure(
        "cpu_s_least_of_runs",
        "CPU s",
        "processor seconds for one generated pair, both ways with confidence, in one thread, "
        "the least of several runs",
        form="{:.3g}",
        tolerance=TIME_TOLERANCE,
    ),
    Figure(
        "ratio_to_reference",
        "ratio",
        "the same divided by that of the reference model",
        form="{:.3g}",
        tolerance=TIME_TOLERANCE,
    ),
    Figure(
        "peak_mib_largest",
        "peak MiB",
        "largest resident memory of the process during these runs",
        form="{:.0f}",
        tolerance=TIME_TOLERANCE,
    ),
)


def _cost(name: str, heading: str, meaning: str, form: str = "{:.3g}") -> Figure:
    return Figure(name, heading, meaning, form=form, tolerance=TIME_TOLERANCE)


# Per cent of a depth map's pixels, the most confident ones.
DEPTH_SHARES = (10, 25, 50, 75, 90)
_UNITS = "the set's units"

TRAJECTORY_FIGURES = (
    Figure(
        "posed_share",
        "posed",
        "share of the run's key frames that have a pose, in one model",
        better="higher",
        form="{:.1%}",
    ),
    Figure(
        "ate_percent_of_path",
        "ATE, % of path",
        "root of the mean over posed key frames of the squared distance of the camera centres, "
        "after Sim(3) alignment of the centres, in % of the true path's length",
        form="{:.3f}",
        tolerance=0.05,
    ),
    Figure(
        "ate_rmse",
        "ATE",
        f"the same in {_UNITS}",
        form="{:.3g}",
        main=False,
        tolerance=0.05,
    ),
    Figure(
        "rotation_mean_deg",
        "rotation, °",
        "mean over posed key frames of the angle between true and estimated orientation",
        form="{:.3f}",
        tolerance=0.05,
    ),
    Figure(
        "rpe_translation_rmse",
        "RPE",
        f"root of the mean over neighbours of the squared error of their motion, {_UNITS}",
        form="{:.3g}",
        main=False,
        tolerance=0.05,
    ),
    _cost(
        "cpu_s_to_poses",
        "CPU s",
        "processor seconds of the stages frames, flow and pose, as recorded when each ran",
        "{:.0f}",
    ),
)

DEPTH_FIGURES = (
    Figure(
        "abs_rel_mean_over_images",
        "AbsRel",
        "|estimate − truth| / truth, mean over pixels, then over images; scaled by the trajectory",
        form="{:.4f}",
    ),
    Figure(
        "median_rel_mean_over_images",
        "median rel.",
        "median over pixels of the same, mean over images",
        form="{:.4f}",
    ),
    Figure(
        "rmse_mean_over_images",
        "RMSE",
        f"root of the mean over pixels of the squared error, mean over images, {_UNITS}",
        form="{:.3g}",
    ),
    Figure(
        "delta_125_mean_over_images",
        "δ < 1.25",
        "share of pixels within a factor of 1.25 of the truth, mean over images",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "coverage_mean_over_images",
        "coverage",
        "share of the pixels with a truth that have an estimate, mean over images",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "flicker",
        "flicker",
        "change of estimate / truth of a static point from one key frame to the next, mean over "
        "points, then over neighbours",
        form="{:.4f}",
    ),
    Figure(
        "abs_rel_median_scale",
        "AbsRel, own scale",
        "AbsRel with each map scaled by its median of truth / estimate, mean over images",
        form="{:.4f}",
        main=False,
    ),
    *(
        Figure(
            f"abs_rel_surest_{share}",
            f"AbsRel surest {share} %",
            f"AbsRel of the most confident {share} % of each map's pixels, mean over images",
            form="{:.4f}",
            main=share == 50,
        )
        for share in DEPTH_SHARES
    ),
    _cost(
        "cpu_s_per_map",
        "CPU s/map",
        "processor seconds of the stages depth and fusion, as recorded when they ran, by map",
    ),
    _cost(
        "peak_mib_largest",
        "peak MiB",
        "largest resident memory of a process in the stages depth and fusion",
        "{:.0f}",
    ),
)

SURFACE_FIGURES = (
    Figure(
        "f_score",
        "F at 1 %",
        "harmonic mean of precision and recall at 1 % of the scene's diameter",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "precision",
        "precision",
        "share of points on the mesh nearer than that to the true surface",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "recall",
        "recall",
        "share of points on the true surface that cameras saw nearer than that to the mesh",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "chamfer_percent",
        "Chamfer, %",
        "mean of the two mean distances, in % of the scene's diameter",
        form="{:.3f}",
    ),
    _cost(
        "cpu_s_surface",
        "CPU s",
        "processor seconds of the stage surface, as recorded when it ran",
        "{:.0f}",
    ),
    _cost(
        "peak_mib_largest",
        "peak MiB",
        "largest resident memory of a process in the stage surface",
        "{:.0f}",
    ),
)

PIPELINE_FIGURES = (
    _cost("cpu_s_all_stages", "CPU s", "processor seconds of all stages, as recorded", "{:.0f}"),
    _cost("wall_s_all_stages", "wall s", "elapsed seconds of all stages, as recorded", "{:.0f}"),
    _cost("peak_mib_largest", "peak MiB", "largest resident memory of a process", "{:.0f}"),
    Figure(
        "psnr_db_mean_over_images",
        "PSNR, dB",
        "the mesh rendered over the key frames, where it covers them, mean over images",
        better="higher",
        form="{:.1f}",
    ),
    Figure(
        "ssim_mean_over_images",
        "SSIM",
        "the same, structural similarity",
        better="higher",
        form="{:.3f}",
    ),
    Figure(
        "covered_mean_over_images",
        "covered",
        "share of the picture that the mesh covers, mean over images",
        better="higher",
        form="{:.3f}",
    ),
)

FIGURES: dict[str, tuple[Figure, ...]] = {
    "flow": FLOW_FIGURES,
    "flow-time": FLOW_TIME_FIGURES,
    "trajectory": TRAJECTORY_FIGURES,
    "depth": DEPTH_FIGURES,
    "surface": SURFACE_FIGURES,
    "pipeline": PIPELINE_FIGURES,
}
TITLES = {
    "flow": "Optical flow",
    "flow-time": "Optical flow: processor time at 640×480",
    "trajectory": "Camera poses",
    "depth": "Depth",
    "surface": "Surface",
    "pipeline": "The whole pipeline",
}
