"""What is measured of the pipeline: poses, depth, surface, and the whole."""

from __future__ import annotations

from mvrecon.evaluation.bench.figures import TIME_TOLERANCE, Figure


def _cost(name: str, heading: str, meaning: str, form: str = "{:.3g}") -> Figure:
    return Figure(name, heading, meaning, form=form, tolerance=TIME_TOLERANCE)


# Per cent of a depth map's pixels, the most confident ones.
DEPTH_SHARES = (10, 25, 50, 75, 80, 90)
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
            main=share == 80,
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
