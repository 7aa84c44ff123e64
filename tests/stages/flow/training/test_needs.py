"""Where flow is trained by the clock there may be no more than torch, NumPy and OpenCV."""

import subprocess
import sys

CODE = """
import sys
sys.modules.update(dict.fromkeys(
    ["PIL", "av", "kornia", "open3d", "plotly", "pycolmap", "pydantic", "scipy", "tqdm"]
))
import benchmarks.tools.flow_training_speed
import stages.flow.training.timed
"""


def test_training_by_the_clock_needs_no_other_package():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
