"""Numbers that are not finite cost the image that has them, and are said."""

from pinet_mm.conventions.table import CONVENTIONS
from pinet_mm.method.fusion import fuse_poses
from pinet_mm.models import estimator
from pinet_mm.models.decoding import decode
from pinet_mm.models.lost import has_lost

import pytest
import torch

from tests.helpers import random_maps, toys

ODD = (torch.nan, torch.inf, -torch.inf)


def two_images():
    """Three poses in each of two images, all people of their own."""
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(2, 3, 5, 2, generator=generator) * 20
    keypoints += torch.tensor([0.0, 100, 200])[:, None, None]
    return keypoints, torch.rand(2, 3, 5, generator=generator), torch.full((5,), 0.1)


@pytest.mark.parametrize('odd', ODD)
@pytest.mark.parametrize('where', ['keypoints', 'scores', 'pose scores'])
def test_a_pose_that_is_not_finite_is_none(where, odd):
    keypoints, scores, sigmas = two_images()
    pose_scores = scores.mean(dim=-1)
    spoiled = {'keypoints': keypoints, 'scores': scores, 'pose scores': pose_scores}
    spoiled[where] = spoiled[where].clone()
    spoiled[where][0, 1, ...].view(-1)[-1:] = odd
    fused = fuse_poses(spoiled['keypoints'], spoiled['scores'], sigmas, spoiled['pose scores'])
    left = torch.tensor([0, 2])
    alone = fuse_poses(keypoints[:1, left], scores[:1, left], sigmas, pose_scores[:1, left])
    torch.testing.assert_close(fused.keypoints[0][fused.kept[0]], alone.keypoints[0])
    whole = fuse_poses(keypoints[1:], scores[1:], sigmas, pose_scores[1:])
    assert fused.kept[1].all()
    torch.testing.assert_close(fused.keypoints[1], whole.keypoints[0], rtol=0, atol=0)


@pytest.mark.parametrize('first, convention', [(0, 'paper'), (1000, 'paper'), (0, 'release')])
def test_random_and_broken_maps_are_decoded_each_image_as_if_alone(first, convention):
    passed, problems = random_maps.soak(60, first, convention)
    assert problems == [] and passed == 60


@pytest.mark.slow
@pytest.mark.parametrize('convention', CONVENTIONS)
def test_many_random_and_broken_maps(convention):
    assert random_maps.soak(2000, 5000, convention)[1] == []


@pytest.fixture
def warned(monkeypatch):
    """What is warned of."""
    said = []
    monkeypatch.setattr(estimator, 'print_log', lambda text, *_: said.append(text))
    return said


def test_an_image_whose_maps_are_not_finite_is_named(warned):
    model = toys.build_model(test_cfg=dict(max_per_part=3, part_thr=0.0))
    inputs = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    toys.awaken(model, inputs)
    samples = [toys.plain_sample((128, 128)) for _ in range(2)]
    for sample, name in zip(samples, 'ab'):
        sample.set_metainfo(dict(img_path=f'{name}.jpg'))
    wanted = [len(each.pred_instances) for each in model.predict(inputs, samples)]
    assert min(wanted) > 0 and warned == []

    def spoil(features):
        features = features.clone()
        features[1] = torch.nan
        return features

    # Only the second image's features are broken, where the network ends.
    extract = model.extract_views
    model.extract_views = lambda *args: [spoil(extract(*args)[-1])]
    found = [len(each.pred_instances) for each in model.predict(inputs, samples)]
    assert found == [wanted[0], 0]
    assert len(warned) == 1 and warned[0].startswith('b.jpg: the network computed numbers')


def test_decoding_marks_an_image_whose_heatmaps_are_not_finite():
    head = random_maps.build_head()
    case = random_maps.Case(
        ('plain', 'nan', '-inf'), (8, 8), torch.float32, False, False, False, seed=1
    )
    maps = random_maps.maps_of(case, head)
    maps.features.nan_to_num_()
    with torch.no_grad():
        fused, _ = decode(head, [maps], torch.full((3, 2), 4.0), random_maps.TestSettings())
    assert has_lost(fused).tolist() == [False, True, True]
    assert fused.kept.any(dim=1).tolist() == [True, False, False]


def test_huge_maps_keep_no_pose_that_is_not_finite():
    head = random_maps.build_head()
    case = random_maps.Case(
        ('huge', 'max', 'plain'), (8, 8), torch.float32, True, True, True, seed=1
    )
    with torch.no_grad():
        assert random_maps.check(head, case) is None
        maps = random_maps.maps_of(case, head)
        settings = random_maps.TestSettings(flip_test=True)
        fused, _ = decode(head, [maps], torch.full((3, 2), 4.0), settings)
    assert fused.keypoints[fused.kept].isfinite().all() and fused.kept[2].any()
