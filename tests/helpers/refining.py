"""Heads whose refinement is trained otherwise than in the paper, and a batch to train them on."""

import torch
from mmpose.registry import MODELS

from tests.helpers.toys import build_codec, head_config, make_sample, people, scramble


def build_refining(refinement=None, layout='three', **options):
    """Build a scrambled head with some options of its refinement, and of itself."""
    config = head_config(layout, **options)
    config['refinement'].update(refinement or {})
    return scramble(MODELS.build(config))


def make_batch(counts=(4, 2), layout='three', **options):
    """Features (B, 12, 32, 32) that take gradients, and samples with `counts` people."""
    codec = build_codec(layout)
    k = codec.layout.num_keypoints
    samples = [
        make_sample(codec, people(n, k, codec.input_size, i), **options)
        for i, n in enumerate(counts)
    ]
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(counts), 12, 32, 32, generator=generator)
    return features.requires_grad_(), samples


def assert_all_learn(head, losses):
    """Check that losses are finite and that every parameter gets a finite gradient of them."""
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    wrong = [
        name
        for name, parameter in head.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert wrong == []
