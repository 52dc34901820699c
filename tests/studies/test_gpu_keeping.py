"""Ways to compute which poses are kept, against a loop."""

import os

import pytest
import torch

from studies.benchmark import keeping
from tests.helpers.greedy import greedy_owners

ON_CPU = ('rounds', 'blocks')
HAS_GPU = torch.cuda.is_available()


def keep_one_by_one(match, valid):
    owners = [greedy_owners(*image, 0.5) for image in zip(match, valid)]
    return torch.tensor(owners).eq(torch.arange(match.shape[1])).float()


def check(way, poses, share, device='cpu'):
    torch.manual_seed(poses)
    match = (torch.rand(6, poses, poses) < share).float().triu(1)
    valid = (torch.rand(6, poses) < 0.8).float()
    found = keeping.WAYS[way](match.to(device), valid.to(device)).cpu()
    assert torch.equal(found, keep_one_by_one(match, valid))


@pytest.mark.parametrize('poses', [1, 8, 9, 40])
@pytest.mark.parametrize('share', [0.02, 0.1, 0.5])
def test_every_way_keeps_what_a_loop_keeps(poses, share):
    for way in ON_CPU:
        check(way, poses, share)


@pytest.mark.skipif(
    not HAS_GPU and os.environ.get('TRITON_INTERPRET') != '1',
    reason='needs a GPU, or TRITON_INTERPRET=1 beside an installed Triton',
)
@pytest.mark.parametrize('poses', [1, 8, 9, 40])
def test_triton_keeps_what_a_loop_keeps(poses):
    pytest.importorskip('triton')
    check('Triton', poses, 0.1, 'cuda' if HAS_GPU else 'cpu')


def test_a_chain_of_matches_keeps_every_other_pose():
    chain = torch.diag(torch.ones(19), 1)[None]
    for way in ON_CPU:
        assert keeping.WAYS[way](chain, torch.ones(1, 20))[0].tolist() == [1, 0] * 10


def test_rows_say_whether_a_way_agrees(monkeypatch):
    monkeypatch.setitem(keeping.WAYS, 'all', lambda match, valid: valid)
    for way, is_equal in (('rounds', True), ('blocks', True), ('all', False)):
        rows = list(keeping.keeping_rows(way, 'cpu', (8, 64), 0.0, poses=10))
        assert [(row['batch'], row['equal']) for row in rows] == [(8, is_equal), (64, is_equal)]
