"""Result of the frames stage: every frame considered, and which became key frames."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mvrecon.formats.frame_view import FrameView, view_from_json, view_to_json
from mvrecon.geometry.camera import Camera

FRAMES_ITEM = "frames.json"
Kind = Literal["sequence", "photos"]


def image_item(name: str) -> str:
    """Item that holds the key frame `name`, in the frames and in the pose stage."""
    return f"images/{name}.jpg"


def mask_item(name: str) -> str:
    """Item that says what is kept (white) of the key frame `name`, if not all of it is.

    The name that COLMAP expects of the mask of an image.
    """
    return f"masks/{name}.jpg.png"


@dataclass(frozen=True)
class CameraPrior:
    """Intrinsics known before mapping, shared by the frames that name its index."""

    camera: Camera
    source: Literal["given", "exif", "default"]


@dataclass(frozen=True)
class FrameRecord:
    """One frame considered.

    Attributes:
        index: position among all the frames considered.
        name: six digits for a key frame, empty if not kept.
        source: file name, or frame number in the video.
        timestamp_s: presentation time; the index for photos.
        camera: index of its prior in `FrameTable.cameras`.
        sharpness: dimensionless focus measure, higher is sharper.
        reason: why it was not kept, or is for poses only; empty for other key frames.
        geodetic: latitude and longitude [degrees, WGS 84] and altitude [m], if it tells.
        poses_only: a key frame too blurred for depth, which alone joins those beside it.
        after_cut: the first frame of another scene than that of the frame before.
        part: which of several inputs it is from.
    """

    index: int
    name: str
    source: str
    timestamp_s: float
    camera: int
    sharpness: float
    reason: str
    geodetic: tuple[float, float, float] | None = None
    poses_only: bool = False
    after_cut: bool = False
    part: int = 0


@dataclass(frozen=True)
class InputPart:
    """One of several inputs, or a view of one.

    Attributes:
        name: of its file or folder.
        kind, kind_reason: as in `FrameTable`.
        number: of the input.
        view: what is taken of its frames; None: all.
    """

    name: str
    kind: Kind
    kind_reason: str
    number: int = 0
    view: FrameView | None = None

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back."""
        return {
            "name": self.name,
            "kind": self.kind,
            "kind_reason": self.kind_reason,
            "number": self.number,
            "view": None if self.view is None else view_to_json(self.view),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> InputPart:
        """The part that `to_json` wrote."""
        view = data["view"]
        return cls(**{**data, "view": None if view is None else view_from_json(view)})


@dataclass(frozen=True)
class FrameTable:
    """All frames of the input, or of several inputs one after the other.

    Attributes:
        kind: whether neighbours in the order overlap, or nothing is promised.
        kind_reason: how that was decided, one sentence.
        parts: the inputs, if there are several or what is taken of one is not all of its frames.
    """

    kind: Kind
    kind_reason: str
    cameras: tuple[CameraPrior, ...]
    frames: tuple[FrameRecord, ...] = field(default=())
    parts: tuple[InputPart, ...] = ()

    @property
    def key_frames(self) -> tuple[FrameRecord, ...]:
        """The frames that were kept, in order."""
        return tuple(frame for frame in self.frames if frame.name)

    @property
    def cuts(self) -> tuple[FrameRecord, ...]:
        """The first frames after cuts, in order."""
        return tuple(frame for frame in self.frames if frame.after_cut)

    @property
    def is_joined(self) -> bool:
        """Whether the frames are from several inputs, or several views of one."""
        return len(self.parts) > 1

    def by_part(self) -> list[FrameTable]:
        """A table of the frames of each input, in their order; itself if there is one input."""
        if not self.is_joined:
            return [self]
        return [
            FrameTable(
                part.kind,
                part.kind_reason,
                self.cameras,
                tuple(frame for frame in self.frames if frame.part == number),
            )
            for number, part in enumerate(self.parts)
        ]

    def source_of(self, frame: FrameRecord) -> str:
        """What a frame comes from: with the name of the input, if there are several."""
        return f"{self.parts[frame.part].name}/{frame.source}" if self.is_joined else frame.source

    def camera_of(self, frame: FrameRecord) -> Camera:
        """Prior intrinsics of one frame."""
        return self.cameras[frame.camera].camera

    def to_json(self) -> str:
        """Canonical text form."""
        several = {"parts": [part.to_json() for part in self.parts]} if self.parts else {}
        return json.dumps(
            {
                **several,
                "kind": self.kind,
                "kind_reason": self.kind_reason,
                "cameras": [
                    {"camera": prior.camera.to_json(), "source": prior.source}
                    for prior in self.cameras
                ],
                "frames": [_entry(frame, several=bool(self.parts)) for frame in self.frames],
            },
            indent=1,
        )

    @classmethod
    def load(cls, path: Path) -> FrameTable:
        """The table that `to_json` wrote."""
        data = json.loads(path.read_text())
        return cls(
            kind=data["kind"],
            kind_reason=data["kind_reason"],
            cameras=tuple(
                CameraPrior(Camera.from_json(entry["camera"]), entry["source"])
                for entry in data["cameras"]
            ),
            frames=tuple(_record(entry) for entry in data["frames"]),
            parts=tuple(InputPart.from_json(entry) for entry in data.get("parts", ())),
        )


def _entry(frame: FrameRecord, several: bool) -> dict[str, Any]:
    entry = asdict(frame)
    return entry if several else {name: entry[name] for name in entry if name != "part"}


def _record(entry: dict[str, Any]) -> FrameRecord:
    geodetic = entry["geodetic"]
    return FrameRecord(**{**entry, "geodetic": tuple(geodetic) if geodetic else None})
