"""Python as it is behind the light door: torch, MMPose and what belongs to them cannot be found."""

import os
import subprocess
import sys

from tests.helpers.tools import ROOT

BLOCKED = ('torch', 'torchvision', 'timm', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'pycocotools')

BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Blocker())
"""


def run_light(code, *words, cwd=ROOT):
    """Run lines of Python where what is blocked cannot be imported."""
    return run_fresh(BLOCKER + code, *words, cwd=cwd)


def run_fresh(code, *words, cwd=ROOT):
    """Run lines of Python in a new process."""
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, words)],
        cwd=cwd,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
    )
