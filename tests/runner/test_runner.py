"""The training and test tools, on a toy model: options, settings, messages, resuming, bfloat16."""

import ast
import importlib.util
import itertools
import json
import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm import runner
from pinet_mm.runner.weights import fetch

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn

ROOT = Path(__file__).parents[2]
# Nothing listens on port 9: the connection is refused at once, with or without a network.
NOWHERE = 'https://127.0.0.1:9/hrnet_w32.pth'
SAMPLES, BATCH = 12, 2

# --- a toy that trains in milliseconds -----------------------------------------------------------


class Killed(BaseException):
    """What stands for a kill: nothing in mmengine catches it."""


@MODELS.register_module()
class ToyBackbone(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.linear = nn.Linear(3, 4)
        nn.init.constant_(self.linear.weight, 0.1)

    def forward(self, x):
        return self.linear(x)


@MODELS.register_module()
class Toy(BaseModel):
    kill_at = None  # number of the forward pass in training that is killed

    def __init__(self, backbone, wide=False):
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.head = nn.Linear(4, 2 if wide else 1)
        nn.init.constant_(self.head.weight, 0.2)
        self.idle = nn.BatchNorm1d(1, affine=False)  # buffers for SyncBuffersHook to average
        self.passes, self.dtype = 0, None

    def forward(self, x, y, mode='tensor'):
        output = self.head(self.backbone(x))
        self.dtype = output.dtype
        if mode == 'predict':
            return [dict(error=error.item()) for error in (output.float() - y).abs().sum(1)]
        self.passes += 1
        if self.passes == Toy.kill_at:
            raise Killed
        return dict(loss=(output.float() - y).square().mean())


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        x = torch.tensor([1.0, index / SAMPLES, (index % 5) / 5])
        return dict(x=x, y=x.sum()[None])


@METRICS.register_module()
class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(sample['error'] for sample in data_samples)

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results), count=len(results))


CONFIG = f"""
_base_ = [{str(ROOT / 'configs/_base_/runtime.py')!r}]
custom_imports = dict(imports=['pinet_mm', 'tests.runner.test_runner'])
model = dict(type='Toy', backbone=dict(type='ToyBackbone'))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.01))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[11, 15], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=3)
val_cfg = dict()
test_cfg = dict()
train_dataloader = dict(
    batch_size={BATCH}, num_workers=0, collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size={BATCH}, num_workers=0, collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
"""

numbers = itertools.count()


def write_config(folder, extra=''):
    # mmengine shares logs between runs of one name that start in the same second.
    path = folder / f'toy_{next(numbers)}.py'
    (folder / 'base.py').write_text(CONFIG)
    path.write_text(f"_base_ = ['base.py']\n{extra}")
    return str(path)


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(tool, *words):
    return load_tool(tool).make_parser().parse_args([str(word) for word in words])


def train(folder, *options, extra=''):
    runner.train(parse('train', write_config(folder, extra), '--work-dir', folder, *options))


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


@pytest.fixture(autouse=True)
def clean_process(monkeypatch):
    """Keep what the tools set in this process from reaching other tests."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(Toy, 'kill_at', None)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A finished training: its work folder with epoch_3.pth."""
    folder = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('LOCAL_RANK', '0')
        train(folder, extra='default_hooks = dict(checkpoint=dict(interval=1))')
    return folder


# --- command lines -------------------------------------------------------------------------------


def mmpose_options(tool):
    """Read the names that MMPose's tool passes to add_argument."""
    package = Path(importlib.util.find_spec('mmpose').origin).parent
    tree = ast.parse((package / '.mim' / 'tools' / f'{tool}.py').read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == 'add_argument'
    ]
    return [arg.value for call in calls for arg in call.args]


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_options_are_those_of_mmpose(tool):
    actions = load_tool(tool).make_parser()._actions
    ours = [name for action in actions for name in action.option_strings or [action.dest]]

    assert len(mmpose_options(tool)) > 10
    added = {'--json', '--amp', '--compile'} if tool == 'test' else set()
    assert set(ours) - {'-h', '--help'} == set(mmpose_options(tool)) | added
    assert not added & set(mmpose_options(tool))
    positional = [name for name in ours if not name.startswith('-')]
    assert positional == [name for name in mmpose_options(tool) if not name.startswith('-')]


@pytest.mark.parametrize('option', ['activation_checkpointing=backbone', 'sync_bn=torch'])
def test_switches_of_mmengine_train_the_same(tmp_path, option):
    for name, options in (('plain', []), ('switched', ['--cfg-options', option])):
        (tmp_path / name).mkdir()
        train(tmp_path / name, *options)
    plain, switched = (weights(tmp_path / name / 'epoch_3.pth') for name in ('plain', 'switched'))
    assert plain.keys() == switched.keys()
    for key, value in plain.items():
        torch.testing.assert_close(switched[key], value, msg=key)


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


def test_help_does_not_look_like_mmcv_1():
    # mim adds --gpus or --device to the command if the help of train.py has the word in it.
    assert '--gpus' not in load_tool('train').make_parser().format_help()


def test_resume_takes_a_path_or_nothing():
    assert parse('train', 'c.py').resume is None
    assert parse('train', 'c.py', '--resume').resume == 'auto'
    assert parse('train', 'c.py', '--resume', 'a.pth').resume == 'a.pth'


@pytest.mark.parametrize('spelling', ['--local_rank=3', '--local-rank=3'])
def test_local_rank_reaches_the_environment(tmp_path, monkeypatch, spelling):
    monkeypatch.delenv('LOCAL_RANK')
    runner.train_config(parse('train', write_config(tmp_path), spelling))
    assert os.environ['LOCAL_RANK'] == '3'


def test_local_rank_of_torchrun_wins(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '1')
    runner.train_config(parse('train', write_config(tmp_path)))
    assert os.environ['LOCAL_RANK'] == '1'


# --- options become settings ---------------------------------------------------------------------


def test_work_dir_comes_from_option_then_config_then_name(tmp_path):
    named, plain = write_config(tmp_path, "work_dir = 'mine'"), write_config(tmp_path)
    assert runner.train_config(parse('train', named, '--work-dir', 'cli')).work_dir == 'cli'
    assert runner.train_config(parse('train', named)).work_dir == 'mine'
    default = runner.train_config(parse('train', plain)).work_dir
    assert default == os.path.join('work_dirs', Path(plain).stem)


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
    assert [metric['type'] for metric in cfg.test_evaluator] == ['ToyMetric', 'DumpResults']
    assert cfg.test_evaluator[0]['prefix'] == 'toy'


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


# --- mixed precision -----------------------------------------------------------------------------


def build_wrapper(model, **settings):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return runner.CPUAmpOptimWrapper(optimizer=optimizer, **settings)


def test_cpu_amp_computes_in_bfloat16_and_learns():
    torch.manual_seed(0)
    model, x = Toy(dict(type='ToyBackbone')), torch.rand(8, 3)
    data = dict(x=x, y=x.sum(1, keepdim=True))
    wrapper = build_wrapper(model, dtype='bfloat16')
    losses = [model.train_step(data, wrapper)['loss'].item() for _ in range(30)]

    assert model.dtype is torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[-1] < 0.2 * losses[0]
    with wrapper.optim_context(model):
        loss = model(**data, mode='loss')['loss']
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert model(x, data['y'])['loss'].dtype is torch.float32
    assert model.dtype is torch.float32  # outside the context


class Synced(nn.Linear):
    """A model that counts, as DDP has it, how often it was told not to synchronize gradients."""

    unsynced = 0

    @contextmanager
    def no_sync(self):
        self.unsynced += 1
        yield


def test_cpu_amp_accumulates_gradients_without_synchronizing_them():
    model = Synced(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    wrapper = build_wrapper(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    seen = []
    for _ in range(4):
        with wrapper.optim_context(model):
            loss = -model(torch.ones(1, 1)).float().sum()
        wrapper.update_params(loss)
        seen.append((round(model.weight.item(), 4), model.unsynced))
    assert seen == [(0.0, 1), (0.1, 1), (0.1, 2), (0.2, 2)]


def test_cpu_amp_refuses_float16():
    with pytest.raises(ValueError, match="must be 'bfloat16' on a CPU, got 'float16'"):
        build_wrapper(nn.Linear(1, 1), dtype='float16')


def test_cpu_amp_refuses_a_model_elsewhere():
    model = nn.Linear(1, 1, device='meta')
    with pytest.raises(RuntimeError, match='the model is on meta: use AmpOptimWrapper'):
        with build_wrapper(model).optim_context(model):
            pass


def test_amp_option_on_a_cpu(tmp_path, monkeypatch, bfloat16):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cpu')
    config = write_config(
        tmp_path, "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale=512., use_fsdp=True)"
    )
    wrapper = runner.train_config(parse('train', config, '--amp')).optim_wrapper
    assert wrapper.type == 'CPUAmpOptimWrapper'
    assert set(wrapper) == {'type', 'optimizer'}


def test_amp_option_on_a_cpu_without_bfloat16(tmp_path, monkeypatch, without_bfloat16):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cpu')
    config = write_config(
        tmp_path, "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale=512., dtype='bfloat16')"
    )
    wrapper = runner.train_config(parse('train', config, '--amp')).optim_wrapper
    assert wrapper.type == 'OptimWrapper' and set(wrapper) == {'type', 'optimizer'}
    assert len(without_bfloat16) == 1 and '--amp' in without_bfloat16[0]


def test_amp_option_on_a_gpu_keeps_the_dtype(tmp_path, monkeypatch):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cuda')
    wrapper = runner.train_config(
        parse(
            'train',
            write_config(tmp_path),
            '--amp',
            '--cfg-options',
            'optim_wrapper.dtype=bfloat16',
        )
    ).optim_wrapper
    assert (wrapper.type, wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    assert wrapper.dtype == 'bfloat16'


def test_amp_option_refuses_other_wrappers(tmp_path):
    config = write_config(tmp_path, "optim_wrapper = dict(type='ApexOptimWrapper')")
    with pytest.raises(runner.RunError, match='--amp cannot replace .* ApexOptimWrapper'):
        runner.train_config(parse('train', config, '--amp'))


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
def test_training_with_amp_on_a_cpu(tmp_path, trained, bfloat16):
    train(tmp_path, '--amp')
    half, full = weights(tmp_path / 'epoch_3.pth'), weights(trained / 'epoch_3.pth')
    difference = max((half[key] - full[key]).abs().max() for key in full)
    assert 0 < difference < 0.02
    assert torch.bfloat16 not in {value.dtype for value in half.values()}


# --- plain errors --------------------------------------------------------------------------------


def run_tool(monkeypatch, tool, *words):
    """Run the tool's main as from a shell; return what it prints on leaving."""
    monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, words)])
    main = load_tool(tool).main
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code  # a text: Python prints it and exits with status 1


def test_missing_config_is_named(monkeypatch):
    expected = 'error: the config file no/such.py does not exist'
    assert run_tool(monkeypatch, 'train', 'no/such.py') == expected
    assert run_tool(monkeypatch, 'test', 'no/such.py', 'a.pth') == expected


def test_missing_checkpoint_is_named(monkeypatch, tmp_path):
    config = write_config(tmp_path)
    expected = "error: the checkpoint 'no/such.pth' does not exist"
    assert run_tool(monkeypatch, 'test', config, 'no/such.pth') == expected
    assert run_tool(monkeypatch, 'train', config, '--resume', 'no/such.pth') == expected
    assert (
        run_tool(monkeypatch, 'train', config, '--cfg-options', 'load_from=no/such.pth') == expected
    )


PRETRAINED = f"""
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{NOWHERE}')))
"""


def test_unreachable_pretrained_weights_are_explained(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    message = run_tool(
        monkeypatch, 'train', write_config(tmp_path, PRETRAINED), '--work-dir', tmp_path
    )
    assert message.startswith(f'error: the pretrained weights {NOWHERE} of model.backbone ')
    assert 'Connection refused' in message
    assert '--cfg-options model.backbone.init_cfg.checkpoint=/path/to/hrnet_w32.pth' in message
    assert '--cfg-options model.backbone.init_cfg=None' in message
    assert '\n' not in message


def test_damaged_pretrained_weights_are_explained(tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_text('<html>login</html>')
    with pytest.raises(runner.RunError, match=f'{path} of model.backbone could not be') as error:
        train(
            tmp_path,
            '--cfg-options',
            f'model.backbone.init_cfg.checkpoint={path}',
            extra=PRETRAINED,
        )
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('start', ['local copy', 'random weights'])
def test_the_advice_helps(tmp_path, start):
    path = tmp_path / 'local.pth'
    torch.save({'linear.weight': torch.full((4, 3), 7.0), 'linear.bias': torch.zeros(4)}, path)
    option = {'local copy': f'init_cfg.checkpoint={path}', 'random weights': 'init_cfg=None'}[start]
    train(tmp_path, '--cfg-options', f'model.backbone.{option}', extra=PRETRAINED)
    mean = weights(tmp_path / 'epoch_3.pth')['backbone.linear.weight'].mean().item()
    assert mean == pytest.approx(7 if start == 'local copy' else 0.1, abs=0.3)


def test_unreachable_checkpoint_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    message = run_tool(monkeypatch, 'test', write_config(tmp_path), NOWHERE, '--work-dir', tmp_path)
    assert message.startswith(f'error: the checkpoint {NOWHERE} could not be had')


@pytest.mark.parametrize(
    'content, reason',
    [
        (b'<html>login</html>', 'Weights only load failed'),
        (b'', 'EOFError'),
        (b'PK\x03\x04aaaa', 'PytorchStreamReader failed reading zip archive: not a ZIP archive'),
    ],
)
def test_the_reason_is_given_without_torchs_advice(content, reason, tmp_path):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(runner.RunError) as error:
        fetch(str(path), 'the checkpoint', 'is it whole?')
    assert str(error.value) == f'the checkpoint could not be had ({reason}): is it whole?'


# --- testing -------------------------------------------------------------------------------------


def test_test_writes_metrics_and_predictions_without_pretrained_weights(tmp_path, trained):
    out, dump = tmp_path / 'new' / 'metrics.json', tmp_path / 'new' / 'predictions.pkl'
    args = parse(
        'test',
        write_config(tmp_path, PRETRAINED),
        trained / 'epoch_3.pth',
        '--work-dir',
        tmp_path,
        '--out',
        out,
        '--dump',
        dump,
    )
    assert runner.test_config(args).model.backbone.init_cfg is None
    metrics = runner.test(args)

    assert json.loads(out.read_text()) == metrics
    errors = [prediction['error'] for prediction in pickle.loads(dump.read_bytes())]
    assert metrics['count'] == len(errors) == SAMPLES
    assert metrics['mean'] == pytest.approx(sum(errors) / SAMPLES)


def test_a_checkpoint_of_averaged_weights_is_tested_as_it_is(tmp_path):
    # With its hook at the test as well, MMEngine would exchange the average with a copy of its own,
    # whose layers another hook may have fused since.
    averaging = "custom_hooks = [dict(type='EMAHook', momentum=0.5, begin_iter=0)]"
    train(tmp_path, extra=averaging)
    saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)
    averaged, last = (saved[name] for name in ('state_dict', 'ema_state_dict'))
    assert not torch.equal(averaged['head.weight'], last['module.head.weight'])

    args = parse('test', write_config(tmp_path, averaging), tmp_path / 'epoch_3.pth')
    assert [hook.type for hook in runner.test_config(args).custom_hooks] == []
    toy = Toy(dict(type='ToyBackbone'))
    toy.load_state_dict(averaged)
    items = map(ToyDataset().__getitem__, range(SAMPLES))
    errors = [
        toy(**item, mode='predict')[0]['error']
        for item in [{name: value[None] for name, value in item.items()} for item in items]
    ]
    assert runner.test(args)['mean'] == pytest.approx(sum(errors) / SAMPLES)


def test_test_keeps_the_config_of_the_training(tmp_path, trained):
    config = write_config(tmp_path, PRETRAINED)
    copy = tmp_path / 'work' / Path(config).name
    copy.parent.mkdir()
    copy.write_text('# left by the training')
    runner.test(parse('test', config, trained / 'epoch_3.pth', '--work-dir', copy.parent))
    assert copy.read_text() == '# left by the training'
    assert copy.with_name(f'test_{copy.name}').is_file()


def test_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save(
        {'state_dict': {'module.backbone.linear.weight': torch.zeros(4, 3)}}, tmp_path / 'other.pth'
    )
    with pytest.raises(runner.RunError, match='lacks 5 of the 6 weights .* backbone.linear.bias'):
        runner.test(
            parse('test', write_config(tmp_path), tmp_path / 'other.pth', '--work-dir', tmp_path)
        )


# --- resuming ------------------------------------------------------------------------------------

SAVE_EPOCHS = 'default_hooks = dict(checkpoint=dict(interval=1))'
SAVE_ITERS = 'default_hooks = dict(checkpoint=dict(interval=1, by_epoch=False))'
COUNT_ITERS = (
    SAVE_ITERS
    + """
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=18, val_interval=18)
log_processor = dict(by_epoch=False)
train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
"""
)


@pytest.mark.parametrize(
    'extra, last, saved',
    [
        (SAVE_EPOCHS, 'epoch_3.pth', 'epoch_1.pth'),
        (SAVE_ITERS, 'iter_18.pth', 'iter_9.pth'),
        (COUNT_ITERS, 'iter_18.pth', 'iter_9.pth'),
    ],
    ids=['epochs', 'iterations inside epochs', 'iterations'],
)
def test_killed_training_ends_as_if_it_had_not_been(tmp_path, extra, last, saved):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    for folder in (whole, broken):
        folder.mkdir()
    train(whole, extra=extra)
    Toy.kill_at = 10  # in the second of three epochs with six iterations each
    with pytest.raises(Killed):
        train(broken, extra=extra)
    assert Path((broken / 'last_checkpoint').read_text()).name == saved
    Toy.kill_at = None
    train(broken, '--resume', extra=extra)

    expected, found = weights(whole / last), weights(broken / last)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=1e-7)


def test_resume_needs_no_pretrained_weights_and_survives_a_move(tmp_path, trained):
    moved = tmp_path / 'moved'
    moved.mkdir()
    (moved / 'epoch_2.pth').write_bytes((trained / 'epoch_2.pth').read_bytes())
    (moved / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    train(moved, '--resume', extra=PRETRAINED)

    assert (moved / 'epoch_3.pth').is_file()
    (config,) = moved.glob('toy_*.py')
    written = [Config.fromfile(config).model.backbone.get('init_cfg')]
    assert written == [dict(type='Pretrained', checkpoint=NOWHERE)]


def test_resume_without_a_checkpoint_starts_as_the_config_says(tmp_path, trained):
    cfg = runner.train_config(
        parse(
            'train',
            write_config(tmp_path),
            '--work-dir',
            tmp_path,
            '--resume',
            '--cfg-options',
            f'load_from={trained / "epoch_3.pth"}',
            'resume=True',
        )
    )
    assert cfg.resume is False
    assert cfg.load_from == str(trained / 'epoch_3.pth')


def test_resume_names_a_checkpoint_that_is_gone(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    with pytest.raises(runner.RunError, match='epoch_2.pth. does not exist'):
        runner.train_config(
            parse('train', write_config(tmp_path), '--work-dir', tmp_path, '--resume')
        )


def test_loop_is_left_alone_unless_checkpoints_fall_inside_epochs(tmp_path):
    plain = runner.train_config(parse('train', write_config(tmp_path)))
    assert plain.train_cfg == dict(by_epoch=True, max_epochs=3, val_interval=3)
    inside = runner.train_config(parse('train', write_config(tmp_path, SAVE_ITERS)))
    assert inside.train_cfg == dict(type='ResumableEpochLoop', max_epochs=3, val_interval=3)


# --- processes -----------------------------------------------------------------------------------


def shell(*words, **environment):
    """Run a command in an environment without CUDA and return the finished process."""
    path = os.pathsep.join([str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')])
    environment = dict(
        os.environ,
        PYTHONPATH=path,
        CUDA_VISIBLE_DEVICES='-1',
        OMP_NUM_THREADS='1',
        PYTHON=sys.executable,
        **environment,
    )
    environment.pop('LOCAL_RANK')
    return subprocess.run(
        [str(word) for word in words], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_two_processes_on_cpus_equal_one_with_the_double_batch(tmp_path):
    one, two = tmp_path / 'one', tmp_path / 'two'
    one.mkdir(), two.mkdir()
    train(one, '--cfg-options', f'train_dataloader.batch_size={2 * BATCH}')
    config = write_config(tmp_path)
    training = shell(
        'bash', ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', two, PORT='29611'
    )
    assert training.returncode == 0, training.stderr
    assert 'Distributed launcher: pytorch' in training.stdout
    expected, found = weights(one / 'epoch_3.pth'), weights(two / 'epoch_3.pth')
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=1e-5)

    out = tmp_path / 'metrics.json'
    testing = shell(
        'bash',
        ROOT / 'tools/dist_test.sh',
        config,
        two / 'epoch_3.pth',
        2,
        '--work-dir',
        two,
        '--out',
        out,
        PORT='29612',
    )
    assert testing.returncode == 0, testing.stderr
    assert json.loads(out.read_text())['count'] == SAMPLES


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_a_plain_error_from_the_shell(tool, tmp_path):
    process = shell(
        sys.executable,
        ROOT / 'tools' / f'{tool}.py',
        'no/such.py',
        'no.pth'[: 6 * (tool == 'test')] or '--no-validate',
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == 'error: the config file no/such.py does not exist'
    assert 'Traceback' not in process.stderr


@pytest.mark.parametrize(
    'script, words', [('dist_train.sh', 'CONFIG GPUS'), ('dist_test.sh', 'CONFIG CHECKPOINT GPUS')]
)
def test_scripts_explain_themselves(script, words):
    process = shell('bash', ROOT / 'tools' / script, 'config.py')
    assert process.returncode == 2
    assert f'{script} {words}' in process.stderr


def test_scripts_pass_nodes_on_to_torchrun(tmp_path):
    fake = tmp_path / 'python'
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environment = dict(
        os.environ, PYTHON=str(fake), NNODES='2', NODE_RANK='1', PORT='4', MASTER_ADDR='10.0.0.1'
    )
    words = subprocess.run(
        ['bash', str(ROOT / 'tools/dist_train.sh'), 'a config.py', '8', '--amp', 'x y'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words[2:7] == [
        '--nnodes=2',
        '--node_rank=1',
        '--nproc_per_node=8',
        '--master_addr=10.0.0.1',
        '--master_port=4',
    ]
    assert words[8:] == ['a config.py', '--launcher', 'pytorch', '--amp', 'x y']


def test_missing_annotations_are_named_before_anything_is_downloaded(tmp_path):
    dataset = dict(data_root=str(tmp_path), ann_file='a.json')
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=None))
    with pytest.raises(runner.RunError, match='a.json of train_dataloader does not exist'):
        runner.settings.require_annotations(cfg, 'train_dataloader', 'val_dataloader')
    (tmp_path / 'a.json').write_text('{}')
    runner.settings.require_annotations(cfg, 'train_dataloader', 'val_dataloader')


def test_weights_of_another_shape_are_refused():
    model = nn.Linear(2, 3)
    runner.weights.require_all_weights(model, nn.Linear(2, 3).state_dict(), 'good.pth')
    with pytest.raises(runner.RunError, match=r'weight has the shape \(3, 1\), the model \(3, 2\)'):
        runner.weights.require_all_weights(model, nn.Linear(1, 3).state_dict(), 'other.pth')
