"""Merged datasets: what a source does not label teaches nothing, from the flip to the gradient.

Keypoints are the toys' five, head, left_hand, right_hand, left_foot, right_foot (0 … 4); the parts
of layout 'three' are head (0), hands (1, 2) and feet (3, 4), so that channels of heatmaps are
0 … 4 for keypoints and 5, 6, 7 for parts.
"""

from pinet_mm import RandomInputFlip

import numpy as np
import pytest
import torch
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.datasets.transforms.common_transforms import GenerateTarget

from tests.helpers.merged import channels_on, labels
from tests.helpers.toys import build_codec, build_head, codec_config

VARIANTS = dict(whole=dict(), sparse=dict(sparse_offsets=True), release=dict(convention='release'))
every_variant = pytest.mark.parametrize('options', VARIANTS.values(), ids=VARIANTS)


# Two people, all keypoints annotated, in input pixels of stride 4.
POINTS = np.array(
    [
        [[64, 16], [40, 40], [80, 40], [48, 96], [72, 96]],
        [[20, 24], [8, 44], [36, 40], [16, 80], [32, 84]],
    ],
    dtype=np.float32,
)
AREA = np.array([900.0, 400.0])


def assert_identical(found, wanted):
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@every_variant
@pytest.mark.parametrize(
    'labeled, wanted',
    [
        (labels(0, 1), [0, 1, 5, 6]),  # one hand of two: the part of the hands is taught
        (labels(1, 2, 3, 4), [1, 2, 3, 4, 6, 7]),
        (labels(4), [4, 7]),
        (labels(), []),
    ],
)
def test_unlabeled_channels_weigh_nothing(options, labeled, wanted):
    encoded = build_codec(**options).encode(POINTS, np.ones((2, 5)), AREA, labeled)
    assert channels_on(encoded) == wanted


@every_variant
def test_other_channels_are_those_of_the_same_people_without_these_keypoints(options):
    codec, labeled = build_codec(**options), labels(0, 1)
    found = codec.encode(POINTS, np.ones((2, 5)), AREA, labeled)
    wanted = codec.encode(POINTS, np.tile(labeled, (2, 1)), AREA)
    wanted['heatmap_weights'][[2, 3, 4, 7]] = 0
    assert_identical(found, wanted)


@every_variant
def test_nothing_declared_is_all_labeled(options):
    codec = build_codec(**options)
    plain = codec.encode(POINTS, np.ones((2, 5)), AREA)
    assert channels_on(plain) == list(range(8))
    assert_identical(codec.encode(POINTS, np.ones((2, 5)), AREA, labels(0, 1, 2, 3, 4)), plain)
    assert_identical(codec.encode(POINTS, np.ones((2, 5)), AREA, None, np.ones((2, 5))), plain)


@every_variant
def test_nobody_in_the_image_still_teaches_the_labeled_background(options):
    nobody = np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0)
    encoded = build_codec(**options).encode(*nobody, labels(0, 3, 4))
    assert channels_on(encoded) == [0, 3, 4, 5, 7]
    # 0.1 is the codec's weight of the background
    np.testing.assert_array_equal(encoded['heatmap_weights'][[0, 3, 4, 5, 7]], np.float32(0.1))


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_the_center_of_a_partly_labeled_part_is_the_mean_of_what_is_labeled(options):
    # Head (64, 16) and left foot (48, 96), at weight zero the other three: mean (56, 56).
    codec = build_codec('one', **options)
    encoded = codec.encode(POINTS[:1], np.ones((1, 5)), AREA[:1], labels(0, 3))
    assert channels_on(encoded) == [0, 3, 5]
    part = encoded['heatmaps'][5]
    assert np.unravel_index(part.argmax(), part.shape) == (14, 14) and part.max() == 1
    weights = encoded['offset_weights'].reshape(5, 2, 32, 32)[:, :, 14, 14]
    np.testing.assert_array_equal(weights > 0, np.repeat([[1], [0], [0], [1], [0]], 2, axis=1))
    offsets = encoded['offsets'].reshape(5, 2, 32, 32)[[0, 3], :, 14, 14]
    np.testing.assert_allclose(offsets, [[-2, 10], [2, -10]])


def test_weights_of_a_keypoint_converter_say_the_same():
    codec = build_codec()
    weights = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]])
    encoded = codec.encode(POINTS, np.ones((2, 5)), AREA, None, weights)
    assert channels_on(encoded) == [0, 3, 4, 5, 7]
    encoded = codec.encode(POINTS, np.ones((2, 5)), AREA, labels(1), weights)
    assert channels_on(encoded) == [1, 6]
    nobody = np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0)
    assert channels_on(codec.encode(*nobody, None, np.zeros((0, 5)))) == list(range(8))


@pytest.mark.parametrize('labeled', [np.ones(4, bool), np.ones((2, 5), bool)])
def test_labels_of_another_length_are_refused(labeled):
    with pytest.raises(ValueError, match=r'labeled_keypoints must have the shape \(5,\)'):
        build_codec().encode(POINTS, np.ones((2, 5)), AREA, labeled)


# --- loss ----------------------------------------------------------------------------------------


def make_sample(options, labeled):
    results = dict(
        keypoints=POINTS,
        keypoints_visible=np.ones((2, 5)),
        area=AREA,
        heatmap_mask=np.ones((1, 32, 32), dtype=bool),
        input_size=(128, 128),
        input_center=np.array([64, 64]),
        input_scale=np.array([128, 128]),
        labeled_keypoints=labeled,
        img=np.zeros((128, 128, 3), dtype=np.uint8),
    )
    results = GenerateTarget(codec_config(**options))(results)
    return PackPoseInputs()(results)['data_samples']


def branch_gradients(options, labeled):
    """Largest gradient into each channel of the two heatmap branches, weights and biases."""
    head = build_head(layers=0)
    features = torch.randn(len(labeled), 12, 32, 32, generator=torch.Generator().manual_seed(0))
    loss = head.loss([features], [make_sample(options, each) for each in labeled])['loss_heatmap']
    loss.backward()
    branches = head.score_branch, head.part_branch
    gradients = [
        torch.cat((branch.weight.grad.flatten(1), branch.bias.grad[:, None]), dim=1)
        for branch in branches
    ]
    return torch.cat(gradients).abs().amax(dim=1)


@every_variant
def test_no_gradient_reaches_unlabeled_channels(options):
    found = branch_gradients(options, [labels(0, 1)])
    assert (found[[2, 3, 4, 7]] == 0).all() and (found[[0, 1, 5, 6]] > 1e-6).all()
    assert (branch_gradients(options, [None]) > 1e-6).all()


def test_another_image_of_the_batch_teaches_what_it_labels():
    found = branch_gradients(dict(), [labels(0, 1), labels(3, 4)])
    assert (found[2] == 0) and (found[[0, 1, 3, 4, 5, 6, 7]] > 1e-6).all()


def test_the_mean_stays_over_everything():
    # 8 channels of 32×32 pixels, of which 4 count; the prediction is 0, the target `heatmaps`.
    sample = make_sample(dict(), labels(0, 1))
    head = build_head(layers=0)
    for branch in (head.score_branch, head.part_branch):
        torch.nn.init.zeros_(branch.weight)
        torch.nn.init.zeros_(branch.bias)
    loss = head.loss([torch.zeros(1, 12, 32, 32)], [sample])['loss_heatmap']
    fields = sample.gt_fields
    on = [0, 1, 5, 6]
    total = (fields.heatmaps[on] ** 2 * fields.heatmap_weights[on]).sum()
    assert loss.item() == pytest.approx(total.item() / (8 * 32 * 32), rel=1e-5)


# --- flip ----------------------------------------------------------------------------------------


def flip(direction='horizontal', prob=1.0, **more):
    return RandomInputFlip(prob=prob, direction=direction)(
        dict(
            img=np.zeros((32, 96, 3), np.uint8),
            img_shape=(32, 96),
            input_size=(96, 32),
            keypoints=np.zeros((1, 5, 2)),
            keypoints_visible=np.ones((1, 5)),
            flip_indices=[0, 2, 1, 4, 3],
            **more,
        )
    )


def test_flip_swaps_left_and_right():
    # head, left_hand and left_foot become head, right_hand and right_foot.
    before = labels(0, 1, 3)
    found = flip(labeled_keypoints=before, keypoints_visible_weights=np.array([[1, 1, 0, 0, 0]]))
    assert found['labeled_keypoints'].tolist() == [True, False, True, False, True]
    assert found['keypoints_visible_weights'].tolist() == [[1, 0, 1, 0, 0]]
    assert before.tolist() == [True, True, False, True, False], 'the loaded array is another'
    assert (
        flip('vertical', labeled_keypoints=before)['labeled_keypoints'].tolist()
        == found['labeled_keypoints'].tolist()
    )


@pytest.mark.parametrize('options', [dict(prob=0.0), dict(direction='diagonal')])
def test_without_a_swap_of_keypoints_labels_stay(options):
    found = flip(**options, labeled_keypoints=labels(0, 1, 3))
    assert found['labeled_keypoints'].tolist() == [True, True, False, True, False]


def test_flip_without_labels_adds_none():
    assert 'labeled_keypoints' not in flip()
    assert flip(labeled_keypoints=None)['labeled_keypoints'] is None
