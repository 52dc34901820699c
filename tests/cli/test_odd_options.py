"""Settings that make no sense end in one line, whichever part of a config they are of."""

from pinet_mm import runner
from pinet_mm.cli import train
from pinet_mm.errors import InputError

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
    'log_level=-1': 'log_level must be DEBUG, INFO, WARNING or ERROR; found -1',
    'model_wrapper_cfg.type=x': 'model_wrapper_cfg.type must be a registered wrapper.*found .x.',
    'model_wrapper_cfg.type=os': 'model_wrapper_cfg.type must be a registered wrapper.*found .os.',
    'param_scheduler.0.begin=inf': '0.begin must be a finite number of at least 0; found inf',
    'log_processor.num_digits=x': 'log_processor.num_digits must be a whole number of at least 0',
    'auto_scale_lr.base_batch_size=x': 'base_batch_size must be a whole number of at least 1',
    'train_dataloader.prefetch_factor=x': 'prefetch_factor must be a whole number of at least 1',
    'default_hooks.checkpoint.filename_tmpl=5': 'checkpoint.filename_tmpl must be a text; found 5',
    'model_wrapper_cfg=5': 'model_wrapper_cfg must be a mapping; found 5',
    'compile=x': 'compile must be True, False or a mapping; found .x.',
    # names of settings
    '=1': 'an option must be named like model.type; found the name ..$',
    'model..type=1': 'an option must be named like model.type; found the name .model..type.',
    'cfg=5': 'the config has no setting cfg',
    # groups
    'model=None': 'model must be a group of settings; found None',
    'model.head=5': 'model.head must be a group of settings, or None; found 5',
    # classes
    'model.type=': 'model.type must be the name of a class; found ..$',
    'model.type=5': 'model.type must be the name of a class; found 5',
    'model.type=None': 'model.type must be the name of a class; found None',
    'param_scheduler.0.type=5': 'param_scheduler.0.type must be the name of a class; found 5',
    'model.backbone.init_cfg.checkpoint=5': 'init_cfg must have a type; found ..checkpoint.: 5',
    # yes or no, where the config says it and where it does not
    'train_cfg.by_epoch=x': 'train_cfg.by_epoch must be True or False; found .x.',
    'train_dataloader.sampler.shuffle=x': 'sampler.shuffle must be True or False; found .x.',
    'train_dataloader.pin_memory=x': 'train_dataloader.pin_memory must be True or False; found',
    'optim_wrapper.optimizer.amsgrad=x': 'optimizer.amsgrad must be True or False; found .x.',
    'auto_scale_lr.enable=x': 'auto_scale_lr.enable must be True or False; found .x.',
    'val_cfg.fp16=x': 'val_cfg.fp16 must be True or False; found .x.',
    # numbers that are used late
    'optim_wrapper.clip_grad.max_norm=x': 'clip_grad.max_norm must be a number above 0; found .x.',
    'param_scheduler.0.gamma=x': 'param_scheduler.0.gamma must be a number, or several; found .x.',
    'param_scheduler.0.milestones=[x,3]': r'milestones must be a number, or several; found \[.x.',
    'val_evaluator.prefix=5': 'val_evaluator.prefix must be a text; found 5',
    'val_evaluator.collect_device=x': 'collect_device must be one of cpu, gpu, npu, mlu, musa; fou',
    'visualizer.save_dir=5': 'visualizer.save_dir must be a text; found 5',
    'default_hooks.checkpoint.out_dir=5': 'checkpoint.out_dir must be a text; found 5',
    'default_hooks.visualization.interval=0': 'visualization.interval must be a whole number of a',
    'default_hooks.visualization.kpt_thr=x': 'visualization.kpt_thr must be a number, or several',
    'find_unused_parameters=5': 'find_unused_parameters must be True or False; found 5',
    'optim_wrapper.optimizer.fused=x': 'optimizer.fused must be True or False; found .x.',
    'optim_wrapper.optimizer.lr=nan': 'optimizer.lr must be a finite number, or several; found nan',
    'optim_wrapper.optimizer.lr=True': 'optimizer.lr must be a number, or several; found True',
    'optim_wrapper.optimizer.betas=[inf,0]': r'betas must be a finite number, or .*\[inf, 0',
    'optim_wrapper.accumulative_counts=0': 'accumulative_counts must be a whole number of at least',
    'optim_wrapper.clip_grad.max_norm=0': 'clip_grad.max_norm must be a number above 0; found 0',
    'optim_wrapper.clip_grad.max_norm=nan': 'max_norm must be a finite number above 0; found nan',
    'optim_wrapper.clip_grad.max_norm=[1,2]': r'max_norm must be a number above 0; found \[1, 2\]',
    'log_processor.mean_pattern=(': 'mean_pattern must be a regular expression; found ...',
    'train_cfg.max_epochs=9999999999': 'train_cfg.max_epochs must be at most 2147483647; found 9',
    'train_dataloader.num_workers=100000': 'num_workers must be at most 32 per core of this proces',
    # processes
    'launcher=pytorch': 'launcher is no setting of --cfg-options: name it by --launcher',
    'sync_bn=x': 'sync_bn must be torch or mmcv; found .x.',
    'env_cfg.dist_cfg.backend=5': 'backend must be gloo, nccl or another of torch; found 5',
    'env_cfg.dist_cfg.backend=cpu:x': 'backend must be gloo, nccl or another of torch; found',
    'env_cfg.dist_cfg.timeout=0': 'dist_cfg.timeout must be a number above 0; found 0',
    'env_cfg.cudnn=True': r'env_cfg has the unknown keys \[.cudnn.\]; known are',
    'compile.backend=x': 'compile.backend must be inductor, or another of torch; found .x.',
    'compile.mode=x': 'compile.mode must be default or .*; found .x.',
    # schedules
    'param_scheduler.0.begin=-1': '0.begin must be a number of at least 0; found -1',
    'param_scheduler.0.end=0': 'param_scheduler.0.end must be above its begin; found 0 and 0',
    'param_scheduler.0.gamma=-1': '0.gamma must be a number of at least 0; found -1',
    'param_scheduler.0.milestones=[1.5]': 'milestones must be a whole number of at least 0; found',
    'param_scheduler.0.milestones=5': 'milestones must be a list .*; found 5',
    'optim_wrapper.paramwise_cfg.lr_mult=1': r'paramwise_cfg has the unknown keys \[.lr_mult.\]',
    # saving
    'default_hooks.checkpoint.rule=x': 'checkpoint.rule must be greater or less; found .x.',
    'default_hooks.checkpoint.interval=0': 'checkpoint.interval must be at least 1, or -1 for nev',
    'default_hooks.checkpoint.foo=5': r'default_hooks.checkpoint has the unknown keys \[.foo.\]',
    'default_hooks.checkpoint.filename_tmpl=a.pth': 'filename_tmpl must be the name of a file in',
    'default_hooks.checkpoint.filename_tmpl=../{}.pth': 'filename_tmpl must be the name of a file',
    'default_hooks.checkpoint.save_begin=x': 'checkpoint.save_begin must be a whole number of at',
    'default_hooks.checkpoint.published_keys=5': 'CheckpointHook cannot be built from its',
    # together
    'optim_wrapper.clip_grad.foo=5': r'clip_grad has the unknown keys \[.foo.\]; known are .*norm',
    'optim_wrapper.clip_grad.type=x': 'clip_grad.type must be norm or value; found .x.',
    'optim_wrapper.clip_grad.norm_type=2': 'clip_grad must have max_norm; found',
    'auto_scale_lr.enable=True': 'auto_scale_lr.enable needs base_batch_size; found',
    'train_cfg.type=nothing': 'train_cfg must have type or by_epoch, not both; found',
    # building
    'activation_checkpointing=x': 'activation_checkpointing cannot be built .*no attribute .x.',
    'efficient_conv_bn_eval=x': 'efficient_conv_bn_eval cannot be built .*no attribute .x.',
    'model.type=NoSuchModel': 'NoSuchModel is not in the',
    'model.backbone=None': 'cfg should be a dict',
    'model.backbone.foo=1': 'ToyBackbone.* unexpected keyword argument .foo.',
    'optim_wrapper.optimizer.lr=abc': 'optimizer.lr must be a number, or several; found .abc.',
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


@pytest.mark.parametrize(
    'words, message',
    [
        (['--cfg-options', 'a'], "argument --cfg-options: expected KEY=VALUE; found 'a'"),
        (['--cfg-options', 'a=' + '[' * 5000 + ']' * 5000], 'lists are nested too deeply'),
        (['--cfg-options', 'a=[1,2'], 'argument --cfg-options: Imbalanced brackets exist in [1,2'),
    ],
)
def test_what_is_no_option_is_one_line(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train.main([write_config(tmp_path), *words])
    written = capsys.readouterr().err.strip()
    assert message in written and '\n' not in written


@pytest.mark.parametrize(
    'words, message',
    [
        (['--on-device'], 'needs a model whose head has a PINetCodec; found the model Toy'),
        (['--on-device', '--cfg-options', 'train_cfg=None'], '--on-device needs a train_cfg'),
        (['--amp', '--cfg-options', 'optim_wrapper=None'], '--amp cannot replace .* wrapper None'),
        (
            ['--auto-scale-lr', '--cfg-options', 'auto_scale_lr.enable=False'],
            '--auto-scale-lr: the config lacks auto_scale_lr=dict.base_batch_size',
        ),
    ],
)
def test_options_that_the_config_does_not_allow_are_one_line(words, message, tmp_path):
    with pytest.raises(SystemExit, match=message) as leaving:
        train.main([write_config(tmp_path), '--work-dir', str(tmp_path), *words])
    assert leaving.value.code.startswith('error: ') and '\n' not in leaving.value.code


@pytest.mark.parametrize('option', ['default_hooks=None', 'default_hooks.checkpoint=None'])
def test_hooks_may_be_switched_off(option, tmp_path):
    cfg = runner.train_config(parse('train', write_config(tmp_path), '--cfg-options', option))
    assert cfg.train_cfg == dict(by_epoch=True, max_epochs=3, val_interval=3)


@pytest.mark.parametrize(
    'option',
    [
        'train_cfg.by_epoch=1',
        'optim_wrapper.clip_grad.max_norm=5',
        'optim_wrapper.clip_grad.max_norm=inf',
        'compile=False',
        'default_hooks.logger.interval_exp_name=1',
        'model_wrapper_cfg.type=MMDistributedDataParallel',
    ],
)
def test_settings_of_the_right_kind_stay(option, tmp_path):
    name, value = option.split('=', 1)
    cfg = runner.train_config(parse('train', write_config(tmp_path), '--cfg-options', option))
    node = cfg
    for word in name.split('.'):
        node = node[word]
    assert str(node) == value


def test_a_schedule_without_a_list_is_named_as_it_stands(tmp_path):
    config = write_config(tmp_path)
    with open(config, 'a') as file:
        file.write("param_scheduler = dict(_delete_=True, type='MultiStepLR', milestones=[-1])\n")
    with pytest.raises(InputError, match='^each of param_scheduler.milestones must be a whole'):
        runner.train_config(parse('train', config))


def test_keypoints_are_described_by_types_of_their_own(tmp_path):
    extra = 'test_dataloader = dict(dataset=dict(metainfo=dict(info=dict(type=""))))'
    assert runner.train_config(parse('train', write_config(tmp_path, extra))).model.type == 'Toy'


def test_a_group_may_be_switched_off_or_replaced_by_a_group(tmp_path):
    words = ('--cfg-options', 'model.backbone=None', 'codec.layout.parts=all')
    config = write_config(tmp_path, 'codec = dict(type="A", layout=dict(parts=dict(a=["b"])))')
    cfg = runner.train_config(parse('train', config, *words))
    assert cfg.model.backbone is None and cfg.codec.layout.parts == 'all'
