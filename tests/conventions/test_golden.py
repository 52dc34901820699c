"""The release convention against arrays that the authors' release computed, see golden/README.md.

Measured against float64, these networks are up to 5e-4 off in features, 1e-4 in score maps and
6e-4 in offsets; two processors that round differently may be twice as far apart.
`_hm` are map pixels.
"""

from copy import deepcopy
from functools import lru_cache

from pinet_mm.checkpoints.names import ours_to_release, release_to_ours
from pinet_mm.conventions.transforms import WholeCentreResize
from pinet_mm.method import proposals, reading
from pinet_mm.method.fusion import fuse_poses, match_poses, order_by_keypoints, pairwise_oks
from pinet_mm.method.refinement import normalized_adjacency
from pinet_mm.method.views import mirror_inputs, mirror_points
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.losses import targets_of_maps

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch._dynamo.utils import counters

from tests.helpers import golden_arrays
from tests.helpers.golden_arrays import thin
from tests.helpers.toys import answer_with, build_in_mmpose

ATOL = dict(targets=1e-6, features=1e-3, score_maps=2e-4, offsets=1.2e-3, pixels=1e-3, scores=1e-6)
STRIDE, NO_BODY = 4, 32**2
FOLDERS = golden_arrays.folders()


@pytest.fixture(params=golden_arrays.DATASETS)
def dataset(request):
    return request.param


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name == 'full' else []) for name in FOLDERS
    ]
)
def folder(request):
    return FOLDERS[request.param]


@lru_cache(maxsize=4)
def load(folder, kind, dataset):
    return golden_arrays.load(folder, kind, dataset)


def close(found, wanted, name, atol, rtol=0):
    """Compare with an array of which the compact copy may hold a part."""
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    if found.shape != wanted.shape:
        found = thin(name, found)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=atol, rtol=rtol, err_msg=name)


def make_codec(dataset, size, sparse_offsets=False):
    """Make the codec of a dataset's config for inputs of (w, h), under the release's rules."""
    codec = Config.fromfile(f'configs/pinet_hrnet_{dataset}_release.py').codec
    assert codec.convention == 'release'
    assert codec.get('min_area', 0) == (NO_BODY if dataset == 'coco' else 0)
    codec.update(
        input_size=size,
        heatmap_size=tuple(side // STRIDE for side in size),
        sparse_offsets=sparse_offsets,
    )
    return codec


def release_model(folder, dataset, test_cfg=None):
    """Build the narrow network of the arrays from the dataset's config, with their weights."""
    model = deepcopy(_release_model(folder, dataset))
    model.head.check_settings(test_cfg or {})
    model.test_cfg = test_cfg
    return model


@lru_cache(maxsize=4)
def _release_model(folder, dataset):
    arrays = load(folder, 'network', dataset)
    config = Config.fromfile(f'configs/pinet_hrnet_{dataset}_release.py').model
    widths = arrays['num_channels'].tolist()
    for stage in (2, 3, 4):
        config.backbone.extra[f'stage{stage}'].num_channels = widths[:stage]
    config.backbone.init_cfg = None
    config.head.update(
        in_channels=int(arrays['output_dim']), decoder=make_codec(dataset, (128, 128))
    )
    assert config.head.refinement.num_layers == arrays['num_layers']
    config.test_cfg = None
    model = build_in_mmpose(MODELS, config)
    release = {
        name[3:]: torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith('sd/')
    }
    missing = model.load_state_dict(release_to_ours(release), strict=True)
    assert not missing.missing_keys and not missing.unexpected_keys
    return model.eval()


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


class Recorder:
    """Keep what passes through a head: proposals, inputs and result of fusion, refinement."""

    def __init__(self, head):
        self.centers = self.fusion_inputs = self.fused = self.refinement = self.maps = None
        for name in ('propose', 'sample'):
            setattr(head.sampler, name, self._keep_centers(getattr(head.sampler, name)))
        head.fusion.register_forward_hook(self._keep_fusion)
        if head.refinement is not None:
            head.refinement.register_forward_hook(self._keep_refinement)

    def _keep_centers(self, method):
        def wrapped(*args):
            self.centers = method(*args)
            return self.centers

        return wrapped

    def _keep_fusion(self, module, inputs, result):
        self.fusion_inputs, self.fused = inputs, result

    def _keep_refinement(self, module, inputs, result):
        self.refinement = inputs, result


def picture_sample(map_shape, center=None, scale=None):
    """Metainfo of one picture; by default it is its own network input."""
    size = np.array(map_shape[::-1]) * STRIDE
    sample = PoseDataSample()
    sample.set_metainfo(
        dict(
            input_size=tuple(size.tolist()),
            input_center=size / 2 if center is None else center,
            input_scale=size.astype(float) if scale is None else scale,
        )
    )
    return sample


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
    sample = picture_sample(np.array(image.shape[2:]) // STRIDE)
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


@pytest.mark.parametrize('backend', ['aot_eager', pytest.param('inductor', marks=pytest.mark.slow)])
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
    found = model.predict(image, [picture_sample(np.array(image.shape[2:]) // STRIDE)])[0]
    k = model.head.layout.num_keypoints
    close(
        found.pred_fields.heatmaps[None, :k],
        arrays['fwd_heatmaps'],
        'fwd_heatmaps',
        ATOL['score_maps'],
    )
    pair_poses(found.pred_instances.keypoints / STRIDE, arrays['fwd_poses'])
    assert counters['stats']['unique_graphs'] == 1


# --- training ------------------------------------------------------------------------------------


def training_samples(arrays, codec):
    """Encode the two training pictures."""
    samples = []
    for i in range(2):
        joints = arrays[f'train_joints{i}']
        fields = codec.encode(
            joints[..., :2] * STRIDE, joints[..., 2], arrays[f'train_area{i}'][:, 0]
        )
        mask = np.ones((1, *fields['heatmaps'].shape[1:]), dtype=bool)
        if i == 1:
            mask[:, 0:9, 20:32] = False
        samples.append(PoseDataSample())
        labels = {name: fields.pop(name) for name in codec.label_mapping_table if name in fields}
        samples[-1].gt_fields = PixelData(heatmap_mask=mask, **fields).to_tensor()
        samples[-1].gt_instance_labels = InstanceData(**labels).to_tensor()
    return samples


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
    use = valid[0]  # alike in both pictures
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
    """The usual parameter within 1e-3, the branches, behind which no ReLU stands, within 1e-4.

    Where a ReLU's input is a rounding error away from 0, another processor, or float64, switches
    it, and the small gradients before it move by some percent: so much is left to the worst.
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
    """Tell biases that a batch norm takes away again: their gradients are rounding errors."""
    return name == 'pr.gconv_pred.0.bias' or (
        name.startswith('pr.') and name.endswith('.conv.bias')
    )


# --- decoding ------------------------------------------------------------------------------------


def decode(arrays, case, view, model, monkeypatch):
    """Let a head decode golden's raw maps: its record and the poses in picture pixels."""
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
    sample = picture_sample(heatmaps.shape[2:], wanted.get('center'), scale)
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
    # The persons, in the order in which fusion met them.
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
