"""PINet as a whole: batches of mixed sizes, mirror images, original pixels, other layouts."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData

from tests.helpers.finding import awake_model, find, load, noise, prepared
from tests.helpers.toys import (
    FIVE_FLIPS,
    LAYOUTS,
    answer_with,
    build_codec,
    build_model,
    make_sample,
    pair_up,
    people,
    plain_sample,
    target_maps,
)

# (h, w) of eight images; their inputs have a short side of 64 and multiples of 32: four sizes.
SHAPES = [(50, 80), (64, 64), (90, 60), (60, 61), (70, 100), (40, 100), (64, 90), (80, 80)]
MILLIPIXEL = 1e-3

# --- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'test_cfg', [dict(), dict(flip_test=True), dict(flip_test=True, scale_factors=[2, 1, 0.7])]
)
def test_eight_images_at_once_are_eight_single_ones(test_cfg):
    model = awake_model(test_cfg=dict(test_cfg, output_heatmaps=True))
    images = [noise(shape, i) for i, shape in enumerate(SHAPES)]
    inputs, samples = prepared(model, images)
    assert len({sample.input_size for sample in samples}) >= 3
    assert len(inputs) == 8 and inputs.shape[-1] > 96
    together = model.test_step(pseudo_collate([load(image) for image in images]))
    for image, sample in zip(images, together):
        (alone,) = model.test_step(pseudo_collate([load(image)]))
        both, one = sample.pred_instances, alone.pred_instances
        assert len(both) == len(one) >= 1
        np.testing.assert_allclose(both.keypoints, one.keypoints, atol=1e-2)
        np.testing.assert_allclose(both.keypoint_scores, one.keypoint_scores, atol=1e-4)
        np.testing.assert_array_equal(both.keypoint_parts, one.keypoint_parts)
        assert tuple(sample.pred_fields.heatmaps.shape[1:]) == tuple(
            side // 4 for side in sample.input_size[::-1]
        )
    assert sum(len(sample.pred_instances) for sample in together) >= 8


def test_predictions_keep_the_order_of_the_samples():
    model = awake_model()
    images = [noise(shape, i) for i, shape in enumerate(SHAPES)]
    backwards = find(model, images[::-1])[::-1]
    for one, other in zip(find(model, images), backwards):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-2)


def test_padding_is_cut_away():
    # What stands in the padding of the smaller image must not reach its prediction.
    model = awake_model()
    inputs, samples = prepared(model, [noise((64, 64)), noise((64, 128))])
    changed = inputs.clone()
    changed[0, :, :, 64:] = 7
    with torch.no_grad():
        first = model.predict(inputs, samples)[0].pred_instances
        second = model.predict(changed, samples)[0].pred_instances
    assert len(first) >= 1
    np.testing.assert_array_equal(first.keypoints, second.keypoints)


def test_same_image_twice_gives_the_loss_of_once():
    model = awake_model()
    codec = build_codec('three', (64, 64))
    sample = make_sample(codec, people(3, 5, (64, 64)))
    inputs, _ = prepared(model, [noise((64, 64))])
    once = model.loss(inputs, [sample])
    twice = model.loss(inputs.repeat(2, 1, 1, 1), [sample, sample])
    assert set(once) == {'loss_heatmap', 'loss_offset', 'loss_refine'}
    for name in once:
        torch.testing.assert_close(once[name], twice[name], rtol=1e-4, atol=1e-7)


def test_training_step_moves_every_parameter():
    model = build_model().train()
    codec = build_codec('three', (64, 64))
    samples = [make_sample(codec, people(n, 5, (64, 64), n)) for n in (2, 4)]
    inputs = torch.randn(2, 3, 64, 64)
    model.parse_losses(model.loss(inputs, samples))[0].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


# --- mirror images -------------------------------------------------------------------------------


def mirror(image):
    """Mirror an image and move it left by 3 px; the freed columns take the mean color."""
    mirrored = np.empty_like(image)
    mirrored[:, :-3] = image[:, ::-1][:, 3:]
    mirrored[:, -3:] = 0
    return mirrored


@pytest.mark.parametrize('layout', ['three', 'six'])
def test_mirrored_image_gives_mirrored_people(layout):
    # Both views of one image are those of the other, once the last 3 columns hold the mean.
    model = awake_model(layout, dict(flip_test=True))
    inputs, _ = prepared(model, [noise((64, 96), 3)])
    inputs[..., -3:] = 0
    moved = torch.zeros_like(inputs)
    for x in range(93):
        moved[..., x] = inputs[..., 92 - x]
    with torch.no_grad():
        (plain,), (mirrored,) = (
            model.predict(views, [plain_sample((96, 64))]) for views in (inputs, moved)
        )
    plain, mirrored = plain.pred_instances, mirrored.pred_instances
    assert len(plain) == len(mirrored) >= 5
    back = mirrored.keypoints[:, FIVE_FLIPS].copy()
    back[..., 0] = 4 * 23 - back[..., 0]
    order = pair_up(back, plain.keypoints)
    np.testing.assert_allclose(back[order], plain.keypoints, atol=1e-2)
    np.testing.assert_allclose(
        mirrored.keypoint_scores[order][:, FIVE_FLIPS], plain.keypoint_scores, atol=1e-4
    )
    # A left part's pose is a right part's there.
    parts = list(model.head.layout.part_flip_indices)
    np.testing.assert_array_equal(
        np.array(parts)[mirrored.keypoint_parts[order][:, FIVE_FLIPS]], plain.keypoint_parts
    )


def test_flip_test_hands_over_the_mirrored_and_moved_input():
    model = awake_model(test_cfg=dict(flip_test=True))
    seen = []
    extract = model.extract_feat
    model.extract_feat = lambda inputs: seen.append(inputs) or extract(inputs)
    inputs, samples = prepared(model, [noise((64, 64), i) for i in range(3)])
    with torch.no_grad():
        model.predict(inputs, samples)
    (views,) = seen  # one pass
    assert views.shape == (6, 3, 64, 64)
    torch.testing.assert_close(views[:3], inputs)
    for x in range(61):
        torch.testing.assert_close(views[3:, :, :, x], inputs[..., 60 - x])
    assert (views[3:, :, :, 61:] == 0).all()


def test_flip_test_without_mirror_parts():
    with pytest.raises(ValueError, match="flip_test needs the mirror image.*'left'.*right_hand"):
        build_model('arm', dict(flip_test=True))
    assert build_model('arm', dict(flip_test=False)).head.layout.num_parts == 2


# --- coordinates ---------------------------------------------------------------------------------


@pytest.mark.parametrize('shape', [(50, 80), (64, 64), (200, 90), (33, 47)])
def test_predictions_are_in_pixels_of_the_original(shape):
    model = awake_model(layers=0)
    h, w = shape
    keypoints_img = people(3, 5, (w, h), extent=h / 5)
    inputs, (sample,) = prepared(model, [noise(shape)])
    # The image is scaled to a short side of 64 and stands in the middle of the input.
    keypoints_in = (keypoints_img - np.array([w, h]) / 2) * 64 / min(w, h) + np.array(
        sample.input_size
    ) / 2
    targets = make_sample(build_codec('three', sample.input_size), keypoints_in)
    answer_with(model.head, *target_maps([targets]))
    with torch.no_grad():
        model.predict(inputs, [sample])
    found = sample.pred_instances
    order = pair_up(found.keypoints, keypoints_img)
    np.testing.assert_allclose(found.keypoints[order], keypoints_img, atol=MILLIPIXEL)
    boxes = np.concatenate((keypoints_img.min(axis=1), keypoints_img.max(axis=1)), axis=-1)
    np.testing.assert_allclose(found.bboxes[order], boxes, atol=MILLIPIXEL)
    np.testing.assert_array_equal(found.keypoints_visible, found.keypoint_scores)


@pytest.mark.parametrize('flip_test', [False, True])
def test_nobody_gives_empty_arrays(flip_test):
    model = awake_model(test_cfg=dict(flip_test=flip_test))
    torch.nn.init.constant_(model.head.part_branch.bias, -10)
    for found in find(model, [noise((64, 64)), noise((64, 90))]):
        assert found.keypoints.shape == (0, 5, 2)
        assert found.keypoint_scores.shape == found.keypoints_visible.shape == (0, 5)
        assert found.bboxes.shape == (0, 4) and found.bbox_scores.shape == (0,)


# --- settings and layouts ------------------------------------------------------------------------


def test_unknown_test_cfg_key_stops_the_construction():
    with pytest.raises(ValueError, match=r"unknown keys \['score_thr'\]; known.*'part_thr'"):
        build_model(test_cfg=dict(score_thr=0.3))


def test_refinement_that_was_not_built_stops_the_construction():
    with pytest.raises(ValueError, match='use_refinement=True.*refinement=None'):
        build_model(test_cfg=dict(use_refinement=True), layers=0)


@pytest.mark.parametrize(
    'layout, flip_test',
    [('one', True), ('six', True), ('arm', False), ('coco', True), ('crowdpose', True)],
)
def test_any_layout_trains_and_finds_people(layout, flip_test):
    model = awake_model(layout, dict(flip_test=flip_test))
    k, m = model.head.layout.num_keypoints, len(LAYOUTS[layout]()['parts'])
    codec = build_codec(layout, (64, 64))
    inputs, _ = prepared(model, [noise((64, 64)), noise((64, 64), 1)])
    samples = [make_sample(codec, people(n, k, (64, 64), n)) for n in (2, 0)]
    losses = model.loss(inputs, samples)
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
    with torch.no_grad():
        found, maps = model.head.predict(
            model.extract_feat(inputs), samples, dict(output_heatmaps=True)
        )
        people_found = model.predict(inputs, samples)
    assert isinstance(maps[0], PixelData) and maps[0].heatmaps.shape == (k + m, 16, 16)
    for sample in people_found:
        assert len(sample.pred_instances) >= 1
        assert sample.pred_instances.keypoints.shape[1:] == (k, 2)
        assert 0 <= sample.pred_instances.keypoint_parts.min()
        assert sample.pred_instances.keypoint_parts.max() < m
