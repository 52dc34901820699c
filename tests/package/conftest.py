"""A drawn crowd as a file; drawn images of several sizes beside a narrow, random network."""

from pathlib import Path

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd

import cv2
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import toys

ROOT = Path(__file__).parents[2]
SIZES = ((128, 128), (200, 100), (100, 150), (128, 128), (90, 90))


@pytest.fixture(scope='module')
def crowd(tmp_path_factory):
    """A drawn crowd, in a file."""
    path = tmp_path_factory.mktemp('crowd') / 'crowd.png'
    settings = CrowdSettings(size=(128, 128), persons=(2, 4), height=(0.7, 1.0))
    cv2.imwrite(str(path), draw_crowd(settings, seed=0, index=4, split='test')[0])
    return path


@pytest.fixture(scope='module')
def images():
    settings = [CrowdSettings(size=size, persons=(2, 4)) for size in SIZES]
    return [draw_crowd(each, seed=0, index=i)[0] for i, each in enumerate(settings)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, images):
    """Images, a config, and a checkpoint that proposes people at random."""
    path = tmp_path_factory.mktemp('api')
    (path / 'inputs' / 'sub').mkdir(parents=True)
    for i, image in enumerate(images):
        cv2.imwrite(str(path / 'inputs' / ('sub' if i % 2 else '.') / f'{i // 2}.png'), image)
    (path / 'inputs' / 'notes.txt').write_text('no image')
    config = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py')
    config.model = toys.model_config('coco', test_cfg=dict(flip_test=True, max_per_part=5))
    config.model.head.decoder = config.codec
    config.dump(path / 'config.py')
    torch.manual_seed(0)
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.state_dict(), meta={}), path / 'weights.pth')
    return path


@pytest.fixture(scope='module')
def model(folder):
    return api.load(folder / 'config.py', str(folder / 'weights.pth'), device='cpu')
