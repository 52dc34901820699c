"""PINetCodec with other layouts and strides, and what configs can get wrong."""

import warnings

from pinet_mm.errors import InputError
from pinet_mm.models.codec import build_layout

import numpy as np
import pytest

from tests.helpers.codecs import assert_same_maps, make_codec, naive_encode, random_layout
from tests.helpers.maps import MAP_SIZE

# --- other layouts -------------------------------------------------------------------------------


def test_whole_body_of_133_keypoints():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMPose tells that it found its own file
        layout = build_layout(
            dict(metainfo='configs/_base_/datasets/coco_wholebody.py', parts=dict(person='all'))
        )
    codec = make_codec(layout)
    rng = np.random.default_rng(9)
    keypoints, visible = rng.uniform(-10, 110, (2, 133, 2)), rng.integers(0, 2, (2, 133))
    area = np.array([500.0, 400.0])
    assert_same_maps(
        codec.encode(keypoints, visible, area), naive_encode(codec, (keypoints, visible, area))
    )


@pytest.mark.parametrize('num_parts', [1, 6])
def test_other_numbers_of_parts(num_parts):
    codec = make_codec(random_layout(13, num_parts))
    rng = np.random.default_rng(num_parts)
    keypoints, visible = rng.uniform(-10, 110, (3, 13, 2)), rng.integers(0, 2, (3, 13))
    area = np.array([500.0, 400.0, 500.0])
    encoded = codec.encode(keypoints, visible, area)
    assert encoded['offsets'].shape == (num_parts * 26, *MAP_SIZE[::-1])
    assert_same_maps(encoded, naive_encode(codec, (keypoints, visible, area)))


def test_another_stride(toy_layout):
    codec = make_codec(toy_layout, input_size=(52, 42))
    assert codec.stride == 2
    rng = np.random.default_rng(10)
    scene = rng.uniform(0, 45, (2, 5, 2)), np.ones((2, 5)), np.array([70.0, 80.0])
    assert_same_maps(codec.encode(*scene), naive_encode(codec, scene))


def test_layout_from_a_config(toy_metainfo, toy_layout):
    config = dict(
        metainfo=toy_metainfo, parts=dict(feet=[3, 4]), sigmas=[0.1] * 5, skeleton=[(0, 1)]
    )
    layout = build_layout(config)
    assert (layout.parts, layout.skeleton) == (((3, 4),), ((0, 1),))
    assert layout.sigmas == (0.1,) * 5
    assert set(config) == {'metainfo', 'parts', 'sigmas', 'skeleton'}
    assert build_layout(toy_layout) is toy_layout


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(convention='papers'), r"convention must be one of \('paper'.*; found 'papers'"),
        (dict(sigma=0), 'sigma must be a number above 0; found 0'),
        (dict(sigma=-2), 'sigma must be a number above 0; found -2'),
        (dict(radius=-1), 'radius must be a number of at least 0; found -1'),
        (dict(input_size=(105, 84)), r'whole multiple of heatmap_size.*\(105, 84\) and \(26, 21\)'),
        (dict(input_size=(104, 63)), r'the same in both axes; found \(104, 63\) and \(26, 21\)'),
        (dict(input_size=(13, 21)), r'whole multiple of heatmap_size.*\(13, 21\) and \(26, 21\)'),
    ],
)
def test_wrong_options(toy_layout, options, message):
    with pytest.raises(ValueError, match=message):
        make_codec(toy_layout, **options)


@pytest.mark.parametrize(
    'layout, found',
    [
        (dict(parts=dict(person='all')), r"\['parts'\]"),
        (dict(metainfo='coco.py', parts={}, edges=[]), r"\['edges', 'metainfo', 'parts'\]"),
    ],
)
def test_wrong_layout_keys(layout, found):
    with pytest.raises(ValueError, match=f'layout takes the keys .*metainfo.*; found {found}'):
        build_layout(layout)


@pytest.mark.parametrize('shape', [(2, 4, 2), (2, 5, 3), (5, 2), (2, 6, 2)])
def test_wrong_number_of_keypoints(toy_layout, shape):
    with pytest.raises(ValueError, match=r'keypoints must have the shape \(N, 5, 2\).*found \('):
        make_codec(toy_layout).encode(np.zeros(shape), area=np.ones(shape[0]))


@pytest.mark.parametrize('area, found', [(None, 'None'), (np.ones(3), '3'), (np.ones(0), '0')])
def test_missing_areas(toy_layout, area, found):
    message = f'area must hold one number for each of the 2 people; found {found}'
    with pytest.raises(ValueError, match=message):
        make_codec(toy_layout).encode(np.zeros((2, 5, 2)), np.ones((2, 5)), area)


@pytest.mark.parametrize('layout', [3, 'coco', None])
def test_a_layout_is_a_group_of_settings(layout):
    with pytest.raises(InputError, match='layout must be a group of settings with metainfo; found'):
        build_layout(layout)
