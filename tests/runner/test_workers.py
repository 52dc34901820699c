"""Data workers are fitted to the cores of the process, and it is said once."""

from pinet_mm import runner
from pinet_mm.runner import first_process, settings

import pytest
from mmengine.config import Config

from tests.helpers.toy_runs import parse, write_config

EIGHT = """
train_dataloader = dict(num_workers=8, persistent_workers=True)
val_dataloader = dict(num_workers=4, persistent_workers=True)
test_dataloader = dict(num_workers=0)
"""


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(first_process, 'print_log', lambda text, *_: lines.append(text))
    return lines


@pytest.fixture
def cores(monkeypatch):
    return lambda count: monkeypatch.setattr(
        settings.os, 'sched_getaffinity', lambda _: set(range(count)), raising=False
    )


def workers(cfg):
    return [cfg[name].get('num_workers') for name in settings.LOADERS]


@pytest.mark.parametrize('count, found', [(2, [2, 2, 0]), (6, [6, 4, 0]), (64, [8, 4, 0])])
def test_no_more_workers_than_cores(tmp_path, said, cores, count, found):
    cores(count)
    assert workers(runner.train_config(parse('train', write_config(tmp_path, EIGHT)))) == found
    assert len(said) == (count < 8)
    if count == 2:
        assert said == [
            '2 cores for this process: train_dataloader.num_workers 2 in place of 8, '
            'val_dataloader.num_workers 2 in place of 4'
        ]


def test_an_option_is_obeyed(tmp_path, said, cores):
    cores(1)
    words = ('--cfg-options', 'train_dataloader.num_workers=3', 'val_dataloader.num_workers=0')
    cfg = runner.train_config(parse('train', write_config(tmp_path, EIGHT), *words))
    assert workers(cfg) == [3, 0, 0] and not said
    assert not cfg.val_dataloader.persistent_workers


@pytest.mark.parametrize('count, found', [(3, 3), (64, 8)])
def test_a_loader_without_the_setting_gets_one_per_core(said, cores, count, found):
    cores(count)
    cfg = Config(dict(train_dataloader=dict(batch_size=2), val_dataloader=None))
    settings.fit_workers(cfg, {})
    assert cfg.train_dataloader.num_workers == found
    assert said == [f'{count} cores for this process: train_dataloader.num_workers {found}']


def test_the_processes_of_a_machine_share_its_cores(monkeypatch, said, cores):
    cores(8)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    monkeypatch.setenv('LOCAL_RANK', '1')
    cfg = Config(dict(train_dataloader=dict(num_workers=8)))
    settings.fit_workers(cfg, {})
    assert cfg.train_dataloader.num_workers == 2 and not said  # the first process says it
