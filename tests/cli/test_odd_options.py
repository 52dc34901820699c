"""Settings that make no sense end in one line, whichever part of a config they are of."""

from pinet_mm import runner
from pinet_mm.cli import train

import pytest

from tests.helpers.toy_runs import parse, write_config

PIPELINE = 'train_dataloader = dict(dataset=dict(pipeline=[dict(type="A"), dict(type="B")]))'
# Option -> what its line has to say.
REFUSED = {
    # merging
    'train_dataloader.dataset.pipeline.99.type=X': 'pipeline.99.type cannot be set in this config',
    'train_dataloader.dataset.pipeline.a.type=X': 'pipeline.a.type cannot be set in this config',
    'train_dataloader.dataset.pipeline=abc': 'must be a list of settings, or None; found .abc.',
    'model=5': 'model must be a group of settings, or None; found 5',
    'model.backbone=abc': 'model.backbone must be a group of settings, or None; found .abc.',
    'train_dataloader.sampler=abc': 'train_dataloader.sampler must be a group of settings',
    'param_scheduler=abc': 'param_scheduler must be a list of settings, or None; found .abc.',
    'default_hooks=abc': 'default_hooks must be a group of settings, or None; found .abc.',
    'randomness=1': 'randomness must be a group of settings, or None; found 1',
    # numbers and words
    'train_cfg.max_epochs=abc': 'train_cfg.max_epochs must be a whole number of at least 1; found',
    'train_cfg.max_epochs=0': 'train_cfg.max_epochs must be a whole number of at least 1; found 0',
    'train_cfg.val_interval=0': 'train_cfg.val_interval must be a whole number of at least 1',
    'train_dataloader.batch_size=0': 'train_dataloader.batch_size must be a whole number',
    'train_dataloader.num_workers=-1': 'num_workers must be a whole number of at least 0; found -1',
    'val_dataloader.num_workers=abc': 'num_workers must be a whole number of at least 0; found',
    'default_hooks.logger.interval=0': 'default_hooks.logger.interval must be a whole number',
    'default_hooks.checkpoint.interval=abc': 'checkpoint.interval must be a whole number of at',
    'randomness.seed=abc': 'randomness.seed must be a whole number of at least 0; found .abc.',
    'train_dataloader.sampler.seed=abc': 'sampler.seed must be a whole number of at least 0; found',
    'log_processor.window_size=abc': 'log_processor.window_size must be a whole number of at least',
    'auto_scale_lr=5': 'auto_scale_lr must be a mapping; found 5',
    'model.backbone.init_cfg=5': 'model.backbone.init_cfg must be a mapping; found 5',
    'model.backbone.init_cfg=[5]': 'model.backbone.init_cfg must be a mapping; found 5',
    'custom_hooks=[5]': 'each of custom_hooks must be a mapping; found 5',
    'resume=abc': 'resume must be True or False; found .abc.',
    'load_from=5': 'load_from must be a text; found 5',
    'log_level=LOUD': 'log_level must be DEBUG, INFO, WARNING or ERROR; found .LOUD.',
    'log_level=[1]': r'log_level must be DEBUG, INFO, WARNING or ERROR; found \[1\]',
    'log_level=True': 'log_level must be DEBUG, INFO, WARNING or ERROR; found True',
    # building
    'model.type=NoSuchModel': 'NoSuchModel is not in the',
    'model.backbone=None': 'cfg should be a dict',
    'model.backbone.foo=1': 'ToyBackbone.* unexpected keyword argument .foo.',
    'optim_wrapper.optimizer.lr=abc': 'Adam cannot be built from its settings: TypeError: .*debug',
    'optim_wrapper.optimizer.lr=-1': 'Adam cannot be built from its settings: ValueError: Invalid',
    'train_dataloader.foo=1': 'dataloader cannot be built from its settings: TypeError',
    'train_cfg.foo=1': 'EpochBasedTrainLoop',
    'env_cfg.mp_cfg.mp_start_method=abc': 'the runner cannot be built from its settings: ValueErr',
    'visualizer.type=NoVisualizer': 'NoVisualizer is not in the',
    'custom_hooks.0.type=NoHook': 'NoHook is not in the',
    'val_evaluator.foo=1': 'ToyMetric.* unexpected keyword argument .foo.',
}


@pytest.mark.parametrize('folder', ['/dev/null', '/proc/none', 'a' * 300])
def test_a_work_folder_that_cannot_be_is_one_line(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='^error: the work folder cannot be used: ') as leaving:
        train.main([write_config(tmp_path), '--work-dir', folder])
    assert '\n' not in leaving.value.code


@pytest.mark.parametrize('option', REFUSED)
def test_a_setting_that_makes_no_sense_is_one_line(option, tmp_path):
    config = write_config(tmp_path, PIPELINE if 'pipeline' in option else '')
    with pytest.raises(SystemExit, match=REFUSED[option]) as leaving:
        train.main([config, '--work-dir', str(tmp_path), '--cfg-options', option])
    assert leaving.value.code.startswith('error: ') and '\n' not in leaving.value.code
    with pytest.raises(Exception) as shown:
        train.main([config, '--work-dir', str(tmp_path), '--debug', '--cfg-options', option])
    assert not isinstance(shown.value, SystemExit)


def test_a_group_may_be_switched_off_or_replaced_by_a_group(tmp_path):
    words = ('--cfg-options', 'model.backbone=None', 'codec.layout.parts=all')
    config = write_config(tmp_path, 'codec = dict(type="A", layout=dict(parts=dict(a=["b"])))')
    cfg = runner.train_config(parse('train', config, *words))
    assert cfg.model.backbone is None and cfg.codec.layout.parts == 'all'
