"""From raw maps to fused poses on tensors alone: what a graph needs, and what it must not change."""

import pytest
import torch
from toys import build_head, plain_sample

from pinet_mm.settings import TestSettings

MAP = (24, 32)


def raw_maps(head, views, pictures=2, seed=0):
    """Random features and the head's maps of them."""
    generator = torch.Generator().manual_seed(seed)
    channels = head.score_branch.in_channels
    features = torch.randn(views * pictures, channels, *MAP, generator=generator)
    return features, *head([features])


@pytest.mark.parametrize('flip_test', [False, True])
@torch.no_grad()
def test_the_head_packs_what_the_decoder_finds(flip_test):
    head = build_head('six', size=(128, 96)).eval()
    features, heatmaps, offsets = raw_maps(head, 1 + flip_test)
    settings = TestSettings.from_cfg(dict(flip_test=flip_test))
    fused = head.pose_decoder(settings)(features, heatmaps, offsets, torch.full((2, 2), 4.))
    persons = head.predict([features], [plain_sample((128, 96))] * 2, dict(flip_test=flip_test))
    for i, found in enumerate(persons):
        kept = fused.kept[i]
        assert len(found) == kept.sum() >= 5
        torch.testing.assert_close(torch.from_numpy(found.keypoints), fused.keypoints[i, kept])
        assert torch.equal(torch.from_numpy(found.bbox_scores), fused.scores[i, kept])
        parts = fused.sources[i, kept] // (fused.scores.shape[1] // 6)
        assert torch.equal(torch.from_numpy(found.keypoint_parts), parts)


@torch.no_grad()
def test_a_decoder_changes_nothing_about_the_head():
    head = build_head().eval()
    names = list(head.state_dict())
    head.pose_decoder(TestSettings())
    assert list(head.state_dict()) == names
    assert not [name for name in names if 'mirror' in name or 'decoder' in name]
