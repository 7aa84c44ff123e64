"""The 3D scene as the browsers have it: one mesh, clouds, cameras, a measured length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.formats.gltf import Y_UP_FROM_Z_UP
from mvrecon.geometry.rigid import quaternion_from_rotation
from mvrecon.report.pictures import spread
from mvrecon.report.scene import MAX_FRUSTA, Viewpoint
from mvrecon.viewer.layers import vertical_fov_rad
from mvrecon.viewer.server import Server

FloatArray = NDArray[np.float64]

# A glTF scene stands with y up; here all else is in the world's axes.
_X, _Y, _Z, _W = Y_UP_FROM_Z_UP
Z_UP_FROM_Y_UP_WXYZ = (_W, -_X, -_Y, -_Z)

# Parts of the scene's typical depth.
POINT_PART = 0.002
FRUSTUM_PART, FRUSTUM_LINE_PART = 0.045, 0.0012
PICKED_PART = 0.006
NEAREST_PART, FARTHEST_PART = 0.005, 200.0
PICKED_RGB = (255, 64, 64)
FRUSTUM_RGB = (64, 140, 255)


class Scene:
    """What is in the scene, by names of this program's own: those of files may hold anything.

    Attributes:
        depth: how far things typically are from the cameras, in world units; sizes go by it.

    Args:
        server: that sends it to who looks.
    """

    def __init__(self, server: Server) -> None:
        self.depth = 1.0
        self._server = server
        self._nodes: dict[str, Any] = {}

    def node(self, name: str) -> Any:
        """The handle of what is there by this name; None if nothing is."""
        return self._nodes.get(name)

    def show(self, kind: str, shown: bool) -> None:
        """Show or hide all whose names begin so."""
        for name, node in self._nodes.items():
            if name.startswith(kind):
                node.visible = shown

    def put_mesh(self, glb: bytes | None, shown: bool) -> None:
        """Replace the mesh."""
        self._clear("mesh")
        if glb is not None:
            self._nodes["mesh"] = self._server.scene.add_glb(
                "/mesh", glb, wxyz=Z_UP_FROM_Y_UP_WXYZ, visible=shown
            )

    def put_cloud(
        self,
        name: str,
        points: tuple[NDArray[np.float32], NDArray[np.uint8]] | None,
        size: float,
        shown: bool,
    ) -> None:
        """Replace a cloud: its points and their colours, (n, 3) each; `size` 1 is the usual one."""
        self._clear(name)
        if points is not None:
            self._nodes[name] = self._server.scene.add_point_cloud(
                f"/{name}",
                *points,
                point_size=POINT_PART * self.depth * size,
                point_shape="circle",
                point_shading="flat",
                precision="float32",
                visible=shown,
            )

    def resize_points(self, size: float) -> None:
        """Draw the points of all clouds in this size."""
        for name in {"cloud", "depth"} & self._nodes.keys():
            self._nodes[name].point_size = POINT_PART * self.depth * size

    def put_cameras(
        self,
        frames: Sequence[PosedFrame],
        thumbnail: Callable[[str], NDArray[np.uint8] | None],
        choose: Callable[[int], None],
        shown: bool,
    ) -> None:
        """Replace the cameras; `choose` is called with the index of one that is clicked."""
        self._clear("camera")
        for index in spread(len(frames), MAX_FRUSTA) if frames else []:
            frame = frames[index]
            node = self._server.scene.add_camera_frustum(
                f"/cameras/{index}",
                vertical_fov_rad(frame),
                frame.camera.width / frame.camera.height,
                scale=FRUSTUM_PART * self.depth,
                thickness=FRUSTUM_LINE_PART * self.depth,
                color=FRUSTUM_RGB,
                image=thumbnail(frame.name),
                format="jpeg",
                wxyz=quaternion_from_rotation(frame.world_from_cam[:3, :3]),
                position=frame.world_from_cam[:3, 3],
                visible=shown,
            )
            node.on_click(_chooser(choose, index))
            self._nodes[f"camera {index}"] = node

    def put_length(self, ends: Sequence[FloatArray]) -> None:
        """Replace the picked points and the line between them."""
        self._clear("length")
        radius = PICKED_PART * self.depth
        for index, end_3 in enumerate(ends):
            self._nodes[f"length {index}"] = self._server.scene.add_icosphere(
                f"/length/{index}", radius, PICKED_RGB, position=end_3
            )
        if len(ends) == 2:
            ends_123 = np.stack(list(ends))[None].astype(np.float32)
            self._nodes["length"] = self._server.scene.add_line_segments(
                "/length/line", ends_123, PICKED_RGB, thickness=radius / 2
            )

    def _clear(self, kind: str) -> None:
        for name in [name for name in self._nodes if name.startswith(kind)]:
            self._nodes.pop(name).remove()

    def start_from(self, view: Viewpoint) -> None:
        """Look from there, who looks now and who comes later."""
        self._server.scene.set_up_direction(view.up_3)
        start = self._server.initial_camera
        start.near, start.far = NEAREST_PART * self.depth, FARTHEST_PART * self.depth
        start.up, start.position, start.look_at = view.up_3, view.eye_3, view.target_3
        for client in self._server.get_clients().values():
            look_from(client, view)


def look_from(client: Any, view: Viewpoint) -> None:
    """Move one browser's camera."""
    with client.atomic():
        client.camera.up_direction = view.up_3
        client.camera.position = view.eye_3
        client.camera.look_at = view.target_3


def _chooser(choose: Callable[[int], None], index: int) -> Callable[[Any], None]:
    return lambda _: choose(index)
