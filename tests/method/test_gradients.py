"""Gradients of a training step against one written here, both in double precision.

The step follows the release's rules with loops over parts, images and keypoints, on the
release's parameter names. In single precision a ReLU whose input is a rounding error away from 0
switches from one processor to the next and takes some percent of a small gradient along; in
double precision nothing of the kind happens, and equal formulas give equal gradients.
"""

from contextlib import contextmanager

from pinet_mm.checkpoints.names import release_to_ours
from pinet_mm.models import head

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.helpers.release import FOLDERS, load, release_model, training_samples

EPS = 1e-5  # of batch norms


def batch_norm(values, weight, bias):
    """Normalize (rows, C) by the mean and the biased variance of the rows."""
    mean = values.mean(dim=0)
    variance = ((values - mean) ** 2).mean(dim=0)
    return (values - mean) / (variance + EPS).sqrt() * weight + bias


def graph_conv(nodes, weights, name):
    """Apply adj @ (x @ weight) + bias, batch norm, ReLU to a list of poses (K, C)."""
    moved = torch.cat(
        [
            weights['pr.adj'] @ (pose @ weights[f'{name}.conv.weight'])
            + weights[f'{name}.conv.bias']
            for pose in nodes
        ]
    )
    moved = batch_norm(moved, weights[f'{name}.bn.weight'], weights[f'{name}.bn.bias'])
    return moved.relu().split(len(nodes[0]))


def read_stretched(features, x, y):
    """Read (C, H, W) at the pixel x·W/(W-1) - 1/2, alike in y, zeros outside."""
    _, h, w = features.shape
    x, y = x * w / (w - 1) - 0.5, y * h / (h - 1) - 0.5
    value = 0
    for column in (int(np.floor(x)), int(np.floor(x)) + 1):
        for row in (int(np.floor(y)), int(np.floor(y)) + 1):
            if 0 <= column < w and 0 <= row < h:
                share = (1 - abs(x - column)) * (1 - abs(y - row))
                value = value + share * features[:, row, column]
    return value


def refine(features, poses, centers, weights, num_layers):
    """Run the release's graph network: (poses, 2K)."""
    nodes = [
        torch.stack(
            [
                torch.as_tensor(
                    read_stretched(maps, float(x), float(y))
                    + torch.zeros(len(maps), dtype=torch.float64)
                )
                for x, y in pose
            ]
        )
        for maps, pose in poses
    ]
    nodes = graph_conv(nodes, weights, 'pr.gconv_head')
    for layer in range(num_layers):
        name = f'pr.gconv_layers.{layer}.gconv'
        branch = graph_conv(graph_conv(nodes, weights, name + '1'), weights, name + '2')
        nodes = [node + more for node, more in zip(nodes, branch)]
    pooled = torch.stack(
        [
            torch.cat((node.mean(dim=0), node.amax(dim=0), features[i][:, y, x]))
            for node, (i, y, x) in zip(nodes, centers)
        ]
    )
    hidden = pooled @ weights['pr.gconv_pred.0.weight'][..., 0].T + weights['pr.gconv_pred.0.bias']
    hidden = batch_norm(
        hidden, weights['pr.gconv_pred.1.weight'], weights['pr.gconv_pred.1.bias']
    ).relu()
    return hidden @ weights['pr.gconv_pred.3.weight'][..., 0].T + weights['pr.gconv_pred.3.bias']


def smooth_l1(found, wanted, weight):
    """Sum smooth L1 (β = 1/9) × weight over the entries with a weight, / their number."""
    distance = (found - wanted).abs()
    loss = torch.where(distance < 1 / 9, 4.5 * distance**2, distance - 1 / 18) * weight
    return loss.sum() / max(int((weight > 0).sum()), 1)


def step_of_the_release(features, targets, picks, weights, num_layers):
    """Compute the weighted sum of the three losses; `picks` are flat pixels per part."""
    maps = {
        name: F.conv2d(
            features, weights[f'ppg.{name}_head.weight'], weights[f'ppg.{name}_head.bias']
        )
        for name in ('heatmap', 'detkptmap', 'offset')
    }
    predicted = torch.cat((maps['heatmap'], maps['detkptmap']), dim=1)
    heat = (
        (predicted - targets['heatmaps']) ** 2
        * targets['heatmap_weights']
        * targets['heatmap_mask']
    ).mean()
    offset = smooth_l1(maps['offset'], targets['offsets'], targets['offset_weights'])

    k, w = maps['heatmap'].shape[1], features.shape[-1]
    poses, centers, read, wanted, weight = [], [], [], [], []
    for i in range(len(features)):
        for part, pixels in enumerate(picks):
            for pixel in pixels[i]:
                y, x = divmod(int(pixel), w)
                at = np.s_[i, part * 2 * k : (part + 1) * 2 * k, y, x]
                guess = maps['offset'][at].detach()
                pixel_xy = torch.tensor([x, y], dtype=torch.float64)
                poses.append((features[i], pixel_xy - guess.view(k, 2)))
                centers.append((i, y, x))
                read.append(guess)
                wanted.append(targets['offsets'][at])
                weight.append(targets['offset_weights'][at])
    refined = refine(features, poses, centers, weights, num_layers) + torch.stack(read)
    return (
        heat + 0.03 * offset + 0.03 * smooth_l1(refined, torch.stack(wanted), torch.stack(weight))
    )


@contextmanager
def as_they_are(features):
    yield features


def in_double(sample):
    # torch 2.4 compares no predictions in double with targets in single precision.
    for name, maps in sample.gt_fields.items():
        setattr(sample.gt_fields, name, maps.double())
    return sample


@pytest.mark.parametrize('dataset', ['coco', 'crowdpose'])
def test_every_gradient_equals_that_of_the_written_out_step(dataset, monkeypatch):
    # The head would compute in single precision.
    monkeypatch.setattr(head, 'full_precision', as_they_are)
    arrays = load(FOLDERS['compact'], 'network', dataset)
    model = release_model(FOLDERS['compact'], dataset).double().train()
    samples = [in_double(each) for each in training_samples(arrays, model.head.codec)]
    targets = {
        name: torch.stack([getattr(sample.gt_fields, name) for sample in samples])
        for name in samples[0].gt_fields.keys()
    }
    images = torch.from_numpy(arrays['train_images']).double()

    losses = model.loss(images, samples)
    sum(losses.values()).backward()
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}

    model.zero_grad()
    weights = {
        name[3:]: torch.from_numpy(value).double().requires_grad_()
        for name, value in arrays.items()
        if name.startswith(('sd/ppg', 'sd/pr')) and value.dtype == np.float32
    }
    picks = [arrays[f'train_gt_inds{part}'] for part in range(3)]
    total = step_of_the_release(
        model.extract_feat(images)[0], targets, picks, weights, int(arrays['num_layers'])
    )
    assert float(total.detach()) == pytest.approx(float(sum(losses.values()).detach()), rel=1e-12)
    total.backward()
    wanted = {
        name: parameter.grad for name, parameter in model.backbone.named_parameters('backbone')
    }
    wanted.update(
        release_to_ours(
            {name: value.grad for name, value in weights.items() if value.grad is not None}
        )
    )
    assert sorted(wanted) == sorted(ours)
    for name, gradient in wanted.items():
        scale = max(float(gradient.norm()), 1e-9)  # a batch norm leaves no gradient to some biases
        assert float((ours[name] - gradient).norm()) < 1e-9 * scale, name
