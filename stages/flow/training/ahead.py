"""Training pairs made ahead of the steps that use them, so that a GPU does not wait for them.

Threads make scenes on the device, each for images of its own size, and have the initial flows
found by many others on the CPU (OpenCV leaves Python's lock alone meanwhile).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from queue import Full, Queue

import cv2
import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch, FlowPairs
from mvrecon.synthetic.training.pairs.augmentation import augment
from mvrecon.synthetic.training.pairs.mixture import flying_pairs, scene_pairs
from stages.flow.training.starts import dis_starts, spoil, training_presets
from stages.flow.training.supervision import USES, SyntheticSample, seen_again

# The uses of a scene lie so many scenes apart.
SCENES_APART = 2
# Samples that wait for their step, of each thread.
AHEAD = 3
# Its multiples fill the unit interval evenly.
GOLDEN = 0.618034
# How long a thread that is to end may wait for a place.
PATIENCE_S = 0.2


@dataclass(frozen=True)
class Pieces:
    """What one thread makes for one step.

    Attributes:
        size_hw: of the images, px.
        batch: pairs.
        flying_share: of the pairs that are of things that fly far.
    """

    size_hw: tuple[int, int]
    batch: int
    flying_share: float = 0.3

    @staticmethod
    def read(text: str, flying_share: float = flying_share) -> Pieces:
        """From height × width × pairs, as 384x512x24."""
        height, width, batch = (int(number) for number in text.split("x"))
        return Pieces((height, width), batch, flying_share)


class PairMaker:
    """Samples by step; each scene is used four times, mirrored and augmented afresh.

    The second and fourth time the initial flow is that of the time before, mirrored: it costs
    more than all the rest.

    Args:
        textures_nhw3: uint8, RGB, on the device that scenes are made on.
        pieces: what to make.
        seed: of the scenes.
        executor: of the initial flows.
        keep_starts: whether initial flows are used twice.
    """

    def __init__(
        self,
        textures_nhw3: Tensor,
        pieces: Pieces,
        seed: int,
        executor: Executor | None,
        keep_starts: bool = True,
    ) -> None:
        self.textures_nhw3 = textures_nhw3
        self.pieces = pieces
        self.seed = seed
        self.executor = executor
        self.keep_starts = keep_starts
        self._scenes: dict[int, FlowPairs] = {}
        self._starts: dict[int, Tensor] = {}

    def __call__(self, step: int) -> SyntheticSample:
        """The sample of one step; to be asked for in order."""
        scene, use = divmod(step, USES)
        scene = max(scene - SCENES_APART * use, 0)
        pairs = seen_again(self._scene(scene), use)
        draws = self._draws(self.seed + 1, step)
        pairs = augment(pairs, draws)
        return SyntheticSample(pairs, spoil(self._start(pairs, scene, use, draws), draws))

    def _draws(self, seed: int, index: int) -> Draws:
        device = self.textures_nhw3.device
        return Draws(seed, index, device, device)

    def _scene(self, index: int) -> FlowPairs:
        if index not in self._scenes:
            oldest = index - USES * SCENES_APART
            self._scenes = {i: pairs for i, pairs in self._scenes.items() if i > oldest}
            self._starts = {i: start for i, start in self._starts.items() if i > oldest}
            batch, size_hw = self.pieces.batch, self.pieces.size_hw
            draws = self._draws(self.seed, index)
            # Single pairs get their share of flying things too, scene by scene.
            flying = int(self.pieces.flying_share * batch + index * GOLDEN % 1.0)
            parts = []
            for make, count in ((scene_pairs, batch - flying), (flying_pairs, flying)):
                rigid = (count + index % 2) // 2
                if count:
                    parts.append(make(self.textures_nhw3, draws, size_hw, count - rigid, rigid))
            self._scenes[index] = FlowPairs.concatenate(parts)
        return self._scenes[index]

    def _start(self, pairs: FlowPairs, scene: int, use: int, draws: Draws) -> Tensor:
        if self.keep_starts and use % 2 and scene in self._starts:
            kept_b2hw = self._starts.pop(scene).flip(-1)
            return kept_b2hw * kept_b2hw.new_tensor([-1.0, 1.0]).view(2, 1, 1)
        batch = FlowBatch.concatenate([pairs.forward, pairs.backward])
        presets = training_presets(len(batch.flow_b2hw), draws)
        start_b2hw = dis_starts(batch.first_b3hw, batch.second_b3hw, presets, self.executor)
        if use % 2 == 0:
            self._starts[scene] = start_b2hw
        return start_b2hw


@dataclass(frozen=True)
class _Made:
    sample: SyntheticSample
    done: torch.cuda.Event | None


class PairsAhead:
    """Samples without end, from one thread for each of `plan` in turn.

    Args:
        textures_nhw3: uint8, RGB, on the device to train on.
        plan: what the steps get, in turn.
        seed: of the scenes.
        searchers: threads that find initial flows.
        keep_starts: whether initial flows are used twice.
    """

    def __init__(
        self,
        textures_nhw3: Tensor,
        plan: tuple[Pieces, ...],
        seed: int,
        searchers: int,
        keep_starts: bool = True,
    ) -> None:
        cv2.setNumThreads(1)
        # What loads linear algebra for CUDA must not be called by two threads at once.
        torch.linalg.inv(torch.eye(2, device=textures_nhw3.device))
        self._executor = ThreadPoolExecutor(searchers)
        self._stopped = threading.Event()
        self._queues: list[Queue[_Made | Exception]] = [Queue(AHEAD) for _ in plan]
        self._threads = []
        for number, (pieces, queue) in enumerate(zip(plan, self._queues, strict=True)):
            first = seed + 1000 * number
            maker = PairMaker(textures_nhw3, pieces, first, self._executor, keep_starts)
            arguments = (maker, queue, textures_nhw3.device)
            self._threads.append(threading.Thread(target=self._fill, args=arguments, daemon=True))
            self._threads[-1].start()

    def __iter__(self) -> Iterator[SyntheticSample]:
        """The samples; ready for the current stream of the device."""
        while True:
            for queue in self._queues:
                made = queue.get()
                if isinstance(made, Exception):
                    raise made
                if made.done is not None:
                    _hand_over(made.sample, made.done)
                yield made.sample

    def close(self) -> None:
        """Make no more, and wait for what is being made."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._executor.shutdown()

    def _fill(
        self,
        make: Callable[[int], SyntheticSample],
        queue: Queue[_Made | Exception],
        device: torch.device,
    ) -> None:
        stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        step = 0
        try:
            with torch.no_grad(), nullcontext() if stream is None else torch.cuda.stream(stream):
                while not self._stopped.is_set():
                    sample = make(step)
                    done = None if stream is None else stream.record_event()
                    self._put(queue, _Made(sample, done))
                    step += 1
        except Exception as error:  # It is raised where the samples are used.
            self._put(queue, error)

    def _put(self, queue: Queue[_Made | Exception], made: _Made | Exception) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                queue.put(made, timeout=PATIENCE_S)
                break


def _hand_over(sample: SyntheticSample, done: torch.cuda.Event) -> None:
    """From the stream that made it to the one that uses it."""
    stream = torch.cuda.current_stream()
    stream.wait_event(done)
    both = sample.pairs.forward, sample.pairs.backward
    tensors = [value for batch in both for value in vars(batch).values()]
    if sample.start_b2hw is not None:
        tensors.append(sample.start_b2hw)
    for tensor in tensors:
        tensor.record_stream(stream)
