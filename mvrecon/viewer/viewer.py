"""A run on a server, kept up to date with its store and with what a person chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.errors import MvreconError, one_line
from mvrecon.report.scene import Viewpoint, viewpoint
from mvrecon.viewer import layers
from mvrecon.viewer.measure import Length, met_point, met_triangle
from mvrecon.viewer.panel import Panel
from mvrecon.viewer.scene import Scene, look_from
from mvrecon.viewer.server import Server
from mvrecon.viewer.state import RunState, marks, read_state

FloatArray = NDArray[np.float64]

# What results raise, besides our own errors, that vanish while they are read.
UNREADABLE = (MvreconError, OSError, ValueError, KeyError)
BACK, LIFT = 0.3, 0.15  # behind and above the middle camera, in the scene's depths


class Viewer:
    """Shows a run.

    Attributes:
        cloud, mesh: what is shown of the run now, None if it has none.

    Args:
        server: to show it on; all who look see the same.
        run_dir: of the run.
        command: that the run is of, `run` or `volume`.
    """

    def __init__(self, server: Server, run_dir: Path, command: str) -> None:
        self.server = server
        self.scene = Scene(server)
        self.panel = Panel(server, one_line(run_dir.resolve().name))
        self.state = RunState({}, (), ())
        self.mesh: layers.MeshLayer | None = None
        self.cloud: layers.CloudLayer | None = None
        self.frames: list[PosedFrame] = []
        self.length = Length(())
        self._picking = False
        self._run_dir, self._command = run_dir, command
        self._marks: tuple[int, ...] = ()
        self._failed: list[Callable[[], None]] = []  # to be tried again when the run goes on
        # The watcher and the callbacks of who looks run in threads of their own.
        self._lock = threading.RLock()
        self._listen()

    def update(self) -> bool:
        """Show what the run has made since; whether anything that is shown has changed."""
        seen = marks(self._run_dir, self._command)
        if seen == self._marks:
            return False
        with self._lock:
            before, self.state = self.state, read_state(self._run_dir, self._command)
            self._marks = seen
            self.panel.show_stages(self.state)
            changed = [
                show
                for show, stages in (
                    (self._show_cloud, ("pose", "surface")),
                    (self._show_mesh, ("surface", "texture", "mesh")),
                    (self._show_cameras, ("pose", "mesh")),
                    (self._show_depth, ("pose", "depth", "fusion")),
                )
                if show in self._failed or before.keys(*stages) != self.state.keys(*stages)
            ]
            self._failed = self._carefully(*changed)
        return bool(changed)

    def pick(self, eye_3: FloatArray, ray_3: FloatArray) -> FloatArray | None:
        """The point that a ray meets first on what is shown; None if it meets nothing."""
        if self.mesh is not None and self.panel.mesh.value:
            return met_triangle(self.mesh.triangles, eye_3, ray_3)
        return None if self.cloud is None else met_point(self.cloud.xyz_n3, eye_3, ray_3)

    def add_end(self, point_3: FloatArray) -> None:
        """Take a picked point; a third begins anew."""
        ends = () if self.length.measured is not None else self.length.ends
        self._measure(Length((*ends, point_3), self._is_in_metres()))

    def _carefully(self, *shows: Callable[[], None]) -> list[Callable[[], None]]:
        """Show things; those that cannot be shown are told and returned."""
        troubles, failed = [], []
        for show in shows:
            try:
                show()
            except UNREADABLE as error:
                troubles.append(one_line(str(error) or type(error).__name__))
                failed.append(show)
        self.panel.show_trouble(" ".join(troubles))
        return failed

    def _show_cloud(self) -> None:
        self.cloud = layers.load_cloud(self.state)
        self._put_cloud("cloud", self.cloud, self._shows_cloud())

    def _shows_cloud(self) -> bool:
        """Without a mesh the cloud is all that there is to see."""
        return self.mesh is None or bool(self.panel.cloud.value)

    def _put_cloud(self, name: str, cloud: layers.CloudLayer | None, shown: bool) -> None:
        points = None
        if cloud is not None:
            by_confidence = self.panel.colours.value == "confidence"
            points = (cloud.xyz_n3, cloud.confidence_rgb_n3 if by_confidence else cloud.rgb_n3)
        self.scene.put_cloud(name, points, self.panel.point_size.value, shown)

    def _show_mesh(self) -> None:
        self.mesh = layers.load_mesh(self.state, self.panel.colours.value == "confidence")
        self.scene.put_mesh(self.mesh.glb if self.mesh else None, self.panel.mesh.value)
        self.scene.show("cloud", self._shows_cloud())

    def _show_cameras(self) -> None:
        if self.length.ends:  # of another world
            self._measure(Length(()))
        self.frames = layers.load_cameras(self.state)
        self.panel.offer_cameras([one_line(frame.name) for frame in self.frames])
        view = self._start()
        if view is not None:
            self.scene.depth = float(np.linalg.norm(view.target_3 - view.eye_3)) / (1 + BACK)
            self.scene.start_from(view)
            self.scene.resize_points(self.panel.point_size.value)
        self.scene.put_cameras(
            self.frames,
            lambda name: layers.thumbnail(self.state, name),
            self._choose,
            self.panel.cameras.value,
        )

    def _start(self) -> Viewpoint | None:
        """Where to look from at first."""
        if self.frames:
            centres_n3 = np.stack([frame.world_from_cam[:3, 3] for frame in self.frames])
            has_points = self.cloud is not None and len(self.cloud.xyz_n3)
            around_n3 = self.cloud.xyz_n3 if self.cloud and has_points else centres_n3
            return viewpoint(self.frames, around_n3, BACK, LIFT)
        if self.mesh is None:
            return None
        # A volume has no cameras: from the front, its long axis up.
        low_3, high_3 = self.mesh.xyz_n3.min(axis=0), self.mesh.xyz_n3.max(axis=0)
        middle_3 = (low_3 + high_3).astype(np.float64) / 2
        back_3 = np.array([0.0, 1.5 * float(np.linalg.norm(high_3 - low_3)), 0.0])
        return Viewpoint(middle_3 + back_3, middle_3, np.array([0.0, 0.0, 1.0]))

    def _choose(self, index: int) -> None:
        """Take a camera that was clicked, unless the click means a point."""
        if not self._picking:
            self.panel.camera.value = one_line(self.frames[index].name)

    def _chosen(self) -> PosedFrame | None:
        name = self.panel.camera.value
        return next((frame for frame in self.frames if one_line(frame.name) == name), None)

    def _show_depth(self) -> None:
        """The chosen camera's picture, and its depth as points if that is asked for."""
        frame, points, picture = self._chosen(), None, None
        if frame is not None:
            picture = layers.picture(self.state, frame.name, self.panel.kind.value)
            if self.panel.depth_points.value:
                points = layers.depth_points(self.state, frame.name)
        self.panel.show_picture(picture)
        self._put_cloud("depth", points, True)

    def _look(self, client: Any) -> None:
        """See what the chosen camera saw."""
        frame = self._chosen()
        if frame is not None and client is not None:
            pose = frame.world_from_cam
            ahead_3 = pose[:3, 3] + self.scene.depth * pose[:3, 2]
            look_from(client, Viewpoint(pose[:3, 3], ahead_3, -pose[:3, 1]))

    def _is_in_metres(self) -> bool:
        pose = self.state.first("pose")
        told = pose.read_summary()["numbers"].get("scale") if pose else ""
        return str(told).startswith("metres")

    def _measure(self, length: Length) -> None:
        self.length = length
        true_m = float(self.panel.true_m.value)
        self.panel.distance.value = length.told()
        self.panel.scale.value = length.scale_told(true_m)
        self.panel.option.value = length.scale_option(true_m)
        self.scene.put_length(length.ends)

    def _click(self, event: Any) -> None:
        point_3 = self.pick(np.array(event.ray_origin), np.array(event.ray_direction))
        if point_3 is not None:
            self.add_end(point_3)
        if self.length.measured is not None:
            self.server.scene.remove_click_callback("all")
            self._picking = False

    def _start_picking(self) -> None:
        self._measure(Length(()))
        self._picking = True
        self.server.scene.remove_click_callback("all")
        self.server.scene.on_click()(self._on_click)

    def _listen(self) -> None:
        """Do what the controls say."""
        panel, scene = self.panel, self.scene

        def does(act: Callable[[Any], None]) -> Callable[[Any], None]:
            def carefully(event: Any) -> None:
                with self._lock:
                    self._carefully(lambda: act(event))

            return carefully

        self._on_click = does(self._click)
        panel.mesh.on_update(does(lambda _: scene.show("mesh", panel.mesh.value)))
        panel.cloud.on_update(does(lambda _: scene.show("cloud", self._shows_cloud())))
        panel.cameras.on_update(does(lambda _: scene.show("camera", panel.cameras.value)))
        panel.point_size.on_update(does(lambda _: scene.resize_points(panel.point_size.value)))
        panel.colours.on_update(does(lambda _: self._recolour()))
        for control in (panel.camera, panel.kind, panel.depth_points):
            control.on_update(does(lambda _: self._show_depth()))
        panel.look.on_click(does(lambda event: self._look(event.client)))
        panel.pick.on_click(does(lambda _: self._start_picking()))
        panel.true_m.on_update(does(lambda _: self._measure(self.length)))

    def _recolour(self) -> None:
        self._put_cloud("cloud", self.cloud, self._shows_cloud())
        self._show_mesh()
        self._show_depth()
