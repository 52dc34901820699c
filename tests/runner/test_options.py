"""Options become settings of the config."""

import os
from pathlib import Path

from pinet_mm import runner
from pinet_mm.runner.annotations import check_annotations

import pytest
import torch
from mmengine.config import Config

from tests.helpers.toy_runs import parse, write_config


def test_options_of_speed_become_a_hook(tmp_path):
    config, checkpoint = write_config(tmp_path), tmp_path / 'weights.pth'
    checkpoint.touch()
    for options, wanted in ((['--amp'], (True, False)), (['--amp', '--compile'], (True, True))):
        cfg = runner.test_config(
            parse('test', config, checkpoint, *options, '--cfg-options', 'model.type=PINet')
        )
        *_, hook = cfg.custom_hooks
        assert (hook.type, hook.amp, hook.compile) == ('AccelerateHook', *wanted)
    plain = runner.test_config(parse('test', config, checkpoint)).custom_hooks
    assert 'AccelerateHook' not in [hook.type for hook in plain]


class Started(Exception):
    """A runner was asked for."""


@pytest.fixture
def started(monkeypatch):
    """Stop a run where its runner is built; holds the LOCAL_RANK that the runner would find."""
    found = []

    def stop(cfg):
        found.append(os.environ.get('LOCAL_RANK'))
        raise Started

    monkeypatch.delenv('LOCAL_RANK', raising=False)
    for name, value in dict(RANK=0, WORLD_SIZE=1, MASTER_ADDR='127.0.0.1', MASTER_PORT=1).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(runner.run.QuietRunner, 'from_cfg', stop)
    return found


def start(tool, *words):
    with pytest.raises(Started):
        getattr(runner, tool)(parse(tool, *words))


def test_reading_a_config_leaves_the_environment_alone(tmp_path, trained, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    words = (write_config(tmp_path), '--launcher', 'pytorch', '--local_rank=3')
    runner.train_config(parse('train', *words))
    runner.test_config(parse('test', *words, trained / 'epoch_3.pth'))
    assert 'LOCAL_RANK' not in os.environ


@pytest.mark.parametrize('spelling', ['--local_rank=3', '--local-rank=3'])
def test_local_rank_reaches_the_runner_of_a_distributed_run(tmp_path, trained, started, spelling):
    words = (write_config(tmp_path), '--launcher', 'pytorch', spelling)
    start('train', *words)
    assert started == ['3']
    os.environ.pop('LOCAL_RANK')
    start('test', *words, trained / 'epoch_3.pth')
    assert started == ['3', '3']


def test_local_rank_of_torchrun_wins(tmp_path, started, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '1')
    start('train', write_config(tmp_path), '--launcher', 'pytorch')
    assert started == ['1']


def test_one_process_needs_no_local_rank(tmp_path, started):
    start('train', write_config(tmp_path))
    assert started == [None]


def test_work_dir_comes_from_option_then_config_then_name(tmp_path):
    named, plain = write_config(tmp_path, "work_dir = 'mine'"), write_config(tmp_path)
    assert runner.train_config(parse('train', named, '--work-dir', 'cli')).work_dir == 'cli'
    assert runner.train_config(parse('train', named)).work_dir == 'mine'
    default = runner.train_config(parse('train', plain)).work_dir
    assert default == os.path.join('work_dirs', Path(plain).stem)


def test_a_config_of_the_project_is_found_by_its_name(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('pinet_lite_photos', 'pinet_lite_photos.py'):
        cfg = runner.train_config(parse('train', name))
        assert cfg.work_dir == os.path.join('work_dirs', 'pinet_lite_photos')
        tested = runner.test_config(parse('test', name, trained / 'epoch_3.pth'))
        assert tested.filename == 'test_pinet_lite_photos.py'
    with pytest.raises(runner.RunError, match='did you mean pinet_lite_photos.py'):
        runner.train_config(parse('train', 'pinet_lite_fotos'))


def test_cfg_options_replace_settings(tmp_path):
    cfg = runner.train_config(
        parse(
            'train',
            write_config(tmp_path),
            '--cfg-options',
            'optim_wrapper.optimizer.lr=0.5',
            'model.backbone=None',
        )
    )
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.model.backbone is None


def test_cfg_options_reach_the_evaluator_beside_dump(tmp_path, trained):
    cfg = runner.test_config(
        parse(
            'test',
            write_config(tmp_path),
            trained / 'epoch_3.pth',
            '--dump',
            'p.pkl',
            '--cfg-options',
            'test_evaluator.prefix=toy',
        )
    )
    assert [metric['type'] for metric in cfg.test_evaluator] == ['DumpResults', 'ToyMetric']
    assert cfg.test_evaluator[1]['prefix'] == 'toy'


def test_no_validate_removes_the_validation(tmp_path):
    cfg = runner.train_config(parse('train', write_config(tmp_path), '--no-validate'))
    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None, None, None)


def test_auto_scale_lr_needs_the_base_batch_size(tmp_path):
    scaled = write_config(tmp_path, 'auto_scale_lr = dict(base_batch_size=40)')
    cfg = runner.train_config(parse('train', scaled, '--auto-scale-lr'))
    assert cfg.auto_scale_lr == dict(base_batch_size=40, enable=True)
    with pytest.raises(runner.RunError, match='base_batch_size'):
        runner.train_config(parse('train', write_config(tmp_path), '--auto-scale-lr'))


def test_overlays_go_to_an_absolute_folder(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = runner.test_config(
        parse(
            'test',
            write_config(tmp_path),
            trained / 'epoch_3.pth',
            '--show-dir',
            'vis',
            '--interval',
            5,
        )
    )
    hook = cfg.default_hooks.visualization
    assert (hook.enable, hook.show, hook.interval) == (True, False, 5)
    assert hook.out_dir == str(tmp_path / 'vis')


def test_overlays_stay_off_unless_asked_for(tmp_path):
    cfg = runner.train_config(parse('train', write_config(tmp_path)))
    assert cfg.default_hooks.visualization == dict(
        type='PoseVisualizationHook', enable=False, kpt_thr=0.05
    )


def test_show_waits_as_told(tmp_path):
    cfg = runner.train_config(parse('train', write_config(tmp_path), '--show', '--wait-time', 0.5))
    assert cfg.default_hooks.visualization.wait_time == 0.5
    assert cfg.default_hooks.visualization.show is True


def test_overlays_need_the_hook(tmp_path):
    config = write_config(tmp_path, 'default_hooks = dict(visualization=None)')
    with pytest.raises(runner.RunError, match='lacks default_hooks.visualization'):
        runner.train_config(parse('train', config, '--show'))


def test_badcase_needs_the_hook(tmp_path, trained):
    with pytest.raises(runner.RunError, match='lacks default_hooks.badcase'):
        runner.test_config(
            parse('test', write_config(tmp_path), trained / 'epoch_3.pth', '--badcase')
        )


def test_badcase_shows_instead_of_the_overlays(tmp_path, trained):
    config = write_config(
        tmp_path, "default_hooks = dict(badcase=dict(type='X', metric_type='accuracy'))"
    )
    cfg = runner.test_config(
        parse('test', config, trained / 'epoch_3.pth', '--badcase', '--show', '--interval', 3)
    )
    assert cfg.default_hooks.visualization.enable is False
    assert cfg.default_hooks.badcase == dict(
        type='X',
        metric_type='accuracy',
        enable=True,
        show=True,
        interval=3,
        wait_time=1,
        metric=dict(type='ToyMetric'),
    )


@pytest.mark.parametrize('option', ['--out', '--dump', '--json'])
def test_result_files_are_refused_before_the_run(tmp_path, trained, option):
    with pytest.raises(runner.RunError, match=f'{option} result.txt: the name must end in'):
        runner.test_config(
            parse('test', write_config(tmp_path), trained / 'epoch_3.pth', option, 'result.txt')
        )


@pytest.mark.parametrize('cuda', [True, False])
def test_gloo_and_plain_ddp_without_cuda(tmp_path, monkeypatch, cuda):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    cfg = runner.train_config(parse('train', write_config(tmp_path), '--launcher', 'pytorch'))
    assert cfg.env_cfg.dist_cfg.backend == ('nccl' if cuda else 'gloo')
    assert cfg.get('model_wrapper_cfg') == (
        None
        if cuda
        else dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=False,
        )
    )


def test_one_process_needs_no_gloo(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = runner.train_config(parse('train', write_config(tmp_path)))
    assert 'model_wrapper_cfg' not in cfg


def test_model_wrapper_of_the_config_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    config = write_config(tmp_path, 'model_wrapper_cfg = dict(find_unused_parameters=True)')
    cfg = runner.train_config(parse('train', config, '--launcher', 'pytorch'))
    assert cfg.model_wrapper_cfg.find_unused_parameters is True
    assert cfg.model_wrapper_cfg.device_ids is None


def test_missing_annotations_are_named_before_anything_is_downloaded(tmp_path):
    dataset = dict(data_root=str(tmp_path), ann_file='a.json')
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=None))
    with pytest.raises(runner.RunError, match='a.json of train_dataloader does not exist'):
        check_annotations(cfg, 'train_dataloader', 'val_dataloader')
