"""Decoding, fusion and mirroring of the release against arrays that the authors' code computed."""

from pinet_mm.conventions.transforms import WholeCentreResize
from pinet_mm.method import proposals
from pinet_mm.method.fusion import fuse_poses, match_poses, order_by_keypoints, pairwise_oks
from pinet_mm.method.views import mirror_points

import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS

from tests.helpers import golden_arrays
from tests.helpers.golden_arrays import thin
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
from tests.helpers.toys import answer_with

# --- decoding ------------------------------------------------------------------------------------


def decode(arrays, case, view, model, monkeypatch):
    """Let a head decode golden's raw maps: its record and the poses in image pixels."""
    wanted = {
        name.removeprefix(f'c{case}_'): value
        for name, value in arrays.items()
        if name.startswith(f'c{case}_')
    }
    wanted.update({name.removeprefix(f'{view}_'): value for name, value in wanted.items()})
    large, larger = wanted['pool_thresholds']
    monkeypatch.setattr(
        proposals,
        'pool_kernel',
        lambda h, w: 7 if (h + w) / 2 > large else 5 if (h + w) / 2 > larger else 3,
    )
    test_cfg = dict(
        flip_test=view == 'flip',
        use_refinement=bool(wanted['refine']),
        max_per_part=int(arrays['max_proposals_per_part']),
        part_thr=float(arrays['keypoint_thr']),
        oks_thr=float(arrays['oks_thr']),
    )
    views = 2 if view == 'flip' else 1
    heatmaps = np.concatenate((wanted['raw_heatmaps'], wanted['raw_detkptmaps']), axis=1)[:views]
    answer_with(
        model.head, torch.from_numpy(heatmaps), torch.from_numpy(wanted['raw_offsets'][:views])
    )
    features = torch.from_numpy(
        wanted['raw_features'][:views]
        if wanted['refine']
        else np.zeros((views, 60, *heatmaps.shape[2:]), np.float32)
    )
    scale = wanted['scale'] * 200 if 'scale' in wanted else None
    sample = image_sample(heatmaps.shape[2:], wanted.get('center'), scale)
    record = Recorder(model.head)
    instances = model.head.predict([features], [sample], test_cfg)
    model.add_pred_to_datasample(instances, None, [sample])
    return wanted, record, sample.pred_instances


@pytest.mark.parametrize('view', ['flip', 'noflip'])
@pytest.mark.parametrize('case', range(8))
@torch.no_grad()
def test_decoding(folder, dataset, case, view, monkeypatch):
    arrays = load(folder, 'decode', dataset)
    if f'c{case}_raw_heatmaps' not in arrays:
        assert case not in golden_arrays.DECODE_CASES[dataset]
        pytest.skip('not in the compact copy')
    wanted, record, persons = decode(
        arrays, case, view, release_model(folder, dataset), monkeypatch
    )
    valid = record.centers.valid[0]
    close(record.centers.scores[0, valid], wanted['scores'], 'scores', ATOL['scores'])
    if not len(wanted['scores']):
        assert len(persons.keypoints) == 0
        return
    poses, scores, _, _, *_ = record.fusion_inputs
    scale = wanted['scale'] * 200 / (np.array(wanted['raw_heatmaps'].shape[:1:-1]) * STRIDE)
    poses_hm = poses[0, valid].numpy() / scale / STRIDE
    close(poses_hm, wanted['poses'], 'poses', ATOL['pixels'])
    close(scores[0, valid], wanted['adj_poses'][..., 2], 'joint scores', ATOL['scores'])
    close(scores[0, valid].mean(dim=-1), wanted['adj_scores'], 'adj_scores', ATOL['scores'])
    # The people, in the order in which fusion met them.
    assert len(persons.keypoints) == len(wanted['keep'])
    close(persons.keypoints, wanted['fused_poses'][..., :2], 'fused poses', ATOL['pixels'])
    close(persons.keypoint_scores, wanted['fused_poses'][..., 2], 'fused', ATOL['scores'])
    close(persons.bbox_scores, wanted['fused_scores'], 'fused_scores', ATOL['scores'])


def fusion_vectors(arrays):
    """Yield the stand-alone vectors and the poses of every decoding case, by prefix."""
    for name in arrays:
        if name.endswith('_keep'):
            prefix = name.removesuffix('keep')
            poses = arrays.get(f'{prefix}final_poses', arrays.get(f'{prefix}poses'))
            scores = arrays.get(f'{prefix}adj_scores', arrays.get(f'{prefix}scores'))
            yield prefix, torch.from_numpy(poses), torch.from_numpy(scores)


def test_kept_poses_groups_and_fused_keypoints(folder, dataset):
    arrays = load(folder, 'decode', dataset)
    layout = KEYPOINT_CODECS.build(make_codec(dataset, (128, 128))).layout
    sigmas = torch.tensor(layout.sigmas)
    close(sigmas, arrays['oks_sigmas'], 'oks_sigmas', 1e-7)
    assert list(layout.flip_indices) == arrays['flip_index'].tolist()
    seen = 0
    for prefix, poses, scores in fusion_vectors(arrays):
        everyone = torch.ones(len(poses), dtype=torch.bool)
        order = order_by_keypoints(poses[..., 2], everyone)
        close(poses[..., 2].mean(dim=-1), scores.numpy(), '', ATOL['scores'])
        owner = match_poses(
            pairwise_oks(poses[order, :, :2], sigmas), everyone, float(arrays['oks_thr'])
        )
        keep = [i for i in range(len(order)) if owner[i] == i]
        assert order[keep].tolist() == arrays[f'{prefix}keep'].tolist()
        groups = [order[(owner == i) & (torch.arange(len(order)) != i)].tolist() for i in keep]
        assert [len(group) for group in groups] == arrays[f'{prefix}keep_ind_len'].tolist()
        assert sum(groups, []) == arrays[f'{prefix}keep_ind_flat'].tolist()
        fused = fuse_poses(poses[..., :2], poses[..., 2], sigmas, oks_thr=float(arrays['oks_thr']))
        found = torch.cat((fused.keypoints, fused.keypoint_scores[..., None]), dim=-1)[fused.kept]
        assert np.array_equal(found.numpy(), arrays[f'{prefix}fused_poses'])
        close(fused.scores[fused.kept], arrays[f'{prefix}fused_scores'], '', ATOL['scores'])
        seen += 1
    assert seen >= 4 + 2 * (len(golden_arrays.DECODE_CASES[dataset]) - 1)  # one finds nobody


# --- geometry ------------------------------------------------------------------------------------


def test_mirrored_joints(dataset):
    with np.load(FOLDERS['compact'] / 'geometry.npz') as arrays:
        joints, wanted, index = (
            arrays[f'flip_{dataset}_{name}'] for name in ('in', 'out', 'index')
        )
    layout = KEYPOINT_CODECS.build(make_codec(dataset, (512, 512))).layout
    assert list(layout.flip_indices) == index.tolist()
    found = mirror_points(torch.from_numpy(joints[..., :2]), 128)[:, list(layout.flip_indices)]
    close(found, wanted[..., :2], 'flip', 1e-12)


def resized(img, size):
    return WholeCentreResize((size, size)).transform(dict(img=img, img_shape=img.shape[:2]))


def test_resizing():
    with np.load(FOLDERS['compact'] / 'geometry.npz') as arrays:
        arrays = dict(arrays)
    odd = 0
    for i, (h, w, size) in enumerate(arrays['resize_hw_size']):
        results = resized(np.zeros((h, w, 3), np.uint8), size)
        assert results['input_size'] == tuple(arrays['resize_out_wh'][i])
        assert results['img'].shape[1::-1] == results['input_size']
        close(results['input_center'], arrays['resize_center'][i], 'center', 0)
        close(results['input_scale'], arrays['resize_scale'][i] * 200, 'scale', 1e-9)
        odd += h % 2 or w % 2
    assert odd > 10
    for i in range(2):
        results = resized(arrays[f'img{i}_in'], 64)
        np.testing.assert_array_equal(results['img'], arrays[f'img{i}_out'])
        points_img = (
            arrays[f'img{i}_pts'][..., :2] / results['input_size'] * results['input_scale']
            + results['input_center']
            - 0.5 * results['input_scale']
        )
        close(points_img, arrays[f'img{i}_pts_back'][..., :2], 'points', 1e-9)


@pytest.mark.slow
def test_the_copies_are_of_the_same_arrays(dataset):
    if 'full' not in FOLDERS:
        pytest.skip('PINET_TEST_DATA does not name the full arrays')
    for kind in golden_arrays.KINDS:
        full = load(FOLDERS['full'], kind, dataset)
        for name, value in load(FOLDERS['compact'], kind, dataset).items():
            short = name.partition('_')[2] if name.partition('_')[0][1:].isdigit() else name
            assert np.array_equal(thin(short, full[name]), value), name
