"""Ways to compute which poses are kept, against a loop."""

import os

import pytest
import torch

from studies.benchmark import keeping


def keep_one_by_one(match, valid):
    kept = valid.clone().bool()
    for image in range(len(match)):
        for pose in range(match.shape[1]):
            better = range(pose)
            taken = any(kept[image, each] and match[image, each, pose] for each in better)
            kept[image, pose] = bool(valid[image, pose]) and not taken
    return kept.float()


@pytest.mark.parametrize('poses', [1, 8, 9, 40])
@pytest.mark.parametrize('share', [0.02, 0.1, 0.5])
def test_every_way_keeps_what_a_loop_keeps(poses, share):
    torch.manual_seed(poses)
    match = (torch.rand(6, poses, poses) < share).float().triu(1)
    valid = (torch.rand(6, poses) < 0.8).float()
    wanted = keep_one_by_one(match, valid)
    for name in ('rounds', 'blocks'):
        torch.testing.assert_close(keeping.ways()[name](match, valid), wanted, rtol=0, atol=0)


def test_a_chain_of_matches_keeps_every_other_pose():
    chain = torch.diag(torch.ones(19), 1)[None]
    for keep in (keeping.ways()[name] for name in ('rounds', 'blocks')):
        assert keep(chain, torch.ones(1, 20))[0].tolist() == [1, 0] * 10


@pytest.mark.skipif(
    os.environ.get('TRITON_INTERPRET') != '1', reason='TRITON_INTERPRET=1 runs it on the CPU'
)
def test_triton_keeps_what_a_loop_keeps():
    pytest.importorskip('triton')
    from studies.benchmark.keeping_triton import keep_by_triton

    match, valid = keeping.draw_matches(3, 40, 'cpu')
    assert torch.equal(keep_by_triton(match, valid), keep_one_by_one(match, valid))


def test_rows_say_whether_the_ways_agree(monkeypatch):
    rows = list(keeping.keeping_rows('cpu', 0.0, poses=10))
    assert {(row['way'], row['batch'], row['equal']) for row in rows} == {
        (way, batch, True) for way in ('rounds', 'blocks') for batch in (1, 8, 64)
    }
    monkeypatch.setattr(keeping, 'keep_in_blocks', lambda match, valid: valid)
    rows = list(keeping.keeping_rows('cpu', 0.0, poses=10))
    assert not any(row['equal'] for row in rows if row['way'] == 'blocks' and row['batch'] > 1)
