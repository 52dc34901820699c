"""Wrong values of settings are refused by their names."""

import math

from pinet_mm.datasets.transforms import RandomCropAffine
from pinet_mm.errors import InputError, check_number

import pytest
from mmpose.registry import MODELS, TRANSFORMS

from tests.helpers import toys

ODD = (math.nan, math.inf, -1, 'x', None, True, [1])


@pytest.mark.parametrize('value', ODD)
@pytest.mark.parametrize('name', ['sigma', 'radius', 'background_weight', 'min_area'])
def test_numbers_of_the_codec(name, value):
    if name == 'min_area' and value == -1:  # as good as 0
        return
    odd = isinstance(value, float) and not math.isfinite(value)
    kind = 'a finite number' if odd else 'a number'
    with pytest.raises(InputError, match=f'{name} must be {kind}'):
        toys.build_codec(**{name: value})


@pytest.mark.parametrize('value', [5, (4,), (0, 4), (4, math.nan), ('a', 4), None, (128.0, 128)])
@pytest.mark.parametrize('name', ['input_size', 'heatmap_size'])
def test_sizes_of_the_codec(name, value):
    options = dict(toys.codec_config(), **{name: value})
    with pytest.raises(InputError, match=name):
        toys.KEYPOINT_CODECS.build(options)


@pytest.mark.parametrize('value', [*ODD, 1.5])
def test_layers_and_pixels(value):
    for kind, name, options in (
        ('PoseRefinement', 'num_layers', dict(in_channels=4, num_keypoints=2, skeleton=[])),
        ('ProposalSampler', 'max_train_per_part', {}),
    ):
        with pytest.raises(InputError, match=f'{name} must be a whole number of at least'):
            MODELS.build(dict(type=kind, **options, **{name: value}))


@pytest.mark.parametrize('kind', ['RandomCropAffine', 'ReleaseCrop'])
@pytest.mark.parametrize(
    'name, values',
    [
        ('scale_factor', [*ODD, (1,), (0, 1), (2, 1), (math.nan, 1), ('a', 'b'), (1, math.inf)]),
        ('shift_factor', ODD),
        ('rotate_factor', ODD),
    ],
)
def test_crops(kind, name, values):
    for value in values:
        with pytest.raises(InputError, match=f'{name} must be'):
            TRANSFORMS.build(dict(type=kind, input_size=(64, 64), **{name: value}))


def test_probabilities_of_crops():
    with pytest.raises(InputError, match='shift_prob must be at most 1; found 2'):
        RandomCropAffine(input_size=(64, 64), shift_prob=2)
    RandomCropAffine(input_size=(64, 64), scale_factor=(1, 1), shift_factor=0, rotate_factor=0)


def test_what_a_number_must_be():
    check_number('a', 1, 1)
    with pytest.raises(InputError, match='^a must be a number above 1; found 1$'):
        check_number('a', 1, 1, above=True)
    with pytest.raises(InputError, match="^a must be a whole number of at least 0; found 'b'$"):
        check_number('a', 'b', 0, whole=True)
