"""What a video stream says of its times: rate, duration, frames; going to a place in it."""

from __future__ import annotations

from typing import Any

# Frames per second, of files that say something absurd.
FRAME_RATES = (0.01, 1000.0)
USUAL_FRAME_RATE = 25.0


def seek(container: Any, stream: Any, share: float) -> None:
    """Go on from a part of the whole; from the beginning if the file cannot be read from there."""
    import av

    try:
        container.seek(round(share * duration_s(container, stream) * 1e6), backward=True)
    except av.error.FFmpegError:
        container.seek(0)


def frame_rate(stream: Any) -> float:
    """Frames per second."""
    rate = float(stream.average_rate or stream.guessed_rate or USUAL_FRAME_RATE)
    return min(max(rate, FRAME_RATES[0]), FRAME_RATES[1])


def expected_frames(container: Any, stream: Any) -> int:
    """How many frames the file says that it has, or an estimate."""
    if stream.frames:
        return int(stream.frames)
    return round(duration_s(container, stream) * float(stream.average_rate or 0))


def duration_s(container: Any, stream: Any) -> float:
    """Time at which the pictures should end; 0 if unknown.

    A trimmed clip's stream may be longer than what is shown of it, sound longer than the
    pictures: the shorter of the two counts.
    """
    start_s = float((stream.start_time or 0) * (stream.time_base or 0))
    durations_s = []
    if stream.duration:
        durations_s.append(float(stream.duration * stream.time_base))
    if container.duration:
        durations_s.append(container.duration / 1e6)
    return start_s + min(durations_s) if durations_s else 0.0
