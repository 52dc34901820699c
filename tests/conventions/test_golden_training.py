"""The release convention in training against arrays that the authors' code computed."""

from functools import lru_cache

from pinet_mm.checkpoints.names import release_to_ours
from pinet_mm.models.losses import targets_of_maps

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

from tests.helpers.release import (
    ATOL,
    Recorder,
    close,
    load,
    make_codec,
    release_model,
    training_samples,
)


def stacked(samples, name):
    return torch.stack([getattr(sample.gt_fields, name) for sample in samples])


def test_training_targets(folder, dataset):
    arrays = load(folder, 'network', dataset)
    samples = training_samples(arrays, KEYPOINT_CODECS.build(make_codec(dataset, (128, 128))))
    heatmaps, weights = stacked(samples, 'heatmaps'), stacked(samples, 'heatmap_weights')
    weights = weights * stacked(samples, 'heatmap_mask')
    k = heatmaps.shape[1] - 3
    for name, found in dict(
        train_heatmap=heatmaps[:, :k],
        train_detkpt_map=heatmaps[:, k:],
        train_kpt_mask=weights[:, :k],
        train_detkpt_mask=weights[:, k:],
        train_offset=stacked(samples, 'offsets'),
        train_weight=stacked(samples, 'offset_weights'),
    ).items():
        close(found, arrays[name], name, ATOL['targets'])


@pytest.mark.parametrize('prefix', ['train', 'propB', 'propC'])
def test_training_samples(folder, dataset, prefix):
    arrays = load(folder, 'network', dataset)
    model = release_model(folder, dataset)
    codec, layout = model.head.codec, model.head.layout
    samples = training_samples(arrays, codec)
    nobody = PoseDataSample()
    nobody.gt_fields = PixelData(
        **codec.encode(np.zeros((0, layout.num_keypoints, 2)), area=np.zeros(0))
    ).to_tensor()
    samples = dict(train=samples, propB=[samples[0], nobody], propC=samples[:1])[prefix]
    targets = targets_of_maps(
        *(stacked(samples, name) for name in ('offsets', 'offset_weights', 'areas'))
    )
    heatmaps = stacked(samples, 'heatmaps')[:, layout.num_keypoints :]
    rank = heatmaps * stacked(samples, 'offset_weights').unflatten(1, (3, -1)).amax(dim=2)
    centers = model.head.sampler.sample(heatmaps, targets)
    for part in range(3):
        wanted = arrays[f'{prefix}_gt_inds{part}']
        for i in range(len(samples)):
            xy_hm = centers.xy_hm[i].unflatten(0, (3, -1))[part]
            valid = centers.valid[i].unflatten(0, (3, -1))[part]
            found = (xy_hm @ torch.tensor([1, 32]))[valid].numpy()
            # What is picked of pixels without rank depends on the machine.
            use = rank[i, part].flatten()[wanted[i]].numpy() > 0
            assert len(found) == len(wanted[i]) and np.array_equal(found[use], wanted[i][use])
            assert prefix != 'train' or use.all()


@lru_cache(maxsize=2)
def training_step(folder, dataset):
    """One forward and backward pass: the model, what passed through its head, and its losses."""
    arrays = load(folder, 'network', dataset)
    model = release_model(folder, dataset).train()
    record, head_forward = Recorder(model.head), model.head.forward

    def forward(feats):
        record.maps = head_forward(feats)
        return record.maps

    model.head.forward = forward
    # Sparse, as the configs train; what whole maps hold is compared above.
    codec = KEYPOINT_CODECS.build(make_codec(dataset, (128, 128), sparse_offsets=True))
    losses = model.loss(torch.from_numpy(arrays['train_images']), training_samples(arrays, codec))
    parameters = dict(model.named_parameters())
    refine = torch.autograd.grad(
        losses['loss_refine'], list(parameters.values()), retain_graph=True, allow_unused=True
    )
    sum(losses.values()).backward()
    return model, record, losses, dict(zip(parameters, refine))


def test_training_forward(folder, dataset):
    arrays = load(folder, 'network', dataset)
    model, record, _, _ = training_step(folder, dataset)
    heatmaps, offsets = record.maps
    k = model.head.layout.num_keypoints
    close(heatmaps[:, :k], arrays['train_pred_heatmap'], 'train_pred_heatmap', ATOL['score_maps'])
    close(
        heatmaps[:, k:], arrays['train_pred_detkptmap'], 'train_pred_detkptmap', ATOL['score_maps']
    )
    close(
        offsets[:, :, ::2, ::2],
        arrays['train_pred_offset_sub'],
        'train_pred_offset_sub',
        ATOL['offsets'],
    )
    (_, poses_hm, centers_hm, valid), refining = record.refinement
    use = valid[0]  # alike in both images
    assert np.array_equal(centers_hm[:, use].flip(-1), arrays['train_proposal_center_yx'])
    close(
        poses_hm[:, use], arrays['train_proposal_coords'], 'train_proposal_coords', ATOL['offsets']
    )
    refined = (centers_hm[:, :, None] - poses_hm + refining)[:, use].flatten(2)
    close(refined, arrays['train_refine_offsets'], 'train_refine_offsets', 2 * ATOL['offsets'])
    for name, wanted in (
        (name, value)
        for name, value in arrays.items()
        if name.startswith('after_train/') and 'tracked' not in name
    ):
        (ours,) = release_to_ours({name.removeprefix('after_train/'): torch.zeros(1)})
        close(model.state_dict()[ours], wanted, name, 1e-5, rtol=1e-5)


def test_losses(folder, dataset):
    arrays = load(folder, 'network', dataset)
    losses = {
        name: float(value.detach()) for name, value in training_step(folder, dataset)[2].items()
    }
    for weight, name in zip(arrays['loss_weights'], ('heatmap', 'offset', 'refine')):
        wanted = weight * arrays[f'loss_{name}_raw']
        assert losses[f'loss_{name}'] == pytest.approx(wanted, rel=1e-5)
    assert sum(losses.values()) == pytest.approx(float(arrays['loss_total']), rel=1e-5)


def test_gradient_norms(folder, dataset):
    """Most parameters agree within 1e-3, the branches, which no ReLU follows, within 1e-4.

    Where a ReLU's input is a rounding error away from 0, another processor, or float64, switches
    it, and the small gradients before it change by some percent, which the worst may.
    test_gradients.py compares every parameter in double precision.
    """
    arrays = load(folder, 'network', dataset)
    model, _, _, refine = training_step(folder, dataset)
    total = {name: parameter.grad for name, parameter in model.named_parameters()}
    names = arrays['grad_names'].tolist()
    ours = list(release_to_ours({name: torch.zeros(1) for name in names}))
    assert sorted(ours) == sorted(total)
    use = [not is_before_norm(name) for name in names]
    for gradients, wanted, weight, usual in (
        (total, arrays['grad_l2'], 1, 1e-3),
        (refine, arrays['gradrefine_l2'], 0.03, 4e-3),
    ):
        norms = np.array(
            [
                0 if gradients[name] is None else float(gradients[name].double().norm()) / weight
                for name in ours
            ]
        )
        assert ((norms == 0) == (wanted == 0)).all()
        error = np.abs(norms - wanted)[use] / np.maximum(wanted[use], 1e-300)
        assert np.median(error) < usual and error.max() < 0.15
        branches = [e for e, name in zip(error, np.array(ours)[use]) if '_branch.' in name]
        assert len(branches) == 6 and max(branches) < 1e-4


def is_before_norm(name):
    """Return whether a batch norm removes this bias: its gradient is a rounding error."""
    return name == 'pr.gconv_pred.0.bias' or (
        name.startswith('pr.') and name.endswith('.conv.bias')
    )
