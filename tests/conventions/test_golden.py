"""The release convention against arrays that the authors' code computed, see golden/README.md.

Measured against float64, these networks are up to 5e-4 off in features, 1e-4 in score maps and
6e-4 in offsets; two processors that round differently may be twice as far apart.
`_hm` are map pixels.
"""

from pinet_mm.checkpoints.names import ours_to_release
from pinet_mm.method import reading
from pinet_mm.method.refinement import normalized_adjacency
from pinet_mm.method.views import mirror_inputs
from pinet_mm.models.acceleration import accelerate

import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS
from torch._dynamo.utils import counters

from tests.helpers.release import (
    ATOL,
    FOLDERS,
    STRIDE,
    Recorder,
    close,
    image_sample,
    load,
    make_codec,
    release_model,
)

# --- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize('case', range(16))
def test_targets(folder, dataset, case):
    arrays = load(folder, 'targets', dataset)
    size, wanted = (
        int(arrays['size'][case]),
        {name[4:]: value for name, value in arrays.items() if name.startswith(f'c{case:02d}_')},
    )
    codec = KEYPOINT_CODECS.build(make_codec(dataset, (STRIDE * size, STRIDE * size)))
    joints = wanted['joints']
    maps = codec.encode(joints[..., :2] * STRIDE, joints[..., 2], wanted['area'][:, 0])
    k = joints.shape[1]
    for name, found in dict(
        heatmap=maps['heatmaps'][:k],
        detkpt_map=maps['heatmaps'][k:],
        kpt_ignored=maps['heatmap_weights'][:k],
        detkpt_ignored=maps['heatmap_weights'][k:],
        kpt_mask=maps['heatmap_weights'][:k] * wanted['image_mask'],
        detkpt_mask=maps['heatmap_weights'][k:] * wanted['image_mask'],
        offset=maps['offsets'],
        weight=maps['offset_weights'],
    ).items():
        assert found.dtype == np.float32
        close(found, wanted[name], name, ATOL['targets'])


@pytest.mark.parametrize('convention, differ', [('paper', True), ('release', False)])
def test_the_switch_changes_every_kind_of_target(dataset, convention, differ):
    arrays = load(FOLDERS['compact'], 'targets', dataset)
    case = f'c{arrays["names"].tolist().index("three_persons"):02d}_'
    size = STRIDE * arrays[f'{case}weight'].shape[-1]
    codec = KEYPOINT_CODECS.build(dict(make_codec(dataset, (size, size)), convention=convention))
    joints = arrays[f'{case}joints']
    maps = codec.encode(joints[..., :2] * STRIDE, joints[..., 2], arrays[f'{case}area'][:, 0])
    for name, found in (
        ('detkpt_map', maps['heatmaps'][joints.shape[1] :]),
        ('offset', maps['offsets']),
        ('weight', maps['offset_weights']),
    ):
        assert np.abs(found - arrays[case + name]).max() > (0.01 if differ else -1)
        assert np.allclose(found, arrays[case + name], atol=ATOL['targets']) == (not differ)


# --- parameters and test-time maps ---------------------------------------------------------------


def test_key_table(folder, dataset):
    arrays = load(folder, 'network', dataset)
    model = release_model(folder, dataset)  # loads strictly
    back = ours_to_release(model.state_dict())
    assert [f'sd/{name}' for name in back if f'sd/{name}' not in arrays] == []
    for name, value in arrays.items():
        if name.startswith('sd/'):
            assert np.array_equal(back[name[3:]].numpy(), value)
            assert back[name[3:]].shape == value.shape


def test_initial_adjacency(folder, dataset):
    arrays = load(folder, 'network', dataset)
    layout = KEYPOINT_CODECS.build(make_codec(dataset, (128, 128))).layout
    found = normalized_adjacency(layout.num_keypoints, layout.skeleton)
    close(found, arrays['adj_init'], 'adj_init', 1e-7)


@torch.no_grad()
def test_eval_maps_and_refinement(folder, dataset):
    arrays = load(folder, 'network', dataset)
    model = release_model(folder, dataset)
    (features,) = model.extract_feat(torch.from_numpy(arrays['image']))
    assert features.shape == tuple(arrays['eval_feat_shape'])
    heatmaps, offsets = model.head([features])
    k = model.head.layout.num_keypoints
    close(features[:, ::2, ::2, ::2], arrays['eval_feat_sub'], 'eval_feat_sub', ATOL['features'])
    close(features.mean(dim=(0, 2, 3)), arrays['eval_feat_mean_c'], '', ATOL['features'])
    close(heatmaps[:, :k], arrays['eval_heatmap'], 'eval_heatmap', ATOL['score_maps'])
    close(heatmaps[:, k:], arrays['eval_detkptmap'], 'eval_detkptmap', ATOL['score_maps'])
    close(offsets[:, :, ::2, ::3], arrays['eval_offset_sub'], 'eval_offset_sub', ATOL['offsets'])

    poses_hm = torch.from_numpy(arrays['pr_coords'])
    centers_hm = torch.from_numpy(arrays['pr_center_ind_yx']).flip(-1)
    refinement = model.head.refinement
    nodes = refinement.sample_features(features, poses_hm)
    close(nodes[:, :2], arrays['pr_feat_joints'], 'pr_feat_joints', ATOL['features'])
    center = reading.sample_pixels(features, centers_hm)
    close(center, arrays['pr_feat_center'], 'pr_feat_center', ATOL['features'])
    refining = refinement(features, poses_hm, centers_hm).flatten(2)
    close(refining, arrays['pr_refine_offset'], 'pr_refine_offset', ATOL['offsets'])


def pair_poses(poses_hm, wanted):
    """Compare two sets of poses (N, K, 2), and return which of the second each of the first is."""
    assert poses_hm.shape == wanted.shape
    distance = np.abs(poses_hm[:, None] - wanted).max(axis=(2, 3))
    pairs = distance.argmin(axis=1)
    assert sorted(pairs) == list(range(len(wanted)))
    assert distance.min(axis=1).max() < 1e-2
    return pairs


@torch.no_grad()
def test_whole_network(folder, dataset):
    arrays = load(folder, 'network', dataset)
    model = release_model(folder, dataset, dict(flip_test=True, output_heatmaps=True))
    record = Recorder(model.head)
    image = torch.from_numpy(arrays['image'])
    sample = image_sample(np.array(image.shape[2:]) // STRIDE)
    fields = model.predict(image, [sample])[0].pred_fields
    k = model.head.layout.num_keypoints
    close(fields.heatmaps[None, :k], arrays['fwd_heatmaps'], 'fwd_heatmaps', ATOL['score_maps'])
    mirrored = model.head(model.extract_feat(mirror_inputs(image, STRIDE)))[0][:, k:]
    close(mirrored, arrays['fwd_flip_detkptmap'], 'fwd_flip_detkptmap', ATOL['score_maps'])

    valid = record.centers.valid[0]
    poses_hm = (record.fusion_inputs[0][0, valid] / STRIDE).numpy()
    pairs = pair_poses(poses_hm, arrays['fwd_poses'])
    close(
        record.centers.scores[0, valid],
        arrays['fwd_scores'][pairs],
        'fwd_scores',
        ATOL['score_maps'],
    )


@pytest.mark.parametrize('backend', ['eager', pytest.param('inductor', marks=pytest.mark.slow)])
def test_whole_network_compiled(folder, dataset, backend, monkeypatch):
    torch._dynamo.reset()
    counters.clear()
    arrays, compile = load(folder, 'network', dataset), torch.compile
    monkeypatch.setattr(
        torch,
        'compile',
        lambda module, **options: compile(module, **options, fullgraph=True, backend=backend),
    )
    # Nothing is above an OKS of 1: every proposal comes out as it is.
    model = accelerate(
        release_model(folder, dataset, dict(flip_test=True, output_heatmaps=True, oks_thr=1.0)),
        compile=True,
    )
    image = torch.from_numpy(arrays['image'])
    found = model.predict(image, [image_sample(np.array(image.shape[2:]) // STRIDE)])[0]
    k = model.head.layout.num_keypoints
    close(
        found.pred_fields.heatmaps[None, :k],
        arrays['fwd_heatmaps'],
        'fwd_heatmaps',
        ATOL['score_maps'],
    )
    pair_poses(found.pred_instances.keypoints / STRIDE, arrays['fwd_poses'])
    assert counters['stats']['unique_graphs'] == 1
