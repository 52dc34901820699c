"""PINetHead on an image and its mirror image."""

from pinet_mm.method.refinement import Refined

import numpy as np
import pytest
import torch

from tests.helpers.heads import decode, ideal_head
from tests.helpers.toys import (
    answer_with,
    make_sample,
    pair_up,
    target_maps,
)

# --- flip test -----------------------------------------------------------------------------------


def mirrored_maps(head, samples, keypoints):
    """Targets of the same people in the mirrored input, moved left by 3 px."""
    w = head.codec.input_size[0]
    flips = list(head.layout.flip_indices)
    return target_maps(
        [make_sample(head.codec, (points * [-1, 1] + [w - 4, 0])[:, flips]) for points in keypoints]
    )


@pytest.mark.parametrize('layout', ['coco', 'three', 'six'])
def test_flip_test_of_ideal_maps(layout):
    head, samples, keypoints = ideal_head(layout, counts=(4, 3), size=(128, 96))
    plain = decode(head, samples)
    maps = zip(target_maps(samples), mirrored_maps(head, samples, keypoints))
    answer_with(head, *(torch.cat(views) for views in maps))
    for once, both, wanted in zip(plain, decode(head, samples, views=2, flip_test=True), keypoints):
        order = pair_up(both.keypoints, wanted)
        np.testing.assert_allclose(both.keypoints[order], wanted, atol=1e-3)
        order_once = pair_up(once.keypoints, wanted)
        np.testing.assert_allclose(
            both.keypoint_scores[order], once.keypoint_scores[order_once], atol=1e-5
        )
        np.testing.assert_array_equal(both.keypoint_parts[order], once.keypoint_parts[order_once])


def test_flip_test_averages_maps_and_poses():
    head, samples, keypoints = ideal_head('six', counts=(3,))
    heatmaps, offsets = target_maps(samples)
    mirrored_heatmaps, mirrored_offsets = mirrored_maps(head, samples, keypoints)
    # In the mirrored view only the right hand, the left one there, is 0.8 map px too far right:
    # pixel - offset grows where the offset shrinks. Seen from the plain view it moves left.
    shifted = mirrored_offsets.view(1, 6, 5, 2, 32, 32).clone()
    shifted[:, :, 1, 0] -= 0.8
    answer_with(
        head,
        torch.cat((heatmaps, 0.5 * mirrored_heatmaps)),
        torch.cat((offsets, shifted.view_as(offsets))),
    )
    (found,), (maps,) = decode(head, samples, views=2, flip_test=True, output_heatmaps=True)
    wanted = keypoints[0].copy()
    wanted[:, 2, 0] -= 0.8 / 2 * 4
    np.testing.assert_allclose(found.keypoints[pair_up(found.keypoints, wanted)], wanted, atol=1e-3)
    torch.testing.assert_close(maps.heatmaps, 0.75 * heatmaps[0], atol=1e-5, rtol=0)


def test_flip_test_refines_each_view_on_its_own_features():
    # A refinement that reads its first two features as the left hand's refining offset.
    head, samples, (keypoints,) = ideal_head('three')
    maps = zip(target_maps(samples), mirrored_maps(head, samples, [keypoints]))
    answer_with(head, *(torch.cat(views) for views in maps)).eval()

    def refine(features, poses_hm, centers_hm, valid):
        refining = torch.zeros_like(poses_hm)
        refining[:, :, 1] = features[:, None, :2, 0, 0]
        return Refined(refining)

    head.refinement = torch.nn.Identity()
    head.refinement.refine = refine
    features = torch.zeros(2, 12, 32, 32)
    features[0, :2, 0, 0] = torch.tensor([1.0, 2.0])
    features[1, :2, 0, 0] = torch.tensor([3.0, 4.0])
    (found,) = head.predict([features], samples, dict(flip_test=True))
    wanted = keypoints.copy()
    wanted[:, 1] -= np.array([1, 2]) * 4 / 2  # plain view: the left hand
    wanted[:, 2] -= np.array([-3, 4]) * 4 / 2  # mirrored view: it is the right hand, x mirrored
    np.testing.assert_allclose(found.keypoints[pair_up(found.keypoints, wanted)], wanted, atol=1e-3)
