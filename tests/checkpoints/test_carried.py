"""What a checkpoint brings: metainfo where a config's file is gone, score and uncertainty."""

from pinet_mm.checkpoints.carried import as_written, carry_metainfo, carry_score, carry_uncertainty
from pinet_mm.models.codec import build_layout
from pinet_mm.runner.settings import rank_by_score

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.toys import five_metainfo

FILE = 'data/gone/metainfo.py'


@pytest.fixture
def parsed():
    """The toy's metainfo with a color and a weight of its own, as a checkpoint holds it."""
    written = five_metainfo()
    written['keypoint_info'][1]['color'] = [1, 2, 3]
    written['joint_weights'][2] = 1.5
    return parse_pose_metainfo(written)


def config():
    codec = dict(type='PINetCodec', layout=dict(metainfo=FILE))
    dataset = dict(type='CocoDataset', metainfo=dict(from_file=FILE))
    return Config(
        dict(
            codec=codec,
            model=dict(head=dict(decoder=codec)),
            test_dataloader=dict(dataset=dict(type='CombinedDataset', datasets=[dataset])),
        )
    )


def test_what_is_written_is_parsed_to_the_same(parsed):
    again = parse_pose_metainfo(as_written(parsed))
    assert again.keys() == parsed.keys()
    for name, value in parsed.items():
        if name not in ('upper_body_ids', 'lower_body_ids', 'skeleton_link_colors'):
            np.testing.assert_equal(again[name], value)


def test_layout_and_datasets_get_it_where_the_file_is_gone(parsed):
    cfg = config()
    carry_metainfo(cfg, parsed)
    names = [parsed['keypoint_id2name'][i] for i in range(5)]
    for metainfo in (
        cfg.codec.layout.metainfo,
        cfg.model.head.decoder.layout.metainfo,
        cfg.test_dataloader.dataset.datasets[0].metainfo,
    ):
        assert [each['name'] for each in metainfo['keypoint_info'].values()] == names
    layout = build_layout(cfg.codec.layout)
    assert list(layout.keypoint_names) == names
    assert list(layout.flip_indices) == list(parsed['flip_indices'])


def test_a_file_that_is_there_counts(parsed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'gone').mkdir(parents=True)
    (tmp_path / FILE).touch()
    cfg = config()
    carry_metainfo(cfg, parsed)
    assert cfg.codec.layout.metainfo == FILE


def test_a_checkpoint_without_metainfo_changes_nothing():
    cfg = config()
    carry_metainfo(cfg, {})
    assert cfg.codec.layout.metainfo == FILE


def scored(refinement, **test_cfg):
    head = dict(type='PINetHead', refinement=refinement)
    metric = dict(type='CocoMetric', score_mode='keypoint')
    evaluator = [dict(type='CocoResults', path='p.json'), metric, dict(type='DumpResults')]
    return Config(dict(model=dict(head=head, test_cfg=test_cfg), test_evaluator=evaluator))


def test_a_score_comes_with_its_weights_and_metrics_rank_by_it():
    weights = {'head.refinement.score.layers.1.weight': torch.zeros(24, 6)}
    cfg = scored(dict(type='PoseRefinement'))
    assert carry_score(cfg, weights)
    assert cfg.model.head.refinement.score == dict(hidden=24)
    rank_by_score(cfg)
    assert [each.get('score_mode') for each in cfg.test_evaluator] == ['bbox', 'bbox', None]


@pytest.mark.parametrize(
    'refinement, test_cfg, names',
    [
        (dict(), dict(), ()),  # old weights
        (dict(score=None), dict(), ('head.refinement.score.layers.1.weight',)),
        (dict(), dict(use_score=False), ('head.refinement.score.layers.1.weight',)),
        (None, dict(), ('head.refinement.score.layers.1.weight',)),
    ],
)
def test_no_score_comes_where_it_is_switched_off_or_has_no_weights(refinement, test_cfg, names):
    cfg = scored(refinement and dict(refinement, type='PoseRefinement'), **test_cfg)
    before = cfg.to_dict()
    assert not carry_score(cfg, dict.fromkeys(names, torch.zeros(24, 6)))
    assert cfg.to_dict() == before


def test_weights_of_another_shape_bring_no_score():
    odd = {'head.refinement.score.layers.1.weight': torch.tensor(1.0)}
    assert not carry_score(scored(dict(type='PoseRefinement')), odd)


UNCERTAIN = {'head.refinement.uncertainty.weight': torch.zeros(17, 6)}


@pytest.mark.parametrize('loss', [None, dict(type='SoftWeightSmoothL1Loss')])
def test_an_uncertainty_comes_with_its_weights(loss):
    cfg = scored(dict(type='PoseRefinement'))
    cfg.model.head.refine_loss = loss
    carry_uncertainty(cfg, UNCERTAIN)
    assert cfg.model.head.refinement == dict(type='PoseRefinement', uncertainty=True)
    assert cfg.model.head.refine_loss is None  # a head with uncertainty refuses the paper's
    assert 'use_uncertainty' not in cfg.model.test_cfg


@pytest.mark.parametrize(
    'refinement, weights',
    [(dict(), {}), (dict(uncertainty=False), UNCERTAIN), (None, UNCERTAIN)],
)
def test_no_uncertainty_comes_without_weights_or_against_the_config(refinement, weights):
    cfg = scored(None if refinement is None else dict(refinement, type='PoseRefinement'))
    before = cfg.to_dict()
    carry_uncertainty(cfg, weights)
    assert cfg.to_dict() == before
