"""What loads weights builds weights only: paths, URLs, the loaders of MMEngine and MMPose."""

import hashlib
import os
from collections import OrderedDict

from pinet_mm import checkpoints as storage
from pinet_mm.errors import CheckpointError, RunError

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as of_mmengine
from torch import nn

from tests.helpers.layouts import LAYOUTS, assert_same

WEIGHTS = OrderedDict(a=torch.arange(6.0).reshape(2, 3) / 7)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.fixture
def trap(tmp_path):
    """A file that makes `place` if its code runs, and the folder that is served."""
    path = tmp_path / 'served' / 'trap.pth'
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(state_dict=WEIGHTS, trap=Trap(tmp_path / 'place')), path)
    return path


def test_a_url_is_read_as_a_file_is(url, tmp_path):
    torch.save(LAYOUTS['training'](WEIGHTS), tmp_path / 'served' / 'a.pth')
    storage.write_checkpoint(WEIGHTS, None, tmp_path / 'served' / 'a.safetensors')
    found = storage.read_checkpoint(f'{url}/a.pth')
    assert_same(found.weights, WEIGHTS)
    assert found.source == f'{url}/a.pth' and found.meta == dict(epoch=139)
    assert_same(storage.read_checkpoint(f'{url}/a.safetensors').weights, WEIGHTS)
    with pytest.raises(CheckpointError, match='b.pth cannot be read: HTTP Error 404'):
        storage.read_checkpoint(f'{url}/b.pth')
    with pytest.raises(CheckpointError, match=f'the URL {url}/ names no file'):
        storage.read_checkpoint(f'{url}/')


def load_by_init_cfg(source):
    module = BaseModule(dict(type='Pretrained', checkpoint=source))
    module.inner = nn.Linear(1, 1)
    module.init_weights()


WAYS = dict(
    package=storage.read_checkpoint,
    loader=CheckpointLoader.load_checkpoint,
    inferencer=lambda source: of_mmengine.load_checkpoint(nn.Linear(1, 1), source),
    prefix=lambda source: of_mmengine._load_checkpoint_with_prefix('a.', source),
    init_cfg=load_by_init_cfg,
    zoo=lambda source: of_mmengine.load_from_torchvision('torchvision://toy'),
)


@pytest.mark.parametrize('by_url', [False, True], ids=['path', 'url'])
@pytest.mark.parametrize('way', WAYS)
def test_code_in_a_checkpoint_is_not_run(way, by_url, url, trap, tmp_path, monkeypatch):
    source = f'{url}/trap.pth' if by_url else str(trap)
    monkeypatch.setattr(of_mmengine, 'get_torchvision_models', lambda: dict(toy=source))
    # In one line, and without torch's advice to set weights_only to False.
    with pytest.raises(RunError) as error:
        WAYS[way](source)
    assert str(error.value) == (
        f'the checkpoint {source} cannot be read: it asks for {os.name}.mkdir'
    )
    assert error.value.__cause__ is None and error.value.__suppress_context__
    assert not (tmp_path / 'place').exists()


def test_a_hash_in_the_name_is_compared(url, tmp_path):
    torch.save(WEIGHTS, tmp_path / 'served' / 'a.pth')
    content = (tmp_path / 'served' / 'a.pth').read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:8]
    digest = digest if not digest.isdecimal() else hashlib.sha256(content).hexdigest()[:20]
    for name in (f'good-{digest}.pth', f'good-{digest}_20261126.pth', 'date-20261126.pth'):
        (tmp_path / 'served' / name).write_bytes(content)
        assert_same(storage.read_checkpoint(f'{url}/{name}').weights, WEIGHTS)
    (tmp_path / 'served' / 'bad-0123cdef.pth').write_bytes(content)
    message = f'bad-0123cdef.pth is not the file .* must begin with 0123cdef, found {digest[:8]}'
    with pytest.raises(CheckpointError, match=message):
        storage.read_checkpoint(f'{url}/bad-0123cdef.pth')
    # The next try downloads it anew; what lies in the cache is compared as well.
    cached = tmp_path / 'cache' / 'hub' / 'checkpoints'
    assert not (cached / 'bad-0123cdef.pth').exists()
    (cached / f'good-{digest}.pth').write_bytes(content + b' ')
    with pytest.raises(CheckpointError, match=f'must begin with {digest}'):
        storage.read_checkpoint(f'{url}/good-{digest}.pth')
