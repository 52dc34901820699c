"""Heads whose maps are ideal, features that give them, and what is decoded from them."""

import torch

from tests.helpers.toys import (
    answer_with,
    build_head,
    make_sample,
    people,
    target_maps,
)


def ideal_head(layout='three', counts=(4,), **options):
    """A head that answers with the targets of some people, their samples and keypoints."""
    head = build_head(layout, **options)
    codec = head.codec
    keypoints = [
        people(n, head.layout.num_keypoints, codec.input_size, i) for i, n in enumerate(counts)
    ]
    samples = [make_sample(codec, points) for points in keypoints]
    return answer_with(head, *target_maps(samples)), samples, keypoints


def features_for(head, images=1):
    w, h = head.codec.heatmap_size
    return [torch.zeros(images, head.score_branch.in_channels, h, w)]


def decode(head, samples, views=1, **test_cfg):
    head.eval()
    test_cfg.setdefault('use_refinement', False)
    with torch.no_grad():
        return head.predict(features_for(head, views * len(samples)), samples, test_cfg)
