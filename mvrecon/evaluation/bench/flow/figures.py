"""What is measured of flow models."""

from __future__ import annotations

from mvrecon.evaluation.bench.figures import TIME_TOLERANCE, Figure


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
