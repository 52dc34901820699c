"""Names in checkpoints of the release: every key is accounted for."""

from pinet_mm import checkpoints
from pinet_mm.errors import CheckpointError

import pytest
import torch

# --- names and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('backbone.stage2.0.branches.0.0.bn1.bias', 'backbone.stage2.0.branches.0.0.bn1.bias'),
        ('ppg.heatmap_head.weight', 'head.score_branch.weight'),
        ('ppg.detkptmap_head.bias', 'head.part_branch.bias'),
        ('ppg.offset_head.weight', 'head.offset_branch.weight'),
        ('pr.adj', 'head.refinement.adjacency'),
        ('pr.gconv_head.conv.weight', 'head.refinement.stem.weight'),
        ('pr.gconv_head.bn.running_var', 'head.refinement.stem.bn.running_var'),
        ('pr.gconv_layers.12.gconv2.conv.bias', 'head.refinement.blocks.12.conv2.bias'),
        ('pr.gconv_layers.0.gconv1.bn.weight', 'head.refinement.blocks.0.conv1.bn.weight'),
        ('pr.gconv_pred.3.bias', 'head.refinement.predictor.3.bias'),
    ],
)
def test_names(theirs, ours):
    assert list(checkpoints.release_to_ours({theirs: torch.zeros(1)})) == [ours]
    assert list(checkpoints.ours_to_release({ours: torch.zeros(1)})) == [theirs]


def test_the_predictor_loses_and_regains_a_dimension():
    convolution = torch.rand(4, 6, 1)
    ours = checkpoints.release_to_ours({'pr.gconv_pred.0.weight': convolution})
    assert torch.equal(ours['head.refinement.predictor.0.weight'], convolution[..., 0])
    back = checkpoints.ours_to_release(ours)
    assert torch.equal(back['pr.gconv_pred.0.weight'], convolution)


@pytest.mark.parametrize('rename', [checkpoints.release_to_ours, checkpoints.ours_to_release])
def test_foreign_names_are_refused_all_at_once(rename):
    foreign = ['pr.gconv_tail.weight', 'fc.bias', 'pr.gconv_layers.x.gconv1.bn.']
    with pytest.raises(CheckpointError, match='3 keys belong to no parameter of PINet') as error:
        rename(dict.fromkeys(['backbone.conv1.weight', *foreign], torch.zeros(1)))
    assert [line.strip() for line in str(error.value).splitlines()[1:]] == foreign


def test_the_shapes_tell_the_network(weights):
    assert checkpoints.recognize(weights['coco']) == ('coco', 4, 2)
    assert checkpoints.recognize(weights['crowdpose']) == ('crowdpose', 4, 3)
    third = {key.replace('layers.1', 'layers.2'): value for key, value in weights['coco'].items()}
    assert checkpoints.recognize({**weights['coco'], **third}) == ('ochuman', 4, 3)


@pytest.mark.parametrize(
    'shape, found',
    [(None, 'none'), ((17, 481, 1, 1), r'the shape \(17, 481, 1, 1\)'), ((17,), r'.* \(17,\)')],
)
def test_other_networks_are_refused(shape, found):
    state = {} if shape is None else {'ppg.heatmap_head.weight': torch.zeros(shape)}
    with pytest.raises(
        CheckpointError,
        match=f"'ppg.heatmap_head.weight' of the shape .*; found {found}, first keys ",
    ):
        checkpoints.recognize(state)


def test_every_key_that_does_not_fit_is_named():
    wanted = dict(a=torch.zeros(2), b=torch.zeros(3), c=torch.zeros(1))
    wanted['bn.num_batches_tracked'] = torch.zeros(())
    checkpoints.check_weights({key: wanted[key] for key in 'abc'}, wanted, 'abc.pth')
    found = dict(b=torch.zeros(3, 1), c=torch.ones(1, dtype=torch.int64), d=torch.zeros(1))
    complaints = [
        '  missing a',
        '  unknown d',
        '  b has the shape (3, 1), expected (3,)',
        '  c holds torch.int64, expected floating point',
    ]
    header = 'the checkpoint a.pth does not fit the network:'
    end = '4 keys do not fit; it may belong to another config'
    for shown in (None, 4):
        with pytest.raises(CheckpointError) as error:
            checkpoints.check_weights(found, wanted, 'a.pth', shown=shown)
        assert str(error.value).splitlines() == [header, *complaints, end]
    with pytest.raises(CheckpointError) as error:
        checkpoints.check_weights(found, wanted, 'a.pth', shown=1)
    assert str(error.value).splitlines() == [header, complaints[0], '  and 3 more', end]
