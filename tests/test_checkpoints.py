"""Checkpoints of the release: every layout is read, every key accounted for, the way back exact."""

import importlib.util
import sys
from pathlib import Path

import golden_arrays
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import init_model

from pinet_mm import checkpoints

ROOT = Path(__file__).parents[1]
SIZES = dict(coco=(17, 2), crowdpose=(14, 3))
CONFIG = 'configs/pinet_hrnet_{}_release.py'


@pytest.fixture(scope='module')
def weights():
    """State dicts of the release's narrow networks, by dataset."""
    return {dataset: {
        name.removeprefix('sd/'): torch.from_numpy(np.array(value)) for name, value
        in golden_arrays.load(golden_arrays.COMPACT, 'network', dataset).items()
        if name.startswith('sd/')} for dataset in SIZES}


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process: what it printed."""
    path = ROOT / 'tools' / 'convert_checkpoint.py'
    spec = importlib.util.spec_from_file_location('convert_checkpoint', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['convert_checkpoint', *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return run


def prefixed(weights):
    return {f'module.{key}': value for key, value in weights.items()}


LAYOUTS = dict(
    training=lambda weights: dict(
        epoch=139, model='pinet', perf=np.float64(0.67), optimizer=dict(state={}),
        state_dict=prefixed(weights),
        best_state_dict={key: torch.zeros_like(value) for key, value in weights.items()}),
    state=lambda weights: dict(state_dict=weights),
    best=lambda weights: dict(epoch=3, best_state_dict=weights),
    bare=dict,
    bare_prefixed=prefixed)


@pytest.mark.parametrize('suffix', ['.pth', '.pth.tar'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_is_read(weights, layout, suffix, tmp_path):
    path = tmp_path / f'release{suffix}'
    torch.save(LAYOUTS[layout](weights['coco']), path)
    found = checkpoints.read_weights(path)
    assert list(found) == list(weights['coco'])
    assert all(torch.equal(found[key], value) for key, value in weights['coco'].items())


def test_code_in_a_file_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / 'trapped', )

    torch.save(dict(state_dict={}, trap=Trap()), tmp_path / 'trap.pth')
    with pytest.raises(ValueError, match='trap.pth is no checkpoint that holds only weights'):
        checkpoints.read_weights(tmp_path / 'trap.pth')
    assert not (tmp_path / 'trapped').exists()


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / 'page.pth').write_bytes(content)
    with pytest.raises(ValueError, match='page.pth is no checkpoint'):
        checkpoints.read_weights(tmp_path / 'page.pth')


@pytest.mark.parametrize('content', [{}, dict(epoch=3), [torch.zeros(1)], dict(state_dict={})])
def test_files_without_weights_are_refused(content, tmp_path):
    torch.save(content, tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match='empty.pth holds no weights'):
        checkpoints.read_weights(tmp_path / 'empty.pth')


# --- names and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize('theirs, ours', [
    ('backbone.stage2.0.branches.0.0.bn1.bias', 'backbone.stage2.0.branches.0.0.bn1.bias'),
    ('ppg.heatmap_head.weight', 'head.score_branch.weight'),
    ('ppg.detkptmap_head.bias', 'head.part_branch.bias'),
    ('ppg.offset_head.weight', 'head.offset_branch.weight'),
    ('pr.adj', 'head.refinement.adjacency'),
    ('pr.gconv_head.conv.weight', 'head.refinement.stem.weight'),
    ('pr.gconv_head.bn.running_var', 'head.refinement.stem.bn.running_var'),
    ('pr.gconv_layers.12.gconv2.conv.bias', 'head.refinement.blocks.12.conv2.bias'),
    ('pr.gconv_layers.0.gconv1.bn.weight', 'head.refinement.blocks.0.conv1.bn.weight'),
    ('pr.gconv_pred.3.bias', 'head.refinement.predictor.3.bias')])
def test_names(theirs, ours):
    assert list(checkpoints.release_to_ours({theirs: torch.zeros(1)})) == [ours]
    assert list(checkpoints.ours_to_release({ours: torch.zeros(1)})) == [theirs]


def test_the_predictor_loses_and_regains_a_dimension():
    convolution = torch.rand(4, 6, 1)
    ours = checkpoints.release_to_ours({'pr.gconv_pred.0.weight': convolution})
    assert torch.equal(ours['head.refinement.predictor.0.weight'], convolution[..., 0])
    back = checkpoints.ours_to_release(ours)
    assert torch.equal(back['pr.gconv_pred.0.weight'], convolution)


@pytest.mark.parametrize('key', ['pr.gconv_tail.weight', 'fc.bias', 'pr.gconv_layers.x.gconv1.bn.'])
def test_foreign_names_are_refused(key):
    with pytest.raises(KeyError, match=f"'{key}' belongs to no parameter of PINet"):
        checkpoints.release_to_ours({key: torch.zeros(1)})


def test_the_shapes_tell_the_network(weights):
    assert checkpoints.recognise(weights['coco']) == ('coco', 4, 2)
    assert checkpoints.recognise(weights['crowdpose']) == ('crowdpose', 4, 3)
    third = {key.replace('layers.1', 'layers.2'): value for key, value in weights['coco'].items()}
    assert checkpoints.recognise({**weights['coco'], **third}) == ('ochuman', 4, 3)


@pytest.mark.parametrize('shape, message', [
    (None, "has no 'ppg.heatmap_head.weight'.*first keys are"),
    ((16, 480, 1, 1), '14 or 17 keypoints .* found 16 and 480'),
    ((17, 481, 1, 1), 'multiples of 15; found 17 and 481')])
def test_other_networks_are_refused(shape, message):
    state = {} if shape is None else {'ppg.heatmap_head.weight': torch.zeros(shape)}
    with pytest.raises(ValueError, match=message):
        checkpoints.recognise(state)


def test_every_key_that_does_not_fit_is_named():
    wanted = dict(a=torch.zeros(2), b=torch.zeros(3), c=torch.zeros(1))
    wanted['bn.num_batches_tracked'] = torch.zeros(())
    checkpoints.check_weights({key: wanted[key] for key in 'abc'}, wanted)
    with pytest.raises(ValueError) as error:
        checkpoints.check_weights(dict(b=torch.zeros(3, 1), c=torch.zeros(1), d=torch.zeros(1)),
                                  wanted)
    assert str(error.value).splitlines() == [
        '3 keys do not fit:', '  missing a', '  unknown d',
        '  b has the shape (3, 1), expected (3,)']


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'weights.pth'
    checkpoints.write_checkpoint(dict(a=1), path)
    with pytest.raises(AttributeError):
        checkpoints.write_checkpoint(dict(a=lambda: 0), path)
    assert torch.load(path) == dict(a=1)
    assert list(tmp_path.iterdir()) == [path]


# --- the tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize('dataset', SIZES)
def test_there_and_back(weights, dataset, convert, tmp_path):
    source, ours, back = (tmp_path / name for name in ('a.pth.tar', 'b.pth', 'c.pth'))
    torch.save(LAYOUTS['training'](weights[dataset]), source)
    text = convert(source, ours, '--show-keys')
    assert 'pr.adj  ->  head.refinement.adjacency' in text
    keypoints, layers = SIZES[dataset]
    assert f'b.pth: {dataset}, HRNet-W4, {layers} refinement layers' in text
    assert convert(ours, back, '--to-release')
    found = torch.load(back)
    assert list(found) == list(weights[dataset])
    assert all(torch.equal(found[key], value) for key, value in weights[dataset].items())

    network = checkpoints.recognise(weights[dataset])
    config = Config.fromfile(CONFIG.format(dataset))
    narrow = [network.width * 2**i for i in range(4)]
    for stage in (2, 3, 4):
        config.model.backbone.extra[f'stage{stage}'].num_channels = narrow[:stage]
    config.model.head.in_channels = 15 * network.width
    config.model.backbone.init_cfg = None
    model = init_model(config, str(ours), device='cpu')
    assert len(model.dataset_meta['keypoint_id2name']) == keypoints
    assert torch.equal(model.head.refinement.adjacency, weights[dataset]['pr.adj'])


def damage(weights, kind):
    weights = dict(weights)
    if kind == 'missing':
        del weights['pr.gconv_layers.1.gconv2.conv.weight']
    elif kind == 'unknown':
        weights['backbone.stage9.weight'] = torch.zeros(1)
    else:
        weights['pr.adj'] = torch.zeros(3, 3)
    return weights


@pytest.mark.parametrize('kind, message', [
    ('missing', '1 keys do not fit:\n  missing head.refinement.blocks.1.conv2.weight'),
    ('unknown', '1 keys do not fit:\n  unknown backbone.stage9.weight'),
    ('shape', r'head.refinement.adjacency has the shape \(3, 3\), expected \(17, 17\)')])
def test_checkpoints_that_do_not_fit_write_nothing(weights, kind, message, convert, tmp_path):
    torch.save(damage(weights['coco'], kind), tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match=f'(?s)error: .*{message}'):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_missing_files_are_told(convert, tmp_path):
    with pytest.raises(SystemExit, match='error: .*No such file.*a.pth'):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_an_imagenet_backbone(weights, convert, tmp_path):
    backbone = {key.removeprefix('backbone.'): value for key, value in weights['coco'].items()
                if key.startswith('backbone.')}
    classifier = {f'{name}weight': torch.zeros(1) for name in checkpoints.CLASSIFIER}
    torch.save({**backbone, **classifier}, tmp_path / 'hrnet.pth')
    text = convert(tmp_path / 'hrnet.pth', tmp_path / 'backbone.pth')
    assert 'backbone, HRNet-W4' in text
    found = torch.load(tmp_path / 'backbone.pth')['state_dict']
    assert found.keys() == backbone.keys()
    del backbone['stage4.2.branches.3.3.conv2.weight']
    torch.save({**backbone, **classifier}, tmp_path / 'hrnet.pth')
    with pytest.raises(SystemExit, match='missing stage4.2.branches.3.3.conv2.weight'):
        convert(tmp_path / 'hrnet.pth', tmp_path / 'backbone.pth')
