"""Backbones that start from the files of ImageNet and from whole networks."""

from pinet_mm import checkpoints
from pinet_mm import checkpoints as storage

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers.layouts import assert_same
from tests.helpers.narrow import narrow_config
from tests.helpers.toys import build_in_mmpose

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
