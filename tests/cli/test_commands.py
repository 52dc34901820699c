"""`pinet-mm` and the tools: which command runs, what becomes one sentence, and what stays a bug."""

import importlib
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pinet_mm
from pinet_mm import cli
from pinet_mm.errors import InputError, RunError

import pytest

from tests.helpers.tools import ROOT, load_tool, run_tool
from tests.helpers.toy_runs import Toy, parse, write_config

# Tool of a checkout -> the command that it is.
TOOLS = dict(
    train='train',
    test='test',
    infer='infer',
    convert_checkpoint='convert',
    export_onnx='export',
    fuse='fuse',
    compare='compare',
    check_dataset='check-dataset',
    browse='data browse',
    make_crowdsynth='make-crowdsynth',
)
# Those that a checkout's users have by other names, or need not.
OF_PACKAGES = (
    'predict',
    'track',
    'demo',
    'data check',
    'data convert',
    'plot',
    'benchmark',
    'data draw',
    'doctor',
    'install-mmpose',
)
# What a command calls first, and words that bring it there.
FIRST_CALLS = {
    'train': ('runner.run', 'train_config', ('a.py',)),
    'test': ('runner.run', 'test_config', ('a.py', 'a.pth')),
    'infer': ('inference.sources.items', 'find_sources', ('a.jpg',)),
    'convert': ('checkpoints', 'convert_checkpoint', ('a.pth', 'b.pth')),
    'export': ('api', 'load', ('a.py', 'a.pth', 'a.onnx')),
    'fuse': ('datasets.pose_files', 'read_results', ('a.json', '--out', 'b.json')),
    'compare': ('comparison', 'load_sides', ('a.jpg', '--model', 'a.py', '--model', 'b.py')),
    'check-dataset': ('cli.check_dataset', '_names', ('a.json', '--metainfo', 'b.py')),
    'predict': ('inference.sources.items', 'find_sources', ('a.jpg',)),
    'track': ('inference.sources.items', 'find_sources', ('a.mp4',)),
    'data browse': ('configs', 'read_config', ('a.py',)),
    'plot': ('curves', 'read_curves', ('work_dirs/a',)),
    'demo': ('crowdsynth', 'write_dataset', ()),
    'make-crowdsynth': ('cli.make_crowdsynth', 'write_dataset', ('crowd',)),
}
# It prints what is wrong with a file.
BUGS = {**FIRST_CALLS, 'check-dataset': ('cli.check_dataset', 'check_file', ('a.json',))}


def module_of(command):
    return importlib.import_module(cli.COMMANDS[command][0], cli.__name__)


@pytest.fixture(autouse=True)
def clean_path(monkeypatch):
    monkeypatch.setattr(sys, 'path', list(sys.path))


# --- one command by two names --------------------------------------------------------------------


@pytest.mark.parametrize('tool, command', TOOLS.items())
def test_a_tool_is_a_command(tool, command):
    assert load_tool(tool).main is module_of(command).main


def test_every_command_but_those_of_installed_packages_has_a_tool():
    assert {*TOOLS.values(), *OF_PACKAGES} == set(cli.COMMANDS)


@pytest.mark.parametrize('command', cli.COMMANDS)
def test_help_names_the_command(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), '--help'])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: pinet-mm {command} ')


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        cli.main(['--help'])
    lines = capsys.readouterr().out.splitlines()[-len(cli.COMMANDS) :]
    assert [line.strip().partition('  ')[0] for line in lines] == list(cli.COMMANDS)


def test_the_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit):
        cli.main(['--version'])
    assert capsys.readouterr().out == f'{pinet_mm.__version__}\n'


def test_help_of_a_group_lists_its_commands_with_a_line_each(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(['data', '--help'])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith('usage: pinet-mm data COMMAND')
    names = [name for name in cli.COMMANDS if name.startswith('data ')]
    assert said.splitlines()[-len(names) :] == [
        f'  {name:<17}{cli.COMMANDS[name][1]}' for name in names
    ]


@pytest.mark.parametrize(
    'words, found',
    [
        (['data'], 'nothing'),
        (['data', 'chek', 'a'], 'chek; did you mean data check?'),
        (['data', 'xyz'], 'xyz'),
    ],
)
def test_a_group_of_commands_names_them(words, found, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert 'data needs one of its commands: data check, data browse, data draw' in said
    assert said.endswith(f'found {found} (see pinet-mm data --help)\n')


def test_words_of_the_process_reach_the_command(monkeypatch, tmp_path, capsys):
    words = ['make-crowdsynth', str(tmp_path), '--images', '1', '--size', '64', '64']
    monkeypatch.setattr(sys, 'argv', ['pinet-mm', *words])
    assert cli.main() is None
    assert capsys.readouterr().out.startswith(str(tmp_path / 'annotations' / 'train.json'))


def test_the_doctor_runs_where_mmpose_cannot_be_imported():
    done = subprocess.run(
        [sys.executable, '-S', '-m', 'pinet_mm.cli', 'doctor'],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': ''},
    )
    assert done.returncode == 1
    assert 'to be fixed: ' in done.stdout, done.stderr


# --- what is said of an error --------------------------------------------------------------------


@pytest.mark.parametrize('command', BUGS)
def test_a_bug_keeps_its_traceback(command, monkeypatch, tmp_path):
    module, name, words = BUGS[command]

    def fail(*_, **__):
        raise ValueError('operands could not be broadcast together')

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module(f'pinet_mm.{module}'), name, fail)
    with pytest.raises(ValueError, match='^operands could not be broadcast together$'):
        cli.main([command, *words])


@pytest.mark.parametrize('command', FIRST_CALLS)
@pytest.mark.parametrize('kind', [InputError, RunError])
def test_a_mistake_of_the_user_s_is_one_sentence(command, kind, monkeypatch, tmp_path):
    module, name, words = FIRST_CALLS[command]

    def fail(*_, **__):
        raise kind('sigma must be above 0; found -1')

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module(f'pinet_mm.{module}'), name, fail)
    with pytest.raises(SystemExit, match='^error: sigma must be above 0; found -1$'):
        cli.main([command, *words])


@pytest.mark.parametrize(
    'words, message',
    [
        (('infer', 'gone.jpg'), 'gone.jpg does not exist'),
        (('infer', '{here}', '--config', 'gone.py'), 'gone.py is no config file'),
        (
            ('infer', '{here}', '--config', 'pinet_lite_photo'),
            r'pinet_lite_photo is no config file; .*; did you mean pinet_lite_photos.py\?',
        ),
        (('infer', '{here}', '--device', 'gpu'), "no device 'gpu'; expected cpu, cuda, cuda:0"),
        (('infer', '{here}', '--cfg-options', 'model.test_cfg.part_trh=1'), 'unknown keys'),
        (('infer', '{here}', '--cfg-options', 'codec.sigma=-1'), 'sigma must be a number above 0'),
        (('infer', '{here}', '--cfg-options', 'flip_test=0'), 'did you mean model.test_cfg.flip'),
        (
            ('infer', '{here}', '--cfg-options', 'codec.inpt_size=64,64'),
            r"codec has the unknown keys \['inpt_size'\]; known are \['input_size', 'heatmap_size'",
        ),
        (
            ('infer', '{here}', '--cfg-options', 'model.head.refinment=None'),
            r"model.head has the unknown keys \['refinment'\]; known are \['in_channels'",
        ),
        (
            ('infer', '{here}', '--cfg-options', 'codec.layout.partz=all'),
            r"layout takes the keys \['metainfo', .*'partz'",
        ),
        (('infer', '{here}', '--out', '{here}/a.png/poses'), 'expected a folder; found a file'),
        (('check-dataset', 'a.json', '--images', 'gone'), '--images gone does not exist'),
        (('fuse', 'gone.json', '--out', 'b.json'), 'gone.json does not exist'),
        (('fuse', '{here}/a.png', '--out', 'b.json'), 'a.png is no UTF-8'),
        (('make-crowdsynth', 'crowd', '--size', '8', '8'), r'size must be two integers in \[32'),
        (('make-crowdsynth', 'crowd', '--persons', '3', '2'), r'persons must be \(lowest, highest'),
        (('make-crowdsynth', 'crowd', '--preview', 'a.xyz'), 'must be an image file .*, got a.xyz'),
    ],
)
def test_what_a_user_can_get_wrong(words, message, monkeypatch, tmp_path):
    here = tmp_path / 'inputs'
    here.mkdir()
    (here / 'a.png').write_bytes(b'\x89PNG')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f'(?s)^error: .*{message}'):
        cli.main([word.format(here=here) for word in words])


def test_a_setting_that_no_codec_takes_ends_a_training_in_one_sentence(tmp_path, monkeypatch):
    config = write_config(
        tmp_path,
        "optim_wrapper = dict(_delete_=True, type='CPUAmpOptimWrapper', dtype='float16',"
        " optimizer=dict(type='SGD', lr=0.1))",
    )
    said = run_tool(monkeypatch, 'train', config, '--work-dir', tmp_path)
    assert said == "error: dtype must be 'bfloat16' on a CPU, got 'float16'"


def test_ctrl_c_ends_a_training_in_one_line(tmp_path, monkeypatch, capfd):
    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Toy, 'forward', interrupted)
    try:
        status = run_tool(monkeypatch, 'train', write_config(tmp_path), '--work-dir', tmp_path)
    except KeyboardInterrupt:  # which would end pytest
        pytest.fail('the interrupt came through')
    assert status == 130
    assert capfd.readouterr().err.splitlines()[-1].startswith('interrupted: stopped at iteration 0')


@pytest.mark.parametrize(
    'words, message', [(('--images', '0'), 'must be at least 1'), (('--seed', '-1'), 'at least 0')]
)
def test_numbers_that_cannot_be_are_refused_with_the_usage(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(['make-crowdsynth', 'crowd', *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    'option, message',
    [
        (dict(images=0), 'num_images must be an integer of at least 1, got 0'),
        (dict(seed=-1), 'seed must be a non-negative integer, got -1'),
        (dict(split='dev'), "split must be one of .*, got 'dev'"),
        (dict(workers=0), 'workers must be an integer of at least 1, got 0'),
        (dict(suffix='.gif'), "suffix must be one of .*, got '.gif'"),
    ],
)
def test_options_that_no_dataset_has_are_mistakes_in_the_input(option, message, tmp_path):
    # Called without the parser, which would refuse them with the usage.
    command = module_of('make-crowdsynth')
    args = command.make_parser().parse_args([str(tmp_path / 'crowd')])
    vars(args).update(option)
    with pytest.raises(InputError, match=message):
        command.run(args)
    assert not (tmp_path / 'crowd').exists()


# --- options -------------------------------------------------------------------------------------


def test_options_of_a_run_have_the_defaults_of_the_command_line():
    train, test = pinet_mm.runner.TrainOptions, pinet_mm.runner.TestOptions
    assert replace(parse('train', 'a.py'), command=None) == train(config='a.py')
    assert parse('test', 'a.py', 'a.pth') == test(config='a.py', checkpoint='a.pth')
