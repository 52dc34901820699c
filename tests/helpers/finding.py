"""Images of noise on their way through a whole network."""

import cv2
import numpy as np
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import BottomupResize, PackPoseInputs

from tests.helpers.toys import (
    FIVE_FLIPS,
    awaken,
    build_model,
)

META_KEYS = ('ori_shape', 'img_shape', 'input_size', 'input_center', 'input_scale', 'flip_indices')


def noise(shape, seed=0):
    """An image of coarse and fine noise, uint8."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 255, (shape[0] // 8, shape[1] // 8, 3)), shape[::-1])
    return np.uint8(np.clip(coarse + rng.uniform(-40, 40, (*shape, 3)), 0, 255))


def load(image):
    """Take an image through a test pipeline whose inputs have a short side of 64."""
    results = dict(
        img=image,
        ori_shape=image.shape[:2],
        img_shape=image.shape[:2],
        flip_indices=FIVE_FLIPS,
    )
    results = BottomupResize(input_size=(64, 64), size_factor=32, resize_mode='expand')(results)
    return PackPoseInputs(meta_keys=META_KEYS)(results)


def prepared(model, images):
    """Inputs and samples as the estimator gets them."""
    data = model.data_preprocessor(pseudo_collate([load(image) for image in images]))
    return data['inputs'], data['data_samples']


def find(model, images):
    """Predict the people of images as one batch."""
    samples = model.test_step(pseudo_collate([load(image) for image in images]))
    return [sample.pred_instances for sample in samples]


def awake_model(layout='three', test_cfg=None, **options):
    model = build_model(layout, test_cfg, **options)
    return awaken(model, prepared(model, [noise((64, 64), 5)])[0])
