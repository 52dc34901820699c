"""What is hidden and what is not."""

import copy
import subprocess
import sys
import warnings
from pathlib import Path

from pinet_mm.environment import noise

import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from torch.utils._pytree import LeafSpec

ROOT = Path(__file__).parents[2]


def warned(function, *args):
    with warnings.catch_warnings(record=True) as found:
        warnings.resetwarnings()
        warnings.simplefilter('always')
        noise.hide()
        function(*args)
    return [str(each.message) for each in found]


def test_mmposes_own_metainfo_is_found_in_silence():
    assert warned(parse_pose_metainfo, dict(from_file='configs/_base_/datasets/coco.py')) == []


def test_a_file_of_ones_own_that_is_replaced_is_told():
    (message,) = warned(parse_pose_metainfo, dict(from_file='data/mine/coco.py'))
    assert message.startswith('The metainfo config file "data/mine/coco.py" does not exist')


def test_what_torch_copies_in_an_export_is_copied_in_silence():
    assert warned(copy.copy, LeafSpec()) == []


@pytest.mark.parametrize(
    'text, module, shown',
    [
        ('pkg_resources is deprecated as an API. See', 'mmengine.utils.package_utils', False),
        ('pkg_resources is deprecated as an API. See', 'my.module', True),
        ('something else is deprecated', 'mmengine.utils.package_utils', True),
    ],
)
def test_other_texts_and_modules_are_shown(text, module, shown):
    found = warned(warnings.warn_explicit, text, UserWarning, 'file.py', 1, module)
    assert found == ([text] if shown else [])


def test_a_program_that_loads_a_model_warns_of_nothing(tmp_path):
    """In the folder of a user, without filters of pytest's or of the environment."""
    code = 'from pinet_mm import api; api.load(device="cpu"); print("loaded")'
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
    )
    assert (done.stdout, done.stderr) == ('loaded\n', ''), done.stderr
