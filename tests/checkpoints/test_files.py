"""Checkpoint files: every layout is read and nothing is run; written whole; safetensors."""

import json
import os
import pickle
import shutil
import string
import sys
from collections import OrderedDict

from pinet_mm import checkpoints as storage
from pinet_mm.errors import CheckpointError, InputError, RunError

import numpy as np
import pytest
import torch
from mmengine.runner import CheckpointLoader
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from torch import nn

from tests.helpers.layouts import LAYOUTS, assert_same

WEIGHTS = OrderedDict(
    {
        'ppg.heatmap_head.weight': torch.arange(6.0).reshape(2, 3) / 7,
        'pr.bn.num_batches_tracked': torch.tensor(5),
        'pr.half': torch.tensor([1.0, -0.0, float('nan')], dtype=torch.float16),
    }
)

# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'suffix, zipped', [('.pth', True), ('.pth.tar', True), ('.pth.tar', False)]
)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_is_read(layout, suffix, zipped, tmp_path):
    path = tmp_path / f'release{suffix}'
    torch.save(LAYOUTS[layout](WEIGHTS), path, _use_new_zipfile_serialization=zipped)
    weights, meta, source = storage.read_checkpoint(path)
    assert source == str(path)
    assert list(weights) == list(WEIGHTS)
    assert_same(weights, WEIGHTS)
    known = dict(
        dict.fromkeys(('training', 'best'), dict(epoch=139)), mmengine=dict(epoch=139, iter=5)
    )
    assert meta == known.get(layout, {})


def test_a_prefix_on_some_keys_stays(tmp_path):
    # Without it the two would be one.
    torch.save({'module.a': torch.zeros(1), 'a': torch.ones(1)}, tmp_path / 'a.pth')
    assert list(storage.read_checkpoint(tmp_path / 'a.pth').weights) == ['module.a', 'a']


@pytest.mark.parametrize(
    'name, function', [(f'{os.name}.mkdir', os.mkdir), ('shutil.rmtree', shutil.rmtree)]
)
def test_code_in_a_file_is_not_run(name, function, tmp_path):
    class Trap:
        def __reduce__(self):
            return function, (str(tmp_path / 'place'),)

    (tmp_path / 'place').mkdir()
    torch.save(dict(state_dict={}, trap=Trap()), tmp_path / 'trap.pth')
    with pytest.raises(CheckpointError, match=f'trap.pth cannot be read: it asks for {name}'):
        storage.read_checkpoint(tmp_path / 'trap.pth')
    assert (tmp_path / 'place').is_dir()


@pytest.mark.parametrize('protocol', [0, 4])
def test_a_bare_pickle_is_not_run(protocol, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'place'),)

    (tmp_path / 'trap.pth').write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(CheckpointError) as error:
        storage.read_checkpoint(tmp_path / 'trap.pth')
    assert 'eights' not in str(error.value)  # neither weights_only nor what torch says of it
    assert not (tmp_path / 'place').exists()


@pytest.mark.parametrize(
    'content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off', b'\x10\0\0\0\0\0\0\0{"a": 1']
)
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_other_files_are_refused(content, suffix, tmp_path):
    path = tmp_path / f'page.{suffix}'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f'page.{suffix} cannot be read: '):
        storage.read_checkpoint(path)


def test_texts_are_refused_whatever_their_first_letter(tmp_path):
    path = tmp_path / 'page.pth'
    for letter in string.printable:
        path.write_text(f'{letter}rror 404: not found\n')
        # Words: torch's reader of pickles raises the number of the byte that it does not know.
        with pytest.raises(CheckpointError, match='page.pth cannot be read: .*[a-z]{2}'):
            storage.read_checkpoint(path)


@pytest.mark.parametrize(
    'content', [{}, dict(epoch=3), {7: torch.zeros(1)}, [torch.zeros(1)], dict(state_dict={})]
)
def test_files_without_weights_are_refused(content, tmp_path):
    torch.save(content, tmp_path / 'empty.pth')
    with pytest.raises(CheckpointError, match='empty.pth holds no weights'):
        storage.read_checkpoint(tmp_path / 'empty.pth')


@pytest.mark.parametrize(
    'weight',
    [
        torch.zeros(1).expand(10**4, 10**4, 100),
        torch.empty(2, device='meta'),
        torch.ones(2, 2).to_sparse(),
    ],
    ids=['repeated', 'meta', 'sparse'],
)
def test_tensors_whose_numbers_are_not_in_the_file_are_refused(weight, tmp_path):
    torch.save(dict(a=torch.ones(2), b=weight), tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError, match='a.pth cannot be used: b is no plain tensor'
    ) as error:
        storage.read_checkpoint(tmp_path / 'a.pth')
    assert '\n' not in str(error.value)
    few = dict(a=torch.ones(1).expand(3), b=torch.ones(4, 4)[:, 1].T)
    torch.save(few, tmp_path / 'a.pth')
    assert storage.read_checkpoint(tmp_path / 'a.pth').weights['a'].tolist() == [1, 1, 1]


def test_a_missing_file_is_named_whoever_looks_for_it(tmp_path):
    path = tmp_path / 'gone.pth'
    for look in (storage.require_checkpoint, storage.read_checkpoint):
        with pytest.raises(CheckpointError, match=f"the checkpoint '{path}' does not exist"):
            look(path)
    storage.require_checkpoint('https://host/a.pth')
    # What reads a user's file and what runs on it expect an error of different kinds.
    assert issubclass(CheckpointError, InputError) and issubclass(CheckpointError, RunError)


@pytest.mark.parametrize('is_wrapped', [False, True])
def test_the_versions_of_the_modules_come_along(is_wrapped, tmp_path):
    # They decide what MMPose's heads rename; a batch norm's is 2, a linear layer's 1.
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.BatchNorm1d(1)))
    torch.save((nn.DataParallel(model) if is_wrapped else model).state_dict(), tmp_path / 'a.pth')
    weights = storage.read_checkpoint(tmp_path / 'a.pth').weights
    assert list(weights)[0] == '0.weight'
    assert {key: value['version'] for key, value in weights._metadata.items()} == {
        '': 1,
        '0': 1,
        '1': 1,
        '1.0': 2,
    }


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['weights.pth', 'weights.safetensors'])
def test_an_interrupted_write_leaves_the_old_file(name, tmp_path):
    path = tmp_path / name
    storage.write_checkpoint(WEIGHTS, None, path)
    with pytest.raises(AttributeError):
        storage.write_checkpoint(dict(a=lambda: 0), None, path)
    assert_same(storage.read_checkpoint(path).weights, WEIGHTS)
    assert list(tmp_path.iterdir()) == [path]


def test_a_bare_state_dict_is_written_bare(tmp_path):
    storage.write_checkpoint(WEIGHTS, None, tmp_path / 'a.pth')
    assert_same(torch.load(tmp_path / 'a.pth'), WEIGHTS)


# --- safetensors ---------------------------------------------------------------------------------


def test_safetensors_hold_the_same_bits(tmp_path):
    path = tmp_path / 'a.safetensors'
    # A view into a larger array, two names of one array, and another memory layout.
    line = torch.arange(24.0)
    weights = {
        **WEIGHTS,
        'view': line[3:9],
        'twin': line,
        'strides': line.reshape(4, 6).T,
        'image': torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    storage.write_checkpoint(weights, dict(epoch=7), path)
    found = storage.read_checkpoint(path)
    assert_same(found.weights, {key: value.contiguous() for key, value in weights.items()})
    assert found.meta == dict(epoch=7)


def test_the_file_is_what_the_format_says(tmp_path):
    # Length of the header in 8 bytes, header in JSON, numbers.
    path = tmp_path / 'a.safetensors'
    storage.write_checkpoint({'a': torch.tensor([1.0, 2.0])}, dict(epoch=7), path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], 'little')
    header = json.loads(content[8 : 8 + length])
    assert header['__metadata__'] == dict(epoch='7', format='pt')
    start, end = header['a']['data_offsets']
    assert (header['a']['dtype'], header['a']['shape']) == ('F32', [2])
    assert np.frombuffer(content[8 + length :][start:end], '<f4').tolist() == [1, 2]


@pytest.mark.parametrize('dataset', ['coco', 'crowdpose'])
def test_metainfo_comes_back_as_mmpose_made_it(dataset, tmp_path):
    meta = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{dataset}.py'))
    storage.write_checkpoint(WEIGHTS, dict(dataset_meta=meta), tmp_path / 'a.safetensors')
    found = storage.read_checkpoint(tmp_path / 'a.safetensors').meta['dataset_meta']
    assert found.keys() == meta.keys()
    for name, value in meta.items():
        assert type(found[name]) is type(value), name
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value, name


def test_mmengine_reads_safetensors(tmp_path):
    path = tmp_path / 'a b.safetensors'
    storage.write_checkpoint(WEIGHTS, {}, path)
    content = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert content['meta'] == {}
    assert_same(content['state_dict'], WEIGHTS)
    with pytest.raises(FileNotFoundError, match='gone.safetensors'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'gone.safetensors'))
    loader = CheckpointLoader._get_checkpoint_loader
    assert loader('https://host/a.safetensors').__name__ == 'load_from_http'
    assert loader('a.safetensors.pth').__name__ == 'load_from_local'


def test_without_the_package_other_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    torch.save(WEIGHTS, tmp_path / 'a.pth')
    assert_same(storage.read_checkpoint(tmp_path / 'a.pth').weights, WEIGHTS)
    with pytest.raises(ImportError, match='safetensors'):
        storage.load_from_safetensors(str(tmp_path / 'a.safetensors'))
    (tmp_path / 'a.safetensors').touch()
    with pytest.raises(CheckpointError, match='a.safetensors cannot be read: .*safetensors'):
        storage.read_checkpoint(tmp_path / 'a.safetensors')


# --- half precision ------------------------------------------------------------------------------


def test_matrices_are_halved_and_vectors_stay():
    weights = dict(
        kernel=torch.tensor([[1 / 3, 7e4 / 2]]), variance=torch.tensor([1e6]), count=torch.tensor(3)
    )
    halved = storage.halve(weights)
    assert halved['kernel'].dtype == torch.float16
    # 10 digits after the leading one: 1/3 is 1365/4096 there, 35000 lies on a multiple of 32.
    assert halved['kernel'].tolist() == [[1365 / 4096, 35008.0]]
    assert halved['variance'].tolist() == [1e6] and halved['count'].item() == 3
    with pytest.raises(CheckpointError, match=r"up to 65504; larger ones are in \['kernel'\]"):
        storage.halve(dict(kernel=torch.tensor([[1e5]])))
