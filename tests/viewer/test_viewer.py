"""What the server has to show of a run, without a browser."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from mvrecon import cli
from mvrecon.errors import UsageError
from mvrecon.run_dir import RunRecord
from mvrecon.viewer import layers
from mvrecon.viewer.serve import address, open_viewer
from tests.viewer.runs import NAMES, RGB, XYZ, FakeRun


@pytest.fixture
def view():
    opened = []

    def opening(run):
        opened.append(open_viewer(run.folder, "127.0.0.1", 0))
        return opened[-1]

    yield opening
    for viewer in opened:
        viewer.server.stop()


def settled(condition):
    """Callbacks run in threads of the server's."""
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.05)
    return False


def clicked(viewer, origin, direction):
    viewer._on_click(SimpleNamespace(ray_origin=origin, ray_direction=direction))


def test_a_finished_run_is_shown(tmp_path, view):
    viewer = view(FakeRun(tmp_path).until("texture"))
    assert viewer.scene.node("mesh").glb_data == layers.load_mesh(viewer.state, False).glb
    cloud = viewer.scene.node("cloud")
    assert np.array_equal(cloud.points, XYZ)
    assert not cloud.visible
    frustum = viewer.scene.node("camera 2")
    assert np.allclose(frustum.position, [1, 0, 0])
    assert frustum.aspect == pytest.approx(64 / 48)
    assert viewer.panel.camera.options == NAMES
    assert viewer.panel.picture.visible
    assert "**texture** done" in viewer.panel.stages.content
    assert address(viewer.server).startswith("http://127.0.0.1:")
    # As the middle camera saw it, from behind.
    assert viewer.server.initial_camera.position[2] < 0
    assert viewer.server.initial_camera.look_at[2] > 0


def test_stages_are_shown_as_they_finish(tmp_path, view):
    run = FakeRun(tmp_path)
    viewer = view(run)
    assert "frames not there" in viewer.panel.stages.content
    assert viewer.scene.node("camera 0") is None
    run.until("flow")
    assert viewer.update() is False
    run.add("pose")
    assert viewer.update()
    assert viewer.scene.node("cloud").visible
    assert viewer.scene.node("camera 0") is not None
    assert viewer.scene.node("mesh") is None
    run.add("depth")
    run.add("fusion")
    run.add("surface")
    assert viewer.update()
    plain = viewer.scene.node("mesh").glb_data
    run.add("texture")
    assert viewer.update()
    assert viewer.scene.node("mesh").glb_data != plain
    assert not viewer.scene.node("cloud").visible
    assert not viewer.update()


def test_a_mesh_of_other_poses_is_taken_away(tmp_path, view):
    run = FakeRun(tmp_path).until("texture")
    viewer = view(run)
    viewer.add_end(np.zeros(3))
    run.names = NAMES[:2]
    run.add("pose", version=2)
    assert viewer.update()
    assert viewer.scene.node("mesh") is None
    assert viewer.scene.node("camera 2") is None
    assert viewer.scene.node("length 0") is None  # of another world
    assert viewer.panel.camera.options == NAMES[:2]


def test_a_volume_is_shown_as_its_mesh(tmp_path, view):
    run = FakeRun(tmp_path)
    RunRecord(tmp_path / "scan.nii", {}, command="volume").save(tmp_path)
    for stage in ("load", "segment", "mesh"):
        run.add(stage)
    viewer = view(run)
    assert viewer.scene.node("mesh") is not None
    assert viewer.scene.node("cloud") is None
    assert viewer.panel.camera.options == ("none yet",)
    start = viewer.server.initial_camera
    assert np.allclose(start.look_at, [0, 0, 4])
    assert np.linalg.norm(start.position - start.look_at) > np.sqrt(8)


def test_what_is_damaged_is_told_and_the_rest_is_shown(tmp_path, view):
    run = FakeRun(tmp_path).until("texture")
    path = run.store.latest("surface").folder / "cloud.ply"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    viewer = view(run)
    assert "cloud.ply" in viewer.panel.trouble.value
    assert viewer.panel.trouble.visible
    assert viewer.scene.node("mesh") is not None
    assert viewer.scene.node("camera 0") is not None
    assert viewer.scene.node("cloud") is None
    path.write_bytes(whole)
    (tmp_path / "store/surface/abc.partial").mkdir()  # the run goes on
    assert viewer.update()
    assert np.array_equal(viewer.scene.node("cloud").points, XYZ)
    assert not viewer.panel.trouble.visible


def test_controls_show_hide_and_colour(tmp_path, view):
    viewer = view(FakeRun(tmp_path).until("texture"))
    panel, scene = viewer.panel, viewer.scene
    panel.mesh.value, panel.cloud.value, panel.cameras.value = False, True, False
    assert settled(lambda: scene.node("cloud").visible)
    assert settled(lambda: not scene.node("mesh").visible)
    assert settled(lambda: not scene.node("camera 1").visible)
    assert np.array_equal(scene.node("cloud").colors, RGB)
    textured = scene.node("mesh").glb_data
    panel.colours.value = "confidence"
    assert settled(lambda: scene.node("mesh").glb_data != textured)
    assert settled(lambda: not np.array_equal(scene.node("cloud").colors, RGB))
    size = scene.node("cloud").point_size
    panel.point_size.value = 2.0
    assert settled(lambda: scene.node("cloud").point_size == pytest.approx(2 * size))


def test_a_chosen_camera_shows_its_depth(tmp_path, view):
    viewer = view(FakeRun(tmp_path).until("depth"))
    photo = viewer.panel.picture.image
    viewer.panel.camera.value = NAMES[2]
    viewer.panel.kind.value = "depth"
    assert settled(lambda: viewer.panel.picture.image.shape == (24, 32, 3))
    assert viewer.panel.picture.image.shape != photo.shape
    viewer.panel.depth_points.value = True
    assert settled(lambda: viewer.scene.node("depth") is not None)
    assert len(viewer.scene.node("depth").points) == 23 * 32
    viewer._choose(0)
    assert viewer.panel.camera.value == NAMES[0]


def test_two_picked_points_give_a_length_and_a_scale(tmp_path, view):
    viewer = view(FakeRun(tmp_path).until("texture"))
    viewer._start_picking()
    assert viewer.panel.distance.value == "click point 1 of 2"
    viewer._choose(2)  # a click that means a point
    assert viewer.panel.camera.value == NAMES[0]
    clicked(viewer, (-0.5, 0, 0), (0, 0, 1))
    clicked(viewer, (9.0, 0, 0), (0, 0, 1))  # beside everything
    clicked(viewer, (0.75, 0, 0), (0, 0, 1))
    assert viewer.panel.distance.value == "1.25 units"
    assert np.allclose(viewer.scene.node("length 1").position, [0.75, 0, 4])
    assert viewer.scene.node("length") is not None
    viewer.panel.true_m.value = 2.5
    assert settled(lambda: viewer.panel.scale.value == "1 unit = 2 m")
    assert settled(lambda: "points:-0.5,0,4:0.75,0,4:2.5" in viewer.panel.option.value)
    viewer._start_picking()
    assert viewer.scene.node("length 0") is None


def test_points_of_the_cloud_are_picked_where_no_mesh_is_shown(tmp_path, view):
    viewer = view(FakeRun(tmp_path, scale="metres, told (factor 2)").until("pose"))
    viewer._start_picking()
    for corner in XYZ[:2]:
        clicked(viewer, (0, 0, 0), corner.tolist())
    assert viewer.panel.distance.value == "2 m"


def test_names_of_files_are_shown_as_text_only(tmp_path, view):
    name = "<img src=x onerror=alert(1)>"
    folder = tmp_path / "run [x](javascript:alert(1)) <b>\n"
    run = FakeRun(folder, names=("000000", name, "a/b")).until("pose")
    viewer = view(run)
    assert viewer.panel.camera.options == ("000000", name, "a/b")
    assert "<" not in viewer.panel.stages.content
    assert all(
        set(node.name) <= set("/abcdefghijklmnopqrstuvwxyz0123456789")
        for node in viewer.scene._nodes.values()
    )
    sent = viewer.server._websock_server._broadcast_buffer.message_from_id.values()
    shown_as_html = [
        message
        for message in sent
        if type(message).__name__ in ("GuiMarkdownMessage", "GuiHtmlMessage")
    ]
    assert shown_as_html
    assert not any("alert" in repr(message) for message in shown_as_html)


def test_what_is_no_run_is_told(tmp_path, capsys):
    assert cli.main(["view", str(tmp_path)]) == 2
    assert "is not a run directory" in capsys.readouterr().err
    assert cli.main(["view", str(tmp_path), "--port", "70000"]) == 2
    assert "from 0 to 65535" in capsys.readouterr().err
    RunRecord(tmp_path, {}, command="dance").save(tmp_path)
    with pytest.raises(UsageError, match="is of mvrecon dance"):
        open_viewer(tmp_path, "127.0.0.1", 0)


def test_without_viser_the_command_that_installs_it_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mvrecon.export.source.find_spec", lambda _: None)
    assert cli.main(["view", str(tmp_path)]) == 2
    assert "pip install 'mvrecon[view]'" in capsys.readouterr().err
