"""The command lines of training and evaluation are MMPose's."""

import ast
import importlib
import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

from tests.helpers.tools import run_tool
from tests.helpers.toy_runs import parse, write_config


def make_parser(command):
    return importlib.import_module(f'pinet_mm.cli.{command}').make_parser()


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
    actions = make_parser(tool)._actions
    ours = [name for action in actions for name in action.option_strings or [action.dest]]

    assert len(mmpose_options(tool)) > 10
    more = {'--ann', '--img', '--json', '--amp', '--compile'}
    own = more if tool == 'test' else {'--skip-bad-batches', '--on-device'}
    added = {'--category', '--allow-outside'} | own
    assert set(ours) - {'-h', '--help'} == set(mmpose_options(tool)) | added
    assert not added & set(mmpose_options(tool))
    positional = [name for name in ours if not name.startswith('-')]
    assert positional == [name for name in mmpose_options(tool) if not name.startswith('-')]


def test_help_does_not_look_like_mmcv_1():
    # mim adds --gpus or --device to the command if the help of train.py has the word in it.
    assert '--gpus' not in make_parser('train').format_help()


def test_resume_takes_a_path_or_nothing():
    assert parse('train', 'c.py').resume is None
    assert parse('train', 'c.py', '--resume').resume == 'auto'
    assert parse('train', 'c.py', '--resume', 'a.pth').resume == 'a.pth'


@pytest.mark.parametrize(
    'words, line',
    [
        (['c.py'], 'pinet-mm train c.py --resume'),
        (['c d.py', '--resume'], "pinet-mm train 'c d.py' --resume"),
        (['c.py', '--resume', 'a.pth'], 'pinet-mm train c.py --resume a.pth --resume'),
        (
            ['c.py', '--cfg-options', 'a=[1,2]'],
            "pinet-mm train c.py --cfg-options 'a=[1,2]' --resume",
        ),
        (['c.py', '--launcher', 'pytorch'], None),
    ],
)
def test_a_training_knows_the_line_that_goes_on_with_it(words, line):
    parser = make_parser('train')
    parser.prog = 'pinet-mm train'
    parsed = parser.parse_args(words)
    assert parsed.command == line
    if line:
        again = parser.parse_args(shlex.split(line)[2:])
        assert again.resume == 'auto' and again.config == parsed.config


def test_the_line_names_the_tool_that_runs(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tools/train.py', 'c.py', '--amp'])
    parser = make_parser('train')
    parser.prog = 'train.py'
    assert parser.parse_args().command == 'python tools/train.py c.py --amp --resume'


def test_missing_config_is_named(monkeypatch):
    expected = 'error: no/such.py is no config file; tried no/such.py, '
    assert run_tool(monkeypatch, 'train', 'no/such.py').startswith(expected)
    assert run_tool(monkeypatch, 'test', 'no/such.py', 'a.pth').startswith(expected)


def test_missing_checkpoint_is_named(monkeypatch, tmp_path):
    config = write_config(tmp_path)
    expected = "error: the checkpoint 'no/such.pth' does not exist"
    assert run_tool(monkeypatch, 'test', config, 'no/such.pth') == expected
    assert run_tool(monkeypatch, 'train', config, '--resume', 'no/such.pth') == expected
    assert (
        run_tool(monkeypatch, 'train', config, '--cfg-options', 'load_from=no/such.pth') == expected
    )


# --- a checkpoint that is left out ---------------------------------------------------------------


@pytest.mark.parametrize(
    'words, found',
    [
        (('test', 'c.py'), ('c.py', None, None)),
        (('test', 'c.py', 'w.pth'), ('c.py', 'w.pth', None)),
        (('test', 'c.py', '--interval', '2', 'w.pth'), ('c.py', 'w.pth', None)),
        (('test', '--interval', '2', 'c.py', 'w.pth'), ('c.py', 'w.pth', None)),
        (('export', 'c.py', 'o.onnx'), ('c.py', None, 'o.onnx')),
        (('export', 'c.py', 'w.pth', 'o.onnx'), ('c.py', 'w.pth', 'o.onnx')),
        (('export', 'c.py', 'w.pth', '--opset', '18', 'o.onnx'), ('c.py', 'w.pth', 'o.onnx')),
        (('export', 'c.py', '--opset', '18', 'w.pth', 'o.onnx'), ('c.py', 'w.pth', 'o.onnx')),
        (('export', 'c.py', '--opset', '18', 'o.onnx'), ('c.py', None, 'o.onnx')),
    ],
)
def test_a_checkpoint_may_be_left_out_wherever_options_stand(words, found):
    command, *words = words
    args = make_parser(command).parse_args(words)
    out = None if command == 'test' else str(args.out)
    assert (args.config, args.checkpoint, out) == found


def test_an_evaluation_without_a_checkpoint_takes_the_shipped_weights(monkeypatch, capsys):
    module, taken = importlib.import_module('pinet_mm.cli.test'), []
    monkeypatch.setattr('pinet_mm.runner.test', taken.append)
    module.main(['configs/pinet_lite_photos.py'])
    (options,) = taken
    package = Path(importlib.util.find_spec('pinet_mm').origin).parent
    assert Path(options.checkpoint) == package / 'weights' / 'pinet_lite_photos.pth'
    assert 'pinet_lite_photos' in capsys.readouterr().out


def test_an_evaluation_without_any_weights_is_refused(monkeypatch, tmp_path):
    config = write_config(tmp_path)
    said = run_tool(monkeypatch, 'test', config)
    assert said.startswith(f'error: the package ships no weights for {Path(config).name}: name a')


def test_an_evaluation_of_a_config_that_does_not_exist_says_so(monkeypatch):
    said = run_tool(monkeypatch, 'test', 'pinet_lite_photo')
    assert said.startswith('error: pinet_lite_photo is no config file; tried ')
    assert said.endswith('; did you mean pinet_lite_photos.py?')


# --- files before the run ------------------------------------------------------------------------


@pytest.mark.parametrize(
    'option, place, reason',
    [
        ('--out', '/dev/null/x.json', '/dev/null: File exists'),
        ('--json', 'poses.json', 'poses.json: Is a directory'),
        ('--dump', 'poses.pkl', 'poses.pkl: Is a directory'),
    ],
)
def test_a_result_that_cannot_be_written_is_one_line(option, place, reason, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path('weights.pth').touch()
    for folder in ('poses.json', 'poses.pkl'):
        Path(folder).mkdir()
    said = run_tool(monkeypatch, 'test', write_config(tmp_path), 'weights.pth', option, place)
    assert said == f'error: {reason}'


def test_a_missing_file_of_keypoints_is_one_line(monkeypatch, tmp_path):
    options = ('--work-dir', tmp_path, '--cfg-options', 'codec.layout.metainfo=nope.py')
    said = run_tool(monkeypatch, 'train', 'pinet_hrnet-slim_crowdsynth', *options)
    assert said.startswith('error: ') and 'nope.py' in said and '\n' not in said


def test_an_error_of_the_system_during_a_training_keeps_its_traceback(monkeypatch, tmp_path):
    def fails(self):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('pinet_mm.runner.run.QuietRunner.train', fails)
    with pytest.raises(PermissionError):
        run_tool(monkeypatch, 'train', write_config(tmp_path), '--work-dir', tmp_path)
