"""An evaluation takes score and uncertainty that a checkpoint brings along."""

from pinet_mm.checkpoints import Checkpoint
from pinet_mm.runner import run
from pinet_mm.runner.options import TestOptions
from pinet_mm.runner.settings import dump_predictions, write_poses

import pytest
import torch
from mmengine.config import Config

CONFIG = 'pinet_hrnet-slim_crowdsynth_demo.py'
WEIGHT = 'head.refinement.score.layers.1.weight'
UNCERTAINTY = 'head.refinement.uncertainty.weight'


class Settled(Exception):
    """Carries the config of an evaluation that stops before it builds a model."""


@pytest.fixture
def settle(tmp_path, monkeypatch):
    """A function that returns the config of an evaluation of weights with the given names."""
    file = tmp_path / 'weights.pth'
    file.touch()

    def settled(cfg, *loaders):
        raise Settled(cfg)

    def config_for(*names):
        weights = dict.fromkeys(names, torch.zeros(24, 6))
        monkeypatch.setattr(run, 'read_checkpoint', lambda source: Checkpoint(weights, {}, source))
        with pytest.raises(Settled) as stopped:
            run.test(TestOptions(config=CONFIG, checkpoint=str(file), work_dir=str(tmp_path)))
        return stopped.value.args[0]

    monkeypatch.setattr(run, 'follow_layout', settled)
    return config_for


@pytest.mark.parametrize(
    'names, mode', [((WEIGHT,), 'bbox'), ((), 'keypoint'), ((UNCERTAINTY,), 'keypoint')]
)
def test_metrics_rank_by_a_score_that_comes_with_the_weights(names, mode, settle):
    assert settle(*names).test_evaluator.score_mode == mode


@pytest.mark.parametrize('names, comes', [((UNCERTAINTY,), True), ((WEIGHT,), False)])
def test_an_uncertainty_comes_with_the_weights(names, comes, settle):
    assert settle(*names).model.head.refinement.get('uncertainty', False) == comes


def test_poses_are_written_with_the_score_that_ranks_them_beside_a_dump():
    evaluator = [dict(type='CocoMetric', score_mode='bbox')]
    cfg = Config(dict(test_evaluator=evaluator))
    dump_predictions(cfg, 'outputs.pkl')
    write_poses(cfg, 'poses.json')
    (written,) = (each for each in cfg.test_evaluator if each['type'] == 'CocoResults')
    assert written.get('score_mode') == 'bbox'
