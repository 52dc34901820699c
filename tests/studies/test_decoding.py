"""The benchmark of encoding and decoding: whatever it compares does the same work."""

from pinet_mm.errors import RunError
from pinet_mm.models.codec import PINetCodec

import numpy as np
import pytest
import torch

from studies import naive
from studies.benchmark import (
    baselines,
    bench_decode,
    bench_encode,
    decode,
    scenes,
    stages,
    timing,
)
from tests.helpers.timings import STAGES
from tests.helpers.toys import LAYOUTS

# --- encoding ------------------------------------------------------------------------------------


def test_naive_loops_and_codec_encode_the_same():
    crowd = scenes.random_crowd(5, 14, (256, 256))
    assert crowd[0].min() >= 0 and crowd[0].max() < 256 and crowd[1].all()
    codec = PINetCodec((256, 256), (64, 64), LAYOUTS['crowdpose']())
    wanted = naive.encode(*crowd, codec.layout.parts, (64, 64), 4)
    for name, maps in codec.encode(*crowd).items():
        np.testing.assert_allclose(maps, wanted[name], rtol=1e-6, atol=1e-5, err_msg=name)


def test_a_row_of_encoding():
    (table,) = bench_encode(persons=[1], repeats=1)
    (row,) = table.rows
    assert list(row) == [
        'persons',
        'naive',
        'SPR',
        'whole',
        'sparse',
        'release, whole',
        'naive / whole',
        'naive / sparse',
    ]
    assert row['naive / whole'] == row['naive'] / row['whole']
    assert row['naive / sparse'] == row['naive'] / row['sparse'] > 1


# --- decoding ------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def scene():
    made = decode.Scene(persons=4, channels=8, layers=1, input_size=128)
    torch.nn.init.normal_(made.head.refinement.predictor[-1].weight, std=0.5)
    return made


@torch.no_grad()
def test_stages_loops_and_head_find_the_same(scene):
    (persons,) = timing.run_chain(scene.stages().chain())
    by_loops = timing.run_chain(scene.loops().chain())
    (whole,) = scene.heads()['PINet with refinement, from maps']()
    (plain,) = scene.heads()['PINet without refinement, from maps']()
    assert len(persons) == len(by_loops) == len(whole) >= 10
    assert len(plain) != len(whole) or np.abs(plain.keypoints - whole.keypoints).max() > 1
    for i, person in enumerate(by_loops):
        for name in ('keypoints', 'keypoint_scores'):
            np.testing.assert_allclose(persons[name][i], person[name], atol=1e-3, err_msg=name)
            assert np.array_equal(persons[name][i], whole[name][i])
        np.testing.assert_allclose(persons.bbox_scores[i], person['score'], atol=1e-5)


@torch.no_grad()
def test_the_network_of_a_scene_finds_its_crowd(scene):
    (found,) = scene.heads()['PINet without refinement, from maps']()
    crowd, *_ = scenes.random_crowd(4, 17, scene.size)
    distance = np.abs(found.keypoints[:, None] - crowd).max(axis=(2, 3))
    assert distance.min(axis=0).max() < 1e-2
    best = np.argsort(-found.bbox_scores)[:4]
    assert sorted(distance[best].argmin(axis=1)) == [0, 1, 2, 3]


@torch.no_grad()
def test_a_crowds_maps_lie_in_memory_as_the_heads_do(scene):
    features = scene.maps.features
    assert features.is_contiguous(memory_format=torch.channels_last)
    heatmaps, offsets = scene.head([features])
    assert [maps.stride() for maps in (heatmaps, offsets)] == [
        maps.stride() for maps in (scene.maps.heatmaps, scene.maps.offsets)
    ]


@torch.no_grad()
def test_every_part_has_all_the_proposals(scene):
    maps = scenes.crowd_maps(scene.codec, 1, images=3)
    assert [each.shape[0] for each in maps] == [6, 6, 6]
    decoding = stages.DecodingStages(scene.head, scene.settings, maps, torch.full((3, 2), 4.0))
    decoding.average()
    decoding.peaks()
    assert decoding.centers.valid.shape == (3, 90) and decoding.centers.valid.all()
    # Mirrored back, the other view is the plain one.
    torch.testing.assert_close(decoding.heatmaps, maps.heatmaps[:3])


@torch.no_grad()
def test_the_heads_of_mmpose_find_people(scene):
    found = {name: baselines.count(head()) for name, head in scene.heads().items()}
    assert found['CID, from features'] == found["CID, from every person's maps"] == 4
    assert found['DEKR, from maps'] >= 4
    assert 'DEKR, from features' not in found or baselines.why_no_dekr() is None


def test_dekr_answers_with_its_codec(scene):
    # Far people, both views alike: DEKR's decoding finds them where they are.
    heatmaps, offsets = (maps.cpu() for maps in scene.maps[1:])
    crowd, *_ = scenes.random_crowd(4, 17, scene.size)
    (plain, _), k = scene._dekr_maps(), 17
    assert torch.equal(plain[0], heatmaps[:1, : k + 1])
    poses, _ = baselines.DEKRDecoding(scene.size).decoder.decode(plain[0][0], plain[1][0])
    distance = np.abs(poses.numpy()[:, None] - crowd).max(axis=(2, 3)).min(axis=0)
    assert offsets.shape[1] == 6 * k and distance.max() < 1e-2


def test_the_missing_operators_are_the_reason(monkeypatch):
    for found, reason in ((True, None), (False, baselines.NO_DEKR)):
        monkeypatch.setattr(baselines, 'mmcv_has_operators', lambda found=found: found)
        assert baselines.why_no_dekr() == reason
        assert ('full mmcv' in decode._head_note()) == (not found)


def test_rows_of_decoding_by_hand():
    own = dict.fromkeys(STAGES, 1.0) | dict(refinement=10.0, fusion=3.0)
    rows = {row['stage']: row for row in decode._stage_rows(own, dict.fromkeys(STAGES, 50.0))}
    assert list(rows) == [*STAGES, 'all', 'all but refinement']
    assert rows['fusion'] == {
        'stage': 'fusion',
        'ms': 3,
        'plain loops, ms': 50,
        'loops / ms': 50 / 3,
    }
    assert (rows['all']['ms'], rows['all but refinement']['ms']) == (19, 9)
    assert rows['all but refinement']['loops / ms'] == 350 / 9
    times = {
        decode.OWN['maps']: 2.0,
        decode.OWN['features']: 10.0,
        'DEKR, from maps': 3.0,
        'CID, from features': 50.0,
        "CID, from every person's maps": 4.0,
    }
    rows = decode._head_rows(times, dict.fromkeys(times, 7))
    assert [row['ratio'] for row in rows] == [1, 1, 1.5, 5, 2]
    assert {row['persons'] for row in rows} == {7}


@pytest.mark.parametrize('name', ['cid_hrnet-slim_ablation.py', 'pinet_hrnet_coco_release.py'])
def test_decoding_is_measured_of_heads_that_the_loops_follow(name):
    with pytest.raises(RunError, match=f'by the convention of the paper; found {name}'):
        decode.Scene(2, name, channels=8, layers=1, input_size=128)


def test_decoding_takes_the_head_of_other_configs():
    scene = decode.Scene(2, 'pinet_hrnet_crowdpose.py', channels=8, layers=1, input_size=128)
    assert scene.maps.heatmaps.shape == (2, 14 + 3, 32, 32)
    persons = timing.run_chain(scene.stages().chain())
    assert persons[0].keypoints.shape[1:] == (14, 2)


def test_tables_of_decoding():
    first, second = bench_decode(2, repeats=1, channels=8, layers=1, input_size=128)
    assert '90 proposals, 2 views, 17 keypoints, 32×32 maps, C = 8' in first.note
    assert [row['stage'] for row in first.rows][:8] == STAGES
    assert len(second.rows) >= 5 and all(row['ms'] > 0 for row in second.rows)
