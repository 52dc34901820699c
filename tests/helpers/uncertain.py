"""Models whose refinement says how far off its keypoints are, and what they predict."""

import copy

import torch
from mmpose.registry import MODELS

from tests.helpers.toys import awaken, build_in_mmpose, model_config, plain_sample, scramble

INPUT = (128, 64)  # w, h
UNCERTAIN = dict(type='PoseRefinement', num_layers=1, uncertainty=True)


def build_model(layout='three', refinement=UNCERTAIN, **test_cfg):
    """A model, and noise in which it sees people."""
    torch.manual_seed(0)
    test_cfg = dict(dict(max_per_part=6, part_thr=0.1, oks_thr=0.05), **test_cfg)
    config = model_config(layout, test_cfg)
    config['head']['refinement'] = refinement
    model = build_in_mmpose(MODELS, config).eval()
    inputs = torch.randn(2, 3, *INPUT[::-1])
    awaken(model, inputs)
    return model, inputs


def build_uncertain(layout='three', **test_cfg):
    """A model with uncertainty, and noise in which it sees people."""
    model, inputs = build_model(layout, **test_cfg)
    scramble(model.head.refinement.uncertainty, seed=3)
    return model, inputs


@torch.no_grad()
def predict(model, inputs, larger=1, **test_cfg):
    model = copy.copy(model)
    model.test_cfg = dict(model.test_cfg, **test_cfg)
    samples = [plain_sample(INPUT) for _ in inputs]
    for sample in samples:
        scale = larger * sample.input_scale
        sample.set_metainfo(dict(input_scale=scale, input_center=scale / 2))
    return [sample.pred_instances for sample in model.predict(inputs, samples)]
