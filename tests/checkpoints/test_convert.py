"""`tools/convert_checkpoint.py`: the way there and back, key tables, errors."""

from pathlib import Path

from pinet_mm import api, checkpoints
from pinet_mm import checkpoints as storage
from pinet_mm.checkpoints.convert import Conversion, find_config
from pinet_mm.cli.convert import describe

import mmpose
import pytest
import torch
from mmengine.config import Config

from tests.helpers.layouts import LAYOUTS, assert_same
from tests.helpers.narrow import SIZES, narrow_config

ROOT = Path(__file__).parents[2]
COCO_METAINFO = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets/coco.py'

# --- the tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'dataset, suffix',
    [
        ('coco', '.pth'),
        ('crowdpose', '.pth.tar'),
        ('coco', '.safetensors'),
        ('crowdpose', '.safetensors'),
    ],
)
def test_there_and_back(weights, dataset, suffix, convert, tmp_path):
    source = tmp_path / 'model_best.pth.tar'
    ours, back, again = (tmp_path / f'{name}{suffix}' for name in ('ours', 'back', 'again'))
    torch.save(LAYOUTS['training'](weights[dataset]), source)
    text = convert(source, ours)
    keypoints, layers = SIZES[dataset]
    assert f'ours{suffix}: {dataset}, HRNet-W4, {layers} refinement layers, ' in text
    convert(ours, back, '--to-release')
    assert_same(storage.read_checkpoint(back).weights, weights[dataset])
    # What the tool wrote it also reads.
    convert(back, again)
    assert_same(storage.read_checkpoint(again).weights, storage.read_checkpoint(ours).weights)
    meta = storage.read_checkpoint(ours).meta
    assert meta['epoch'] == 139 and len(meta['dataset_meta']['keypoint_id2name']) == keypoints
    if suffix != '.safetensors':
        assert list(torch.load(back)) == list(weights[dataset])


def test_a_checkpoint_of_ours_is_written_anew_with_its_metainfo(weights, convert, tmp_path):
    ours = checkpoints.release_to_ours(weights['coco'])
    torch.save(
        dict(
            state_dict=ours, meta=dict(dataset_meta=dict(dataset_name='mine'), iter=3), optimizer={}
        ),
        tmp_path / 'epoch_3.pth',
    )
    text = convert(tmp_path / 'epoch_3.pth', tmp_path / 'small.safetensors')
    assert text.endswith('arrays\n') and 'its config' not in text
    found = storage.read_checkpoint(tmp_path / 'small.safetensors')
    assert_same(found.weights, ours)
    assert found.meta == dict(dataset_meta=dict(dataset_name='mine'), iter=3)


def test_the_key_table(weights, convert, tmp_path):
    torch.save(weights['coco'], tmp_path / 'a.pth')
    lines = convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--show-keys').splitlines()
    assert len(lines) == len(weights['coco']) + 1
    assert 'pr.adj  ->  head.refinement.adjacency  (17, 17)' in lines
    assert convert(tmp_path / 'a.pth', tmp_path / 'b.pth').count('\n') == 1


@pytest.mark.parametrize(
    'width, layers, config',
    [
        (32, 2, 'its config is pinet_hrnet_coco_release.py'),
        (48, 2, 'its config is pinet_hrnet-w48_coco_release.py'),
        (48, 3, 'its config is pinet_hrnet-w48_ochuman_release.py'),
        (32, 4, 'no config has this size, give pinet_hrnet_coco_release.py its width'),
    ],
)
def test_the_config_is_named(width, layers, config):
    state = {'ppg.heatmap_head.weight': torch.zeros(17, 15 * width, 1, 1)}
    for layer in range(layers):
        state[f'pr.gconv_layers.{layer}.gconv1.bn.bias'] = torch.zeros(1)
    settings, network = find_config(state)
    has_size = checkpoints.has_size(settings, network)
    done = Conversion(network, Path(settings.filename), has_size, False, False, ())
    text = describe(done, config_is_named=False)
    assert text.split('; ')[1].startswith(config)
    assert '; ' not in describe(done, config_is_named=True)
    named, _ = find_config(state, 'pinet_hrnet_crowdpose')
    assert Path(named.filename).name == 'pinet_hrnet_crowdpose.py'


def test_keypoints_of_ones_own_need_a_config(weights, convert, tmp_path):
    # Sixteen keypoints: COCO's without the nose.
    state, keep = dict(weights['coco']), torch.arange(1, 17)
    pairs = torch.stack((2 * keep, 2 * keep + 1), dim=1).flatten()
    channels = (34 * torch.arange(3)[:, None] + pairs).flatten()
    for name, chosen in (
        ('ppg.heatmap_head', keep),
        ('ppg.offset_head', channels),
        ('pr.gconv_pred.3', pairs),
    ):
        for kind in ('weight', 'bias'):
            state[f'{name}.{kind}'] = state[f'{name}.{kind}'][chosen]
    state['pr.adj'] = state['pr.adj'][1:, 1:]
    torch.save(state, tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match='error: .* another number: name the config .* --config'):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    config = narrow_config('coco')
    info = Config.fromfile(COCO_METAINFO).dataset_info.to_dict()
    info.update(
        keypoint_info={i: info['keypoint_info'][i + 1] for i in range(16)},
        skeleton_info={},
        joint_weights=[1.0] * 16,
        sigmas=info['sigmas'][1:],
        dataset_name='headless',
    )
    (tmp_path / 'metainfo.py').write_text(f'dataset_info = {info}')
    config.codec.layout.metainfo = str(tmp_path / 'metainfo.py')
    config.codec.layout.parts['head'].remove('nose')
    config.codec.layout.skeleton = config.codec.layout.skeleton[2:]
    config.model.head.decoder = config.codec
    config.dump(tmp_path / 'own.py')
    text = convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--config', tmp_path / 'own.py')
    assert 'own dataset, HRNet-W4, 2 refinement layers' in text
    assert storage.read_checkpoint(tmp_path / 'b.pth').meta['dataset_meta']['dataset_name'] == (
        'headless'
    )


def damage(weights, kind):
    weights = dict(weights)
    if kind == 'missing':
        del weights['pr.gconv_layers.1.gconv2.conv.weight']
    elif kind == 'unknown':
        weights['backbone.stage9.weight'] = torch.zeros(1)
    elif kind == 'all at once':
        weights.update(
            {
                'total.weight': weights.pop('pr.gconv_pred.3.bias'),
                'pr.adj': torch.zeros(17, 17, dtype=torch.int64),
            }
        )
    else:
        weights['pr.adj'] = torch.zeros(3, 3)
    return weights


@pytest.mark.parametrize(
    'kind, message',
    [
        (
            'missing',
            r'does not fit the network:\n  missing pr.gconv_layers.1.gconv2.conv.weight '
            r'\(elsewhere head.refinement.blocks.1.conv2.weight\)',
        ),
        ('unknown', 'does not fit the network:\n  unknown backbone.stage9.weight'),
        (
            'all at once',
            r'does not fit the network:\n'
            r'  missing pr.gconv_pred.3.bias \(elsewhere [a-z.]*3.bias\)\n'
            r'  unknown total.weight\n  pr.adj \(elsewhere head.refinement.adjacency\) '
            r'holds torch.int64, expected floating point',
        ),
        (
            'shape',
            r'pr.adj \(elsewhere head.refinement.adjacency\) has the shape \(3, 3\), expected '
            r'\(17, 17\)',
        ),
    ],
)
def test_checkpoints_that_do_not_fit_write_nothing(weights, kind, message, convert, tmp_path):
    torch.save(damage(weights['coco'], kind), tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match=f'(?s)error: .*{message}'):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    (tmp_path / 'b.pth').write_text('what was there before')
    with pytest.raises(SystemExit):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert (tmp_path / 'b.pth').read_text() == 'what was there before'


@pytest.mark.parametrize(
    'target, options, message',
    [
        ('gone/b.pth', (), 'gone/b.pth: the folder .*gone does not exist'),
        ('.', (), 'is a folder'),
        ('b.onnx', (), 'b.onnx must end in one of .pth, .pt, .tar, .safetensors'),
        ('b.pth', ('--half', '--to-release'), '--half is for this package'),
    ],
)
def test_targets_and_options_that_do_not_go_are_refused_first(
    target, options, message, weights, convert, tmp_path
):
    torch.save(weights['coco'], tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        convert(tmp_path / 'a.pth', tmp_path / target, *options)
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_half_the_size_gives_the_rounded_numbers(weights, convert, tmp_path):
    torch.save(weights['coco'], tmp_path / 'a.pth')
    convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    convert(tmp_path / 'b.pth', tmp_path / 'half.pth', '--half')
    whole, half = (
        storage.read_checkpoint(tmp_path / name).weights for name in ('b.pth', 'half.pth')
    )
    for key, value in whole.items():
        assert torch.equal(half[key].float(), value.half().float() if value.ndim > 1 else value)


def test_configs_without_a_model_are_refused(weights, convert, tmp_path):
    torch.save(weights['coco'], tmp_path / 'a.pth')
    config = ROOT / 'configs' / '_base_' / 'runtime.py'
    with pytest.raises(SystemExit, match=r"runtime.py is no config .* lacks \['model', 'codec'\]"):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--config', config)


def test_a_network_that_is_not_on_hrnet_is_written_anew_by_its_config(convert, tmp_path):
    config = 'pinet_lite_photos.py'
    shipped = api.shipped_weights(config)
    text = convert(shipped, tmp_path / 'a.safetensors', '--half', '--config', config)
    weights = checkpoints.read_checkpoint(shipped).weights
    assert text.endswith(f': the network of {config}, {len(weights)} arrays\n')
    assert_same(checkpoints.read_checkpoint(tmp_path / 'a.safetensors').weights, weights)
    with pytest.raises(SystemExit, match="error: a PINet on HRNet has 'ppg.heatmap_head.weight'"):
        convert(shipped, tmp_path / 'b.pth')


def test_an_uncertainty_is_converted_by_a_config_without_one(convert, tmp_path):
    config = 'pinet_lite_photos.py'
    state = dict(checkpoints.read_checkpoint(api.shipped_weights(config)).weights)
    state['head.refinement.uncertainty.weight'] = torch.full((17, 128), 0.5)
    state['head.refinement.uncertainty.bias'] = torch.full((17,), 0.25)
    torch.save(state, tmp_path / 'a.pth')
    convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--config', config)
    assert_same(checkpoints.read_checkpoint(tmp_path / 'b.pth').weights, state)


def test_missing_files_are_told(convert, tmp_path):
    with pytest.raises(SystemExit, match="error: the checkpoint '.*a.pth' does not exist"):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
