"""AP with and without a score: the settings are those of the config, the runs are in order."""

from pathlib import Path

from pinet_mm.configs import read_config
from pinet_mm.errors import InputError

import pytest

from studies import scores


@pytest.fixture
def data(tmp_path):
    for name in ('train.json', 'val.json'):
        (tmp_path / name).touch()
    (tmp_path / 'images').mkdir()
    return tmp_path


def test_all_of_the_config_reads_the_folder_that_is_named(data):
    cfg = read_config(scores.CONFIG, scores.data_options(data))
    members = cfg.train_dataloader.dataset.datasets
    loaders = cfg.val_dataloader, cfg.test_dataloader
    found = [*(each.data_root for each in members), *(each.dataset.data_root for each in loaders)]
    assert found == [str(data)] * 4
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert Path(evaluator.ann_file) == data / 'val.json'
    (data / 'val.json').unlink()
    with pytest.raises(InputError, match=r'must hold val\.json; docs/data\.md'):
        scores.data_options(data)


def test_both_evaluations_are_of_the_weights_that_were_trained(data, monkeypatch, capsys):
    runs = []
    monkeypatch.setattr(scores.runner, 'train', lambda options: runs.append(options))
    monkeypatch.setattr(
        scores.runner, 'test', lambda options: runs.append(options) or {'coco/AP': 0.25}
    )
    monkeypatch.setattr(scores, 'cost', lambda checkpoint, image: (65, dict(without=1.0)))
    scores.main([str(data), '--weights', 'base.pth', '--out', str(data / 'out')])
    trained, without, scored = runs
    assert trained.cfg_options['load_from'] == 'base.pth'
    for run, used, mode in ((without, False, 'keypoint'), (scored, True, 'bbox')):
        assert run.checkpoint == str(data / 'out' / 'epoch_1.pth')
        assert run.cfg_options['model.test_cfg.use_score'] is used
        assert run.cfg_options['test_evaluator.score_mode'] == mode
        read_config(run.config, run.cfg_options)
    assert 'expected OKS coco/AP 0.250' in capsys.readouterr().out


def test_a_folder_without_the_photographs_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=rf'^error: {tmp_path} must hold train\.json; '):
        scores.main([str(tmp_path)])
