"""From raw maps to fused poses, on tensors alone."""

from pinet_mm.models.decoding import RawMaps, decode
from pinet_mm.models.test_cfg import TestSettings

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers.toys import (
    build_head,
    head_config,
    plain_sample,
    scramble,
)

MAP = (24, 32)


def raw_maps(head, views, images=2, seed=0, factor=1):
    """Random features and the head's maps of them."""
    generator = torch.Generator().manual_seed(seed)
    channels, size = head.score_branch.in_channels, (int(side * factor) for side in MAP)
    features = torch.randn(views * images, channels, *size, generator=generator)
    return features, *head([features])


@pytest.mark.parametrize('flip_test', [False, True])
@torch.no_grad()
def test_the_head_packs_what_the_decoder_finds(flip_test):
    head = build_head('six', size=(128, 96)).eval()
    features, *_ = raw_maps(head, 1 + flip_test)
    settings = TestSettings.from_cfg(dict(flip_test=flip_test))
    fused, _ = decode(head, [head.test_maps([features])], torch.full((2, 2), 4.0), settings)
    persons = head.predict([features], [plain_sample((128, 96))] * 2, dict(flip_test=flip_test))
    for i, found in enumerate(persons):
        kept = fused.kept[i]
        assert len(found) == kept.sum() >= 5
        torch.testing.assert_close(torch.from_numpy(found.keypoints), fused.keypoints[i, kept])
        assert torch.equal(torch.from_numpy(found.bbox_scores), fused.scores[i, kept])
        parts = fused.sources[i, kept] // (fused.scores.shape[1] // 6)
        assert torch.equal(torch.from_numpy(found.keypoint_parts), parts)


@pytest.mark.parametrize('layout', ['three', 'six'])  # mirrored parts are others in 'six'
@pytest.mark.parametrize('flip_test', [False, True])
@torch.no_grad()
def test_offsets_of_the_proposals_are_those_of_the_maps(layout, flip_test):
    head = build_head(layout, size=(128, 96)).eval()
    maps = RawMaps(*raw_maps(head, 1 + flip_test))
    settings = TestSettings.from_cfg(dict(flip_test=flip_test))
    found, expected = (
        decode(head, [each], torch.full((2, 2), 4.0), settings)[0]
        for each in (maps._replace(offsets=None), maps)
    )
    assert torch.equal(found.kept, expected.kept) and expected.kept.sum() >= 5
    torch.testing.assert_close(found.keypoints, expected.keypoints, atol=1e-3, rtol=0)
    assert torch.equal(found.sources[found.kept], expected.sources[found.kept])


def test_checkpoints_hold_nothing_that_was_not_learned():
    names = list(build_head().state_dict())
    assert not [name for name in names if 'mirror' in name or 'codec' in name or 'fusion' in name]


class Decoding(torch.nn.Module):
    """What `torch.export` takes: a module."""

    def __init__(self, head, settings):
        super().__init__()
        self.head, self.settings = head, settings

    def forward(self, scales, image_per_map):
        return decode(self.head, scales, image_per_map, self.settings)[0]


@pytest.mark.parametrize(
    'layout, convention, test_cfg',
    [
        ('three', 'paper', dict(flip_test=True)),
        ('six', 'release', dict(flip_test=True, scale_factors=(1, 0.5))),
    ],
)
@torch.no_grad()
def test_decoding_is_one_graph(layout, convention, test_cfg):
    # Traced on some maps, it finds the people of others: nothing depends on values. (Few poses,
    # since tracing takes its time with every round of matching.)
    config = head_config(layout, size=(128, 96))
    config['decoder']['convention'] = convention
    head = scramble(MODELS.build(config)).eval()
    settings = head.check_settings(dict(test_cfg, max_per_part=3))
    decoding, image_per_map = Decoding(head, settings).eval(), torch.full((2, 2), 3.0)
    first, second = (
        [
            RawMaps(*raw_maps(head, 1 + settings.flip_test, seed=seed, factor=factor))
            for factor in settings.scale_factors
        ]
        for seed in (0, 1)
    )
    graph = torch.export.export(decoding, (first, image_per_map)).module()
    found, expected = graph(second, image_per_map), decoding(second, image_per_map)
    assert torch.equal(found.kept, expected.kept) and expected.kept.sum() >= 5
    for value, wanted in zip(found.given, expected.given):
        torch.testing.assert_close(value[found.kept], wanted[found.kept])


@pytest.mark.parametrize('convention', ['paper', 'release'])
@torch.no_grad()
def test_the_order_in_memory_changes_nothing(convention):
    config = head_config('six', size=(128, 96))
    config['decoder']['convention'] = convention
    head = scramble(MODELS.build(config)).eval()
    settings = head.check_settings(dict(flip_test=True))
    maps = RawMaps(*raw_maps(head, 2))
    last = RawMaps(*(each.contiguous(memory_format=torch.channels_last) for each in maps))
    expected, found = (
        decode(head, [each], torch.full((2, 2), 4.0), settings)[0] for each in (maps, last)
    )
    assert torch.equal(found.kept, expected.kept) and expected.kept.sum() >= 5
    torch.testing.assert_close(found.keypoints, expected.keypoints, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.keypoint_scores, expected.keypoint_scores, atol=1e-5, rtol=0)
