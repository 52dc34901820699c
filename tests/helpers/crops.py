"""What crops are tested on: images of dots, and what a loader hands to a transform."""

import numpy as np

CROP = dict(
    input_size=(128, 128),
    scale_factor=(0.75, 1.5),
    scale_type='short',
    shift_factor=0.2,
    rotate_factor=30.0,
)


def crop_results(shape, keypoints=None, **more):
    """What the loader hands to the transforms for a black image of (h, w) pixels."""
    results = dict(img=np.zeros((*shape, 3), dtype=np.uint8), img_shape=shape)
    if keypoints is not None:
        results.update(keypoints=keypoints, keypoints_visible=np.ones(keypoints.shape[:2]))
    return dict(results, **more)


def image_of_dots(shape, points):
    """An image of one Gaussian dot, σ = 1.5 px, for each point."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    dots = [np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 4.5) for x, y in points]
    return np.repeat(np.uint8(250 * np.max(dots, axis=0))[..., None], 3, axis=-1)


def find_dot(image, near, reach=11):
    """Center of brightness in the window around a point."""
    x, y = np.round(near).astype(int)
    window = image[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float)
    ys, xs = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.array([(xs * window).sum(), (ys * window).sum()]) / window.sum()
