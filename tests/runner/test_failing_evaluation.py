"""Poses are on disk although their evaluation fails."""

import json
import pickle

from pinet_mm import runner
from pinet_mm.errors import RunError
from pinet_mm.runner import settings

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmpose.registry import METRICS

from tests.helpers.toy_runs import SAMPLES, parse, write_config


@METRICS.register_module()
class Fails(BaseMetric):
    """A metric that fails after the last image."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        raise KeyError('area')


def test_predictions_of_a_run_are_dumped_before_its_metric_fails(tmp_path, trained):
    config = write_config(tmp_path, "test_evaluator = dict(_delete_=True, type='mmpose.Fails')")
    dump = tmp_path / 'found.pkl'
    options = ('--work-dir', tmp_path, '--dump', dump)
    with pytest.raises(KeyError, match='area'):
        runner.test(parse('test', config, trained / 'epoch_3.pth', *options))
    assert len(pickle.loads(dump.read_bytes())) == SAMPLES


@pytest.mark.parametrize('given', [dict(type='Fails'), [dict(type='Fails'), dict(type='Fails')]])
def test_poses_are_written_before_a_metric_fails(given, tmp_path):
    cfg = Config(dict(test_evaluator=given))
    settings.write_poses(cfg, str(tmp_path / 'poses.json'))
    pose = dict(keypoints=np.ones((1, 2, 2)), keypoint_scores=np.full((1, 2), 0.5))
    evaluator = Evaluator([METRICS.build(each) for each in cfg.test_evaluator])
    evaluator.process([dict(img_id=7, pred_instances=pose)], {})
    with pytest.raises(KeyError, match='area'):
        evaluator.evaluate(1)
    (entry,) = json.loads((tmp_path / 'poses.json').read_text())
    assert entry == dict(image_id=7, category_id=1, keypoints=[1, 1, 0.5] * 2, score=0.5)


@pytest.mark.parametrize(
    'write, option, name',
    [
        (settings.write_poses, '--json', 'a.json'),
        (settings.dump_predictions, '--dump', 'a.pkl'),
    ],
)
def test_poses_of_several_datasets_fit_into_no_one_file(write, option, name):
    several = dict(type='MultiDatasetEvaluator', metrics=[dict(type='Fails')], datasets=[{}])
    with pytest.raises(RunError, match=f'{option} writes the poses of one dataset; .* is a Multi'):
        write(Config(dict(test_evaluator=several)), name)
