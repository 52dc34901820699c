"""Crops that a device takes: they show what OpenCV shows, and people are where the images say."""

from types import SimpleNamespace

from pinet_mm import RandomCropAffine
from pinet_mm.datasets.crop_rules import CropRules, read_rules
from pinet_mm.datasets.device_images import DeviceImages

import numpy as np
import pytest
import torch
from mmpose.datasets.transforms.loading import LoadImage

FIXED = CropRules((1.0, 1.0), False, 0.0, 0.0, (0.0, 0.0, 0.0))
SWAP = (1, 0, 2)


class InMemory:
    """A dataset of one image, whose blue is x and green is y, of two people of three keypoints."""

    def __init__(self, w, h, masked=None):
        self.image = np.random.default_rng(2).integers(0, 256, (h, w, 3)).astype(np.uint8)
        self.image[..., 0], self.image[..., 1] = np.arange(w), np.arange(h)[:, None]
        self.masked = masked
        self.pipeline = SimpleNamespace(transforms=[SimpleNamespace(transform=self.load)])

    def load(self, info):
        return dict(info, img=self.image, img_shape=self.image.shape[:2])

    def __len__(self):
        return 1

    def get_data_info(self, index):
        assert index == 0
        h, w = self.image.shape[:2]
        keypoints = np.array([[[10, 20], [30, 40], [np.nan, 5]], [[w - 1, 0], [0, h - 1], [7, 9]]])
        return dict(
            keypoints=keypoints.astype(np.float32),
            keypoints_visible=np.array([[1, 2, 1], [1, 0, 1.0]]),
            area=np.array([100, 400.0]),
            labeled_keypoints=np.array([True, False, True]),
            invalid_segs=[] if self.masked is None else [[self.masked]],
        )


def store(dataset, rules=FIXED, size=(64, 64)):
    return DeviceImages([dataset], [rules], size, SWAP, torch.device('cpu'))


@pytest.mark.parametrize('kind', ('short', 'long'))
@pytest.mark.parametrize('shape', ((90, 60), (60, 90), (96, 32)))
def test_a_crop_is_opencvs(kind, shape):
    dataset, size = InMemory(*shape), (64, 32)
    crop = RandomCropAffine(
        size, scale_factor=(0.8, 0.8), shift_factor=0.0, rotate_factor=0.0, scale_type=kind
    )
    info = dataset.get_data_info(0)
    wanted = crop.transform(
        dict(
            img=dataset.image.copy(),
            img_shape=dataset.image.shape[:2],
            keypoints=np.nan_to_num(info['keypoints']),
            area=info['area'].copy(),
        )
    )
    rules = FIXED._replace(scale=(0.8, 0.8), by_long_side=kind == 'long')
    found = store(dataset, rules, size).crop(torch.tensor([0]), flip=0)
    image = found.inputs[0].permute(1, 2, 0)
    # OpenCV rounds places to 1/32 pixel.
    assert (image - torch.from_numpy(wanted['img'])).abs().mean() < 1.5
    labeled = found.people.labeled[0]
    np.testing.assert_allclose(
        found.people.keypoints_in[0][labeled], wanted['keypoints'][labeled.numpy()], atol=1e-3
    )
    np.testing.assert_allclose(found.people.areas_in[0], wanted['area'], rtol=1e-5)
    assert labeled.tolist() == [[True, True, False], [True, False, True]]


def test_random_crops_keep_people_where_the_image_shows_them():
    torch.manual_seed(3)
    rules = CropRules((0.5, 1.5), False, 0.3, np.pi / 6, (0.0, 0.0, 0.0))
    images = store(InMemory(120, 100), rules)
    found = images.crop(torch.zeros(300, dtype=torch.long))
    assert found.inputs.shape == (300, 3, 64, 64)
    checked, mirrored = 0, 0
    for crop, keypoints, labeled, declared in zip(
        found.inputs, found.people.keypoints_in, found.people.labeled, found.declared
    ):
        swapped = bool(declared[1])
        mirrored += swapped
        # Of the first person the keypoint at image pixel (10, 20) is number 0, mirrored 1.
        x, y = keypoints[0, int(swapped)].round().long().tolist()
        assert labeled[0].tolist() == [True, True, False]
        assert declared.tolist() == ([False, True, True] if swapped else [True, False, True])
        if 0 <= x < 64 and 0 <= y < 64:
            shown = crop[:2, y, x]
            # One input pixel is at most 1.5 · 100 / 64 image pixels, and the place was rounded.
            assert (shown - torch.tensor([10.0, 20])).abs().max() <= 1.7
            checked += 1
    assert checked > 100 and 110 < mirrored < 190
    sides = 100 / 64 * torch.tensor((0.5, 1.5))
    zooms = (100 / found.people.areas_in[:, 0]).sqrt()
    assert sides[0] <= zooms.min() < sides[0] * 1.1 and sides[1] * 0.95 < zooms.max() <= sides[1]


def test_what_lies_outside_or_in_a_masked_region_is_not_valid():
    masked = [0, 0, 40, 0, 40, 50, 0, 50]
    images = store(InMemory(64, 64, masked), FIXED._replace(scale=(2.0, 2.0)))
    found = images.crop(torch.tensor([0]), flip=0)
    # Twice the image's side: the image is the square from 16 to 48, the region its left part.
    assert not found.valid[0, :16].any() and not found.valid[0, :, 48:].any()
    assert not found.valid[0, 17:40, 17:35].any()
    assert found.valid[0, 17:47, 38:47].all() and found.valid[0, 43:47, 17:47].all()
    assert (found.inputs[0, :, :15] == 0).all()


def test_rules_are_read_from_a_pipeline():
    crop = RandomCropAffine((64, 64), scale_factor=(0.4, 1.2), shift_factor=0.1, rotate_factor=90.0)
    rules = read_rules([LoadImage(), crop], (64, 64))
    assert rules == ((0.4, 1.2), False, 0.1, pytest.approx(np.pi / 2), (0, 0, 0))


@pytest.mark.parametrize(
    'changed, said',
    (
        (dict(input_size=(32, 64)), r'input_size=\(64, 64\) alone; found \(32, 64\)'),
        (dict(clip_border=True), 'clip_border=False alone; found True'),
        (dict(shift_prob=0.5), 'shift_prob=1 alone; found 0.5'),
        (dict(distribution='trunc_norm'), "distribution='uniform' alone; found 'trunc_norm'"),
    ),
)
def test_a_crop_that_a_device_cannot_take_is_refused(changed, said):
    crop = RandomCropAffine(**{**dict(input_size=(64, 64)), **changed})
    with pytest.raises(ValueError, match=said):
        read_rules([LoadImage(), crop], (64, 64))


def test_another_step_is_refused_by_name():
    with pytest.raises(ValueError, match=r"found \['LoadImage', 'RandomCropAffine', 'LoadImage'\]"):
        read_rules([LoadImage(), RandomCropAffine((64, 64)), LoadImage()], (64, 64))
