"""What stands beside the scene: what is shown, one camera's pictures, a measured length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mvrecon.viewer.server import Server
from mvrecon.viewer.state import RunState

Colours = Literal["photographs", "confidence"]
COLOURS: tuple[Colours, ...] = ("photographs", "confidence")
PICTURES = ("photo", "depth", "confidence")
NO_CAMERA = "none yet"
NO_PICTURE = np.full((9, 16, 3), 38, np.uint8)


class Panel:
    """The controls. What comes from files is put into fields that show text as it is.

    Args:
        server: to add them to.
        name: of the run.
    """

    def __init__(self, server: Server, name: str) -> None:
        gui: Any = server.gui  # whose types hide that values can be set
        gui.add_text("Run", name, disabled=True)
        self.stages = gui.add_markdown("")
        self.trouble = gui.add_text("Trouble", "", disabled=True, visible=False)
        with gui.add_folder("Show"):
            self.mesh = gui.add_checkbox("Mesh", True)
            self.cloud = gui.add_checkbox(
                "Cloud", False, hint="always shown where there is no mesh"
            )
            self.cameras = gui.add_checkbox("Cameras", True)
            self.colours = gui.add_dropdown("Colours", COLOURS)
            self.point_size = gui.add_slider("Point size", 0.2, 5.0, 0.1, 1.0)
        with gui.add_folder("Camera"):
            self.camera = gui.add_dropdown("Key frame", (NO_CAMERA,))
            self.kind = gui.add_dropdown("Picture", PICTURES)
            self.picture = gui.add_image(NO_PICTURE, format="jpeg", visible=False)
            self.depth_points = gui.add_checkbox("Its depth as points", False)
            self.look = gui.add_button("Look from there")
        with gui.add_folder("Measure"):
            self.pick = gui.add_button("Pick two points")
            self.distance = gui.add_text("Distance", "", disabled=True)
            self.true_m = gui.add_number("True length [m]", 0.0, min=0.0, step=0.001)
            self.scale = gui.add_text("Scale", "", disabled=True)
            self.option = gui.add_text("For the run", "", disabled=True, multiline=True)

    def show_stages(self, state: RunState) -> None:
        """Tell how far the run is. The names of stages are the program's own."""
        told = [f"**{name}** done" for name in state.current]
        told += [f"**{name}** in work or interrupted" for name in state.in_work]
        told += [f"{name} not there" for name in state.missing]
        self.stages.content = " · ".join(told)

    def show_trouble(self, text: str) -> None:
        """Tell what could not be shown; "" if nothing."""
        self.trouble.value = text
        self.trouble.visible = bool(text)

    def offer_cameras(self, names: Sequence[str]) -> None:
        """The cameras to choose from."""
        self.camera.options = tuple(names) or (NO_CAMERA,)

    def show_picture(self, picture_hw3: Any) -> None:
        """The chosen camera's picture; None if there is none."""
        self.picture.visible = picture_hw3 is not None
        if picture_hw3 is not None:
            self.picture.image = picture_hw3
