"""Colors on a device are OpenCV's, and change by no more than they may."""

from pinet_mm.datasets.colors import from_hsv, jitter_colors, to_hsv

import cv2
import numpy as np
import torch


def test_hsv_is_opencvs_and_back():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, 20, 30, 3)).astype(np.float32)
    images[0, 0, :3] = [(0, 0, 0), (7, 7, 7), (255, 255, 255)]
    tensors = torch.from_numpy(images).permute(0, 3, 1, 2)
    found = to_hsv(tensors)
    wanted = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2HSV) for image in images])
    wanted[..., 0] /= 360  # of float images OpenCV returns degrees
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), wanted, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(from_hsv(found), tensors, atol=1e-3, rtol=0)


def test_each_image_changes_by_its_own_draw_within_the_deltas():
    torch.manual_seed(0)
    images = torch.tensor([40.0, 90, 160]).view(1, 3, 1, 1).repeat(400, 1, 1, 2)
    before = to_hsv(images)[..., 0]
    after = to_hsv(jitter_colors(images, torch.tensor([[9.0, 51, 64]]).repeat(400, 1)))[..., 0]
    change = (after - before)[..., 0] * torch.tensor([180, 255, 1.0])
    for values, most in zip(change.T, (9, 51, 64)):
        assert 0.9 * most < values.abs().max() <= most + 1e-2
        assert 120 < (values.abs() < 1e-3).sum() < 280  # every other one, more or less


def test_without_deltas_nothing_changes():
    images = 255 * torch.rand(2, 3, 4, 4)
    assert jitter_colors(images, torch.zeros(2, 3)) is images
