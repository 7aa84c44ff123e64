"""How fast mvflow trains on a GPU, and where the time goes; a minute or two.

python -m benchmarks.tools.flow_training_speed --start WEIGHTS --textures DIR [--device cuda]

First that the device finds the flow that the CPU finds. Then seconds a step of making pairs
alone and of training alone, the kernels that take longest, and both together. Imports no more
than torch, numpy and OpenCV, so that it runs on a machine that has only these.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mvrecon.synthetic.training.textures import load_textures
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.training.ahead import PairMaker, PairsAhead, Pieces
from stages.flow.training.supervision import SyntheticSample
from stages.flow.training.timed import TimedSettings, TimedTrainer

RATE = 1e-5
MADE, TRAINED, WARM = 8, 10, 3
TOGETHER_WARM, KERNELS = 12, 22
STARTED = time.monotonic()


def say(*words: object) -> None:
    """A line with the seconds since the beginning."""
    numbers = (f"{word:.4g}" if isinstance(word, float) else str(word) for word in words)
    sys.stdout.write(f"[{time.monotonic() - STARTED:6.1f}] {' '.join(numbers)}\n")
    sys.stdout.flush()


def wait(device: torch.device) -> float:
    """The time once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def same_flow(network: Mvflow, sample: SyntheticSample, device: torch.device) -> None:
    """Say how far the device's flow is from the CPU's, both in 32 bits."""
    torch.backends.cudnn.allow_tf32 = False
    first_b3hw, second_b3hw = (
        sample.pairs.forward.first_b3hw,
        sample.pairs.forward.second_b3hw,
    )
    assert sample.start_b2hw is not None
    start_b2hw = sample.start_b2hw
    with torch.inference_mode():
        network.to("cpu")
        images = first_b3hw.cpu(), second_b3hw.cpu()
        here = network.both_ways(*images, start_b2hw.cpu()).flow_b2hw
        network.to(device)
        there = network.both_ways(first_b3hw, second_b3hw, start_b2hw).flow_b2hw.cpu()
    apart = (here - there).norm(dim=1)
    share = (apart > 1.0).float().mean().item()
    say("CPU against device: median px", apart.median().item(), "share over 1 px", share)
    torch.backends.cudnn.allow_tf32 = True


def made(maker: PairMaker, device: torch.device) -> SyntheticSample:
    """The first sample; says what the following ones take."""
    sample = maker(0)
    started = wait(device)
    for step in range(1, 1 + MADE):
        maker(step)
    taken = (wait(device) - started) / MADE
    say("making", maker.pieces, "s a step", taken, "pairs/s", maker.pieces.batch / taken)
    return sample


def trained(trainer: TimedTrainer, sample: SyntheticSample, device: torch.device) -> None:
    """Say what a step takes, on the device and of the program that launches its kernels."""
    for _ in range(WARM):
        trainer.step_at(RATE, sample)
    started = wait(device)
    for _ in range(TRAINED):
        trainer.step_at(RATE, sample)
    launched = (time.monotonic() - started) / TRAINED
    taken = (wait(device) - started) / TRAINED
    batch = len(sample.pairs.forward.flow_b2hw)
    shape = tuple(sample.pairs.forward.first_b3hw.shape)
    say("training", shape, "s a step", taken, "launched in", launched, "pairs/s", batch / taken)


def longest(trainer: TimedTrainer, sample: SyntheticSample, device: torch.device) -> None:
    """Say which kernels (on a CPU: operators) a step spends its time in."""
    cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + cuda * [ProfilerActivity.CUDA]
    with profile(activities=activities) as profiler:
        trainer.step_at(RATE, sample)
        wait(device)
    name = "self_device_time_total" if cuda else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: -getattr(event, name))
    for event in events[:KERNELS]:
        say(getattr(event, name) / 1e3, "ms", event.count, event.key[:90])


def together(trainer: TimedTrainer, ahead: PairsAhead, seconds: float) -> None:
    """Say how many pairs a second are made and trained on at once, and who waits."""
    samples = iter(ahead)
    pairs, waited, steps = 0, 0.0, 0
    started = time.monotonic()
    recent: list[Tensor] = []
    while time.monotonic() - started < seconds:
        asked = time.monotonic()
        sample = next(samples)
        waited += time.monotonic() - asked
        recent = [*recent[-1:], trainer.step_at(RATE, sample)]
        recent[0].sum().item()
        pairs += len(sample.pairs.forward.flow_b2hw)
        steps += 1
        if steps == TOGETHER_WARM:
            started, pairs, waited = time.monotonic(), 0, 0.0
    taken = time.monotonic() - started
    say("together: pairs/s", pairs / taken, "share waited", waited / taken, "steps", steps)
    say("loss, gradient, EPE, EPE of start:", *recent[-1].tolist())
    ahead.close()


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--searchers", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=22.0, help="of both together")
    sizes = ["384x512x16", "384x512x32", "512x768x12"]
    parser.add_argument("--alone", nargs="+", default=sizes, help="height × width × pairs")
    plan = ["384x512x24"] * 3 + ["512x768x12"] * 2
    parser.add_argument("--together", nargs="+", default=plan)
    options = parser.parse_args()
    device = torch.device(options.device)
    cv2.setNumThreads(1)
    sys.setswitchinterval(5e-4)
    say(torch.__version__, cv2.__version__, os.cpu_count(), "processors")
    network, _ = load_mvflow(options.start)
    textures_nhw3 = load_textures(options.textures).to(device)
    executor = ThreadPoolExecutor(options.searchers)
    small = PairMaker(textures_nhw3, Pieces((128, 192), 2), 5, executor)(0)
    same_flow(network, small, device)
    torch.backends.cudnn.benchmark = True
    trainer = TimedTrainer(network, TimedSettings(1000.0), device)
    alone = [Pieces.read(text) for text in options.alone]
    samples = [made(PairMaker(textures_nhw3, one, 7, executor), device) for one in alone]
    for sample in samples:
        trained(trainer, sample, device)
    longest(trainer, samples[0], device)
    pieces = tuple(Pieces.read(text) for text in options.together)
    ahead = PairsAhead(textures_nhw3, pieces, 31, options.searchers)
    together(trainer, ahead, options.seconds)
    if device.type == "cuda":
        say("GiB", torch.cuda.max_memory_reserved() / 2**30)


if __name__ == "__main__":
    main()
