"""Checkpoints of the release: every key is accounted for, the way back exact, the result runs."""

import json
import pickle
import sys
from pathlib import Path

from pinet_mm import api, checkpoints, runner
from pinet_mm import checkpoints as storage
from pinet_mm.checkpoints.convert import Conversion, find_config
from pinet_mm.cli.convert import describe
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.errors import CheckpointError

import cv2
import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer
from mmpose.registry import MODELS

from tests.checkpoints.test_files import LAYOUTS, assert_same
from tests.helpers import golden_arrays
from tests.helpers.tools import load_tool
from tests.helpers.toys import build_in_mmpose

ROOT = Path(__file__).parents[2]
SIZES = dict(coco=(17, 2), crowdpose=(14, 3))
CONFIG = 'pinet_hrnet_{}_release.py'
COCO_METAINFO = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets/coco.py'


@pytest.fixture(scope='module')
def weights():
    """State dicts of the release's narrow networks, by dataset."""
    states = {}
    for dataset in SIZES:
        arrays = golden_arrays.load(golden_arrays.COMPACT, 'network', dataset)
        state = {
            name.removeprefix('sd/'): torch.from_numpy(np.array(value))
            for name, value in arrays.items()
            if name.startswith('sd/')
        }
        states[dataset] = {
            key: value.long() if key.endswith('num_batches_tracked') else value
            for key, value in state.items()
        }
    return states


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process: what it printed."""
    tool = load_tool('convert_checkpoint')

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['convert_checkpoint', *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return run


def narrow_config(dataset, width=4):
    """The release config of a dataset with the width of golden's networks."""
    config = Config.fromfile(ROOT / 'configs' / CONFIG.format(dataset))
    for stage in (2, 3, 4):
        config.model.backbone.extra[f'stage{stage}'].num_channels = [
            width * 2**i for i in range(stage)
        ]
    config.model.head.in_channels = 15 * width
    return config


# --- names and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('backbone.stage2.0.branches.0.0.bn1.bias', 'backbone.stage2.0.branches.0.0.bn1.bias'),
        ('ppg.heatmap_head.weight', 'head.score_branch.weight'),
        ('ppg.detkptmap_head.bias', 'head.part_branch.bias'),
        ('ppg.offset_head.weight', 'head.offset_branch.weight'),
        ('pr.adj', 'head.refinement.adjacency'),
        ('pr.gconv_head.conv.weight', 'head.refinement.stem.weight'),
        ('pr.gconv_head.bn.running_var', 'head.refinement.stem.bn.running_var'),
        ('pr.gconv_layers.12.gconv2.conv.bias', 'head.refinement.blocks.12.conv2.bias'),
        ('pr.gconv_layers.0.gconv1.bn.weight', 'head.refinement.blocks.0.conv1.bn.weight'),
        ('pr.gconv_pred.3.bias', 'head.refinement.predictor.3.bias'),
    ],
)
def test_names(theirs, ours):
    assert list(checkpoints.release_to_ours({theirs: torch.zeros(1)})) == [ours]
    assert list(checkpoints.ours_to_release({ours: torch.zeros(1)})) == [theirs]


def test_the_predictor_loses_and_regains_a_dimension():
    convolution = torch.rand(4, 6, 1)
    ours = checkpoints.release_to_ours({'pr.gconv_pred.0.weight': convolution})
    assert torch.equal(ours['head.refinement.predictor.0.weight'], convolution[..., 0])
    back = checkpoints.ours_to_release(ours)
    assert torch.equal(back['pr.gconv_pred.0.weight'], convolution)


@pytest.mark.parametrize('rename', [checkpoints.release_to_ours, checkpoints.ours_to_release])
def test_foreign_names_are_refused_all_at_once(rename):
    foreign = ['pr.gconv_tail.weight', 'fc.bias', 'pr.gconv_layers.x.gconv1.bn.']
    with pytest.raises(CheckpointError, match='3 keys belong to no parameter of PINet') as error:
        rename(dict.fromkeys(['backbone.conv1.weight', *foreign], torch.zeros(1)))
    assert [line.strip() for line in str(error.value).splitlines()[1:]] == foreign


def test_the_shapes_tell_the_network(weights):
    assert checkpoints.recognize(weights['coco']) == ('coco', 4, 2)
    assert checkpoints.recognize(weights['crowdpose']) == ('crowdpose', 4, 3)
    third = {key.replace('layers.1', 'layers.2'): value for key, value in weights['coco'].items()}
    assert checkpoints.recognize({**weights['coco'], **third}) == ('ochuman', 4, 3)


@pytest.mark.parametrize(
    'shape, found',
    [(None, 'none'), ((17, 481, 1, 1), r'the shape \(17, 481, 1, 1\)'), ((17,), r'.* \(17,\)')],
)
def test_other_networks_are_refused(shape, found):
    state = {} if shape is None else {'ppg.heatmap_head.weight': torch.zeros(shape)}
    with pytest.raises(
        CheckpointError,
        match=f"'ppg.heatmap_head.weight' of the shape .*; found {found}, first keys ",
    ):
        checkpoints.recognize(state)


def test_every_key_that_does_not_fit_is_named():
    wanted = dict(a=torch.zeros(2), b=torch.zeros(3), c=torch.zeros(1))
    wanted['bn.num_batches_tracked'] = torch.zeros(())
    checkpoints.check_weights({key: wanted[key] for key in 'abc'}, wanted, 'abc.pth')
    found = dict(b=torch.zeros(3, 1), c=torch.ones(1, dtype=torch.int64), d=torch.zeros(1))
    complaints = [
        '  missing a',
        '  unknown d',
        '  b has the shape (3, 1), expected (3,)',
        '  c holds torch.int64, expected floating point',
    ]
    header = 'the checkpoint a.pth does not fit the network:'
    end = '4 keys do not fit; it may belong to another config'
    for shown in (None, 4):
        with pytest.raises(CheckpointError) as error:
            checkpoints.check_weights(found, wanted, 'a.pth', shown=shown)
        assert str(error.value).splitlines() == [header, *complaints, end]
    with pytest.raises(CheckpointError) as error:
        checkpoints.check_weights(found, wanted, 'a.pth', shown=1)
    assert str(error.value).splitlines() == [header, complaints[0], '  and 3 more', end]


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
    assert found.meta == dict(dataset_meta=dict(dataset_name='mine'))


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


def test_missing_files_are_told(convert, tmp_path):
    with pytest.raises(SystemExit, match="error: the checkpoint '.*a.pth' does not exist"):
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')


# --- backbones -----------------------------------------------------------------------------------


@pytest.fixture
def imagenet(weights):
    """A narrow HRNet as the release's ImageNet file has it: backbone and classifier."""
    backbone = {
        key.removeprefix('backbone.'): value
        for key, value in weights['coco'].items()
        if key.startswith('backbone.')
    }
    return {**backbone, **{f'{name}weight': torch.zeros(1) for name in checkpoints.CLASSIFIER}}


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_backbone_starts_from_the_imagenet_file(imagenet, suffix, convert, tmp_path):
    torch.save(imagenet, tmp_path / 'hrnet.pth')
    target = tmp_path / f'backbone{suffix}'
    assert 'backbone, HRNet-W4, ' in convert(tmp_path / 'hrnet.pth', target)
    config = narrow_config('coco').model.backbone
    config.init_cfg.checkpoint = str(target)
    backbone = build_in_mmpose(MODELS, config)
    backbone.init_weights()
    state = backbone.state_dict()
    assert_same(state, {key: imagenet[key] for key in state})
    assert_same(storage.read_checkpoint(target).weights, state)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_backbone_starts_from_a_whole_pinet(weights, suffix, convert, tmp_path):
    torch.save(weights['crowdpose'], tmp_path / 'a.pth')
    convert(tmp_path / 'a.pth', tmp_path / f'pinet{suffix}')
    config = narrow_config('coco').model.backbone
    config.init_cfg.update(checkpoint=str(tmp_path / f'pinet{suffix}'), prefix='backbone.')
    backbone = build_in_mmpose(MODELS, config)
    backbone.init_weights()
    state = backbone.state_dict()
    assert_same(state, {key: weights['crowdpose'][f'backbone.{key}'] for key in state})


def test_a_backbone_without_classifier_or_with_a_gap(imagenet, convert, tmp_path):
    bare = {
        key: value for key, value in imagenet.items() if not key.startswith(checkpoints.CLASSIFIER)
    }
    torch.save(bare, tmp_path / 'hrnet.pth')
    assert f'{len(bare)} arrays' in convert(tmp_path / 'hrnet.pth', tmp_path / 'backbone.pth')
    del imagenet['stage4.2.branches.3.3.conv2.weight']
    torch.save(imagenet, tmp_path / 'hrnet.pth')
    with pytest.raises(SystemExit, match='missing stage4.2.branches.3.3.conv2.weight'):
        convert(tmp_path / 'hrnet.pth', tmp_path / 'other.pth')
    assert not (tmp_path / 'other.pth').exists()


# --- what a user does with the result ------------------------------------------------------------


@pytest.fixture(
    params=[('coco', '.pth'), ('crowdpose', '.safetensors')], ids=lambda param: ''.join(param)
)
def converted(request, weights, convert, tmp_path, monkeypatch):
    """Dataset and converted checkpoint, in a folder with a config and a picture of three people."""
    dataset, suffix = request.param
    torch.save(LAYOUTS['training'](weights[dataset]), tmp_path / 'release.pth.tar')
    convert(tmp_path / 'release.pth.tar', tmp_path / f'pinet{suffix}')
    settings = CrowdSettings(size=(150, 100), persons=(3, 3))
    cv2.imwrite(str(tmp_path / '7.png'), draw_crowd(settings, seed=0, index=0)[0])
    monkeypatch.chdir(tmp_path)
    config = narrow_config(dataset)
    config.model.backbone.init_cfg = None
    return dataset, f'pinet{suffix}', config


def in_order(keypoints, scores):
    """Keypoints and scores of people (N, K, 3), ordered by the first."""
    people = np.concatenate((keypoints, np.asarray(scores)[..., None]), axis=-1)
    return people[np.lexsort(people[:, 0].T)]


def test_the_inferencer_needs_nothing_else(converted, weights):
    dataset, checkpoint, config = converted
    # The metainfo must come from the checkpoint, for this config has none to offer.
    config.train_dataloader = config.val_dataloader = None
    config.dump('config.py')
    inferencer = MMPoseInferencer(pose2d='config.py', pose2d_weights=checkpoint, device='cpu')
    found = next(inferencer('7.png'))['predictions'][0]
    model = api.load('config.py', checkpoint, 'cpu')
    (sample,) = api.predict(model, ['7.png'])
    wanted = sample.pred_instances
    assert len(found) == len(wanted) > 3
    np.testing.assert_allclose(
        in_order(
            [person['keypoints'] for person in found],
            [person['keypoint_scores'] for person in found],
        ),
        in_order(wanted.keypoints, wanted.keypoint_scores),
        atol=1e-3,
    )
    # The network is the release's: its own parameters, read from the model that ran.
    ran = inferencer.inferencer.model
    assert_same(checkpoints.ours_to_release(ran.state_dict()), weights[dataset])
    assert ran.dataset_meta['dataset_name'] == dataset


def test_the_test_tool_finds_the_same_people(converted):
    dataset, checkpoint, config = converted
    k = SIZES[dataset][0]
    person = dict(
        id=1,
        image_id=7,
        category_id=1,
        iscrowd=0,
        area=900.0,
        num_keypoints=k,
        bbox=[9, 9, 60, 60],
        keypoints=[20, 30, 2] * k,
    )
    Path('people.json').write_text(
        json.dumps(
            dict(
                images=[dict(id=7, file_name='7.png', width=150, height=100, crowdIndex=0.5)],
                annotations=[person],
                categories=[dict(id=1, name='person')],
            )
        )
    )
    config.test_dataloader.dataset.update(
        data_root='', ann_file='people.json', data_prefix=dict(img='')
    )
    config.test_dataloader.update(num_workers=0)
    config.test_evaluator.ann_file = 'people.json'
    config.dump('config.py')
    runner.test(runner.TestOptions(config='config.py', checkpoint=checkpoint, dump='found.pkl'))
    found = pickle.loads(Path('found.pkl').read_bytes())[0]['pred_instances']
    (sample,) = api.predict(api.load('config.py', checkpoint, 'cpu'), ['7.png'])
    wanted = sample.pred_instances
    assert len(found['keypoints']) == len(wanted) > 3
    np.testing.assert_allclose(
        in_order(found['keypoints'], found['keypoint_scores']),
        in_order(wanted.keypoints, wanted.keypoint_scores),
        atol=1e-3,
    )
