"""Poses are on disk although their evaluation fails."""

import json
import os
import pickle
import signal
from types import SimpleNamespace

from pinet_mm import runner
from pinet_mm.cli.test import main
from pinet_mm.datasets.evaluation import CocoResults
from pinet_mm.errors import InputError, RunError, Stopped
from pinet_mm.runner import keeping, settings

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmpose.registry import METRICS, MODELS

from tests.helpers.toy_runs import BATCH, SAMPLES, Toy, parse, write_config


@METRICS.register_module()
class Fails(BaseMetric):
    """A metric that fails after the last image."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        raise KeyError('area')


@METRICS.register_module()
class FailsAt(BaseMetric):
    """A metric that fails, or is stopped, while the run goes on: in its second batch."""

    def __init__(self, error):
        super().__init__()
        self.error, self.seen = error, 0

    def process(self, data_batch, data_samples):
        self.seen += 1
        if self.seen == 2 and self.error == 'SIGTERM':
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.seen == 2:
            raise dict(KeyError=KeyError, InputError=InputError)[self.error]('area')

    def compute_metrics(self, results):
        return {}


@MODELS.register_module()
class Posing(Toy):
    """A toy that finds one pose in each image."""

    def forward(self, x, y, mode='tensor'):
        pose = dict(keypoints=np.ones((1, 2, 2)), keypoint_scores=np.full((1, 2), 0.5))
        images = [round(SAMPLES * each) for each in x[:, 1].tolist()]
        return [dict(img_id=image, pred_instances=pose) for image in images]


def options_of_failing(folder, trained, error):
    config = write_config(
        folder,
        "model = dict(type='mmpose.Posing')\n"
        f"test_evaluator = dict(_delete_=True, type='mmpose.FailsAt', error={error!r})",
    )
    files = ('--json', folder / 'a.json', '--dump', folder / 'a.pkl')
    return (config, trained / 'epoch_3.pth', '--work-dir', folder, *files)


def require_first_batches(folder):
    entries = json.loads((folder / 'a.json').read_text())
    assert [each['image_id'] for each in entries] == list(range(2 * BATCH))
    dumped = pickle.loads((folder / 'a.pkl').read_bytes())
    assert [each['img_id'] for each in dumped] == list(range(2 * BATCH))


@pytest.mark.parametrize(
    'error, kind', [('KeyError', KeyError), ('InputError', InputError), ('SIGTERM', Stopped)]
)
def test_poses_are_written_where_a_run_fails_before_its_end(tmp_path, trained, error, kind):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(kind) as caught:
        runner.test(parse('test', *options_of_failing(tmp_path, trained, error)))
    require_first_batches(tmp_path)
    assert sorted(caught.value.__notes__) == [
        f'the poses of the 4 images before are in {tmp_path / name}' for name in ('a.json', 'a.pkl')
    ]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize('count, words', [(1, 'the image before'), (3, 'the 3 images before')])
def test_one_image_is_one(tmp_path, count, words):
    metric = Fails()
    metric.results = [None] * count
    metric.out_file_path, metric.compute_metrics = str(tmp_path / 'a.pkl'), lambda results: {}
    assert keeping._write(metric) == f'the poses of {words} are in {tmp_path}/a.pkl'


def test_the_command_says_where_they_are(tmp_path, trained):
    words = [str(each) for each in options_of_failing(tmp_path, trained, 'InputError')]
    with pytest.raises(SystemExit, match=r'^error: area; the poses of the 4 .* are in .*a\.json'):
        main(words)


def test_a_bug_keeps_its_traceback_and_the_sentence(tmp_path, trained):
    words = [str(each) for each in options_of_failing(tmp_path, trained, 'KeyError')]
    with pytest.raises(KeyError, match='area') as caught:
        main(words)
    assert caught.traceback[-1].name == 'process' and len(caught.value.__notes__) == 2


def test_the_error_counts_where_they_cannot_be_written_either(tmp_path, trained, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('pinet_mm.datasets.evaluation.write_whole', full)
    with pytest.raises(KeyError, match='area') as caught:
        runner.test(parse('test', *options_of_failing(tmp_path, trained, 'KeyError')))
    said = ' '.join(caught.value.__notes__)
    assert 'a.json could not be written: [Errno 28] No space left' in said
    assert (tmp_path / 'a.pkl').is_file()


@pytest.mark.parametrize('rank, name', [(0, 'poses.json'), (1, 'poses.rank1.json')])
def test_each_process_has_a_file_of_its_own(rank, name, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, 'get_rank', lambda: rank)
    metric = CocoResults(str(tmp_path / 'poses.json'))
    pose = dict(keypoints=np.ones((1, 2, 2)), keypoint_scores=np.full((1, 2), 0.5))
    metric.process({}, [dict(img_id=7 + rank, pred_instances=pose)])
    going = SimpleNamespace(_test_loop=SimpleNamespace(evaluator=Evaluator([metric])))
    with pytest.raises(KeyError), keeping.keeping_poses(going):
        raise KeyError('area')
    (entry,) = json.loads((tmp_path / name).read_text())
    assert entry['image_id'] == 7 + rank and len(list(tmp_path.iterdir())) == 1


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
