"""Codecs of the toy layout, what they encode, and the plain loops that they must equal."""

from pinet_mm.method.layouts import PartLayout
from pinet_mm.models.codec import PINetCodec

import numpy as np

from studies import naive
from tests.helpers.maps import MAP_SIZE, STRIDE

INPUT_SIZE = tuple(side * STRIDE for side in MAP_SIZE)


def make_codec(layout, **options):
    return PINetCodec(
        **{**dict(input_size=INPUT_SIZE, heatmap_size=MAP_SIZE, layout=layout), **options}
    )


def naive_encode(codec, scene, **options):
    rules = naive.Rules(**options)
    return naive.encode(*scene, codec.layout.parts, codec.heatmap_size, codec.stride, rules)


def assert_same_maps(encoded, expected):
    assert set(encoded) == set(expected)
    for name, maps in expected.items():
        assert encoded[name].dtype == np.float32
        assert encoded[name].shape == maps.shape
        np.testing.assert_allclose(encoded[name], maps, rtol=1e-6, atol=1e-6, err_msg=name)


# --- decode --------------------------------------------------------------------------------------


def random_layout(num_keypoints, num_parts):
    """Keypoint k belongs to part k modulo M; no mirror pairs."""
    metainfo = dict(
        keypoint_id2name={k: f'point{k}' for k in range(num_keypoints)},
        sigmas=[0.08] * num_keypoints,
    )
    parts = {f'part{m}': list(range(m, num_keypoints, num_parts)) for m in range(num_parts)}
    return PartLayout.from_metainfo(metainfo, parts)
