"""Where networks are trained there may be no more than torch, NumPy and OpenCV."""

import subprocess
import sys

CODE = """
import sys
sys.modules.update(dict.fromkeys(["PIL", "av", "kornia", "open3d", "pycolmap"]))
import torch
from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.clips.torch_clips import make_torch_clip
from mvrecon.synthetic.training.pairs.augmentation import augment
from mvrecon.synthetic.training.pairs.mixture import scene_pairs
from mvrecon.synthetic.training.textures import procedural_textures
textures, cpu = procedural_textures(2), torch.device("cpu")
pairs = augment(scene_pairs(textures, Draws(1, 0, cpu), (32, 48), 1, 1), Draws(1, 1, cpu))
print(len(pairs.forward.flow_b2hw), len(make_torch_clip(2, textures, 3, (64, 96))))
"""


def test_pairs_and_torch_clips_need_neither_kornia_nor_open3d():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "3"]
