"""Narrow networks to export, drawn crowds, and the people that are found on them."""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from unittest import mock

from pinet_mm.configs import mappings
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.method.scoring import PoseScore

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import toys

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py'
# Poses of a random network have little to do with each other; so some are fused all the same.
TEST_CFG = dict(
    paper=dict(flip_test=True, max_per_part=5, oks_thr=0.05, use_agreement=True),
    release=dict(max_per_part=4, oks_thr=0.05),
    light=dict(
        scale_factors=(0.5, 1),
        flip_test=False,
        use_peaks=False,
        max_per_part=4,
        oks_thr=0.05,
        use_agreement=True,
        use_uncertainty=True,
    ),
)

# A window that divides the sides of maps, and one that does not.
REFINING = dict(num_passes=2, context=(2, 5), uncertainty=True)

# With stages of stride 4 to 32 as HRNet's branches, but a third of its layers to trace.
BACKBONE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=4, out_indices=range(4))


def crowd(*sizes):
    return [
        draw_crowd(CrowdSettings(size=size, persons=(3, 4)), seed=0, index=i)[0]
        for i, size in enumerate(sizes)
    ]


def write_model(folder, convention, **refinement):
    """A config of the project with a narrow network, and weights that propose at random."""
    config = Config.fromfile(SHIPPED)
    for mapping in mappings(dict(config.items())):
        if 'encoder' in mapping:  # pipelines hold copies of the codec
            mapping['encoder']['convention'] = convention
    config.codec.convention = convention
    config.model = toys.model_config('coco', test_cfg=TEST_CFG[convention])
    config.model.head.decoder = config.codec
    config.model.head.refinement.update(refinement)
    config.model.backbone = BACKBONE
    if convention == 'release':
        config.test_dataloader.dataset.pipeline[1] = dict(
            type='WholeCentreResize', input_size=(128, 128)
        )
    config.dump(folder / 'config.py')
    torch.save(dict(state_dict=_awake(config).state_dict(), meta={}), folder / 'weights.pth')


def _awake(config):
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    inputs = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    return toys.awaken(model, inputs)


def write_light(folder):
    """Write a config of two scales and weights that float16 holds, with a score besides.

    The backbone is of timm, and the refinement has all its options. The config does not mention
    score and uncertainty: the weights bring them.
    """
    config = Config.fromfile(SHIPPED)
    config.model = toys.model_config('coco', test_cfg=TEST_CFG['light'])
    config.model.head = toys.head_config('coco', channels=16)
    config.model.head.decoder = config.codec
    config.model.head.refinement.update(REFINING)
    # Without `avg_down`, whose windows are cut at borders that are not known in the graph.
    config.model.backbone = dict(type='TimmBackbone', model_name='resnet10t', avg_down=False)
    config.model.neck = dict(type='SeparableFPN', in_channels=(64, 128, 256, 512), out_channels=16)
    uncertainty = config.model.head.refinement.pop('uncertainty')
    config.dump(folder / 'config.py')
    config.model.head.refinement.uncertainty = uncertainty
    torch.manual_seed(0)
    weights = _awake(config).half().state_dict()
    for name, value in toys.scramble(PoseScore(16, 8), 1).half().state_dict().items():
        weights[f'head.refinement.score.{name}'] = value
    torch.save(dict(state_dict=weights, meta={}), folder / 'weights.pth')


def run_tool(name, *arguments):
    """Run a tool in this process and return what it prints."""
    said = io.StringIO()
    with (
        mock.patch.object(sys, 'argv', [name, *map(str, arguments)]),
        contextlib.redirect_stdout(said),
    ):
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    return said.getvalue()


def people(sample):
    """Keypoints, their scores, the people's scores; best first."""
    found = sample.pred_instances
    order = np.argsort(-found.bbox_scores, kind='stable')
    return found.keypoints[order], found.keypoint_scores[order], found.bbox_scores[order]


def assert_same_people(found, wanted, atol=1e-2):
    assert len(found[0]) == len(wanted[0])
    if len(wanted[0]):
        order = toys.pair_up(found[0], wanted[0])
        np.testing.assert_allclose(found[0][order], wanted[0], atol=atol)
        for values, expected in zip(found[1:], wanted[1:]):
            np.testing.assert_allclose(values[order], expected, atol=1e-4)
