"""Errors of a config are one line; those of the code keep their traceback; --debug shows all."""

import argparse

from pinet_mm.cli import command, without_worker
from pinet_mm.environment.printing import Lines, print_line
from pinet_mm.errors import InputError
from pinet_mm.models.codec import build_layout

import pytest
from mmpose.registry import HOOKS, MODELS

from tests.helpers.toys import five_metainfo


def call(error, *words):
    def run(args):
        assert not hasattr(args, 'debug')
        raise error

    command(argparse.ArgumentParser, run)(list(words))


def build(registry=MODELS, **config):
    try:
        registry.build(config)
    except Exception as error:
        return error


@pytest.mark.parametrize(
    'error, message',
    [
        (InputError('sigma must be a number'), 'error: sigma must be a number'),
        (build(type='NoSuchHead'), 'error: NoSuchHead is not in the mmpose::model registry'),
        (
            build(type='PoseFusion', sigma=1),
            'error: PoseFusion.*keyword argument .sigma.',
        ),
    ],
)
def test_errors_of_a_config_are_one_line(error, message):
    with pytest.raises(SystemExit, match=message):
        call(error)
    with pytest.raises(type(error)):
        call(error, '--debug')


def test_what_a_constructor_raises_is_one_line_with_its_class():
    error = build(type='PoseRefinement', num_layers='many', num_keypoints=5)
    with pytest.raises(SystemExit) as leaving:
        call(error)
    assert '\n' not in leaving.value.code and leaving.value.code.startswith('error: ')


class Base:
    def __init__(self, width):
        self.width = width


@HOOKS.register_module()
class Registered(Base):
    """Made from settings; its body does what the first of them names."""

    def __init__(self, body=None, **settings):
        super().__init__(**settings)
        if body == 'a missing key':
            settings[self.width]
        if body == 'a wrong call':
            Base(widht=1)
        if body == 'a wrong inner call':
            dict(first=1).get()
        if body == 'a refusal':
            raise ValueError('width must be even; found 3')


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(widht=3), "TypeError: Base.*unexpected keyword argument 'widht'"),
        (dict(), "TypeError: Base.__init__.. missing 1 required .* 'width'"),
        (dict(width=3, body='a refusal'), 'ValueError: width must be even; found 3'),
    ],
)
def test_settings_that_a_class_does_not_take_are_one_line(settings, message):
    error = build(HOOKS, type='Registered', **settings)
    with pytest.raises(SystemExit, match=f'Registered cannot be built .* {message}'):
        call(error)


@pytest.mark.parametrize('body', ['a missing key', 'a wrong call', 'a wrong inner call'])
def test_a_mistake_in_the_code_of_a_class_keeps_its_traceback(body):
    error = build(HOOKS, type='Registered', width=3, body=body)
    with pytest.raises(type(error)):
        call(error)


def test_settings_that_a_class_hands_on_to_one_of_mmpose_are_one_line():
    error = build(HOOKS, type='CheckpointHook', published_keys=5)
    assert isinstance(error, TypeError)
    with pytest.raises(SystemExit, match='WholeCheckpointHook cannot be built .*published_keys'):
        call(error)


def test_a_layout_of_another_form_is_one_line():
    with pytest.raises(TypeError) as raised:
        build_layout(dict(metainfo=five_metainfo(), skeleton=3))
    with pytest.raises(SystemExit, match='error: layout cannot be built from its settings'):
        call(raised.value)


@pytest.mark.parametrize('error', [KeyError('a'), TypeError('f() takes 1 argument'), ValueError()])
def test_errors_of_the_code_keep_their_traceback(error):
    with pytest.raises(type(error)):
        call(error)


def test_an_error_of_a_data_worker_is_its_last_line():
    text = (
        'Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call '
        'last):\n  File "a.py", line 1, in b\npinet_mm.errors.InputError: a.jpg is no image\n'
    )
    assert without_worker(InputError(text)) == 'a.jpg is no image'


def test_another_broken_pipe_is_an_error():
    with pytest.raises(SystemExit, match='error: .*Broken pipe'):
        call(BrokenPipeError(32, 'Broken pipe'))


def test_another_broken_pipe_of_a_process_without_an_output(monkeypatch):
    monkeypatch.setattr('sys.stdout', None)
    with pytest.raises(SystemExit, match='error: .*Broken pipe'):
        call(BrokenPipeError(32, 'Broken pipe'))


NASTY = '\x1b[31mred\r\n\x9b2J\x07\u2028\u202e\udcff.png'
SHOWN = r'\x1b[31mred\r\n\x9b2J\x07\u2028\u202e\udcff.png'


def test_a_terminal_obeys_no_name_of_a_file():
    with pytest.raises(SystemExit) as leaving:
        call(InputError(f'{NASTY} is no image: ümlaut\tgoes'))
    assert leaving.value.code == rf'error: {SHOWN} is no image: ümlaut\tgoes'


def test_a_list_keeps_its_lines_and_no_others():
    with pytest.raises(SystemExit) as leaving:
        call(InputError(Lines.of([f'{NASTY} has faults:', '  one', f'  {NASTY}'])))
    assert leaving.value.code == f'error: {SHOWN} has faults:\n  one\n  {SHOWN}'


def test_what_is_printed_of_a_name_is_one_line(capsys):
    print_line(f'{NASTY} is written')
    print_line(f'warning: {NASTY}', to_stderr=True)
    written = capsys.readouterr()
    assert (written.out, written.err) == (f'{SHOWN} is written\n', f'warning: {SHOWN}\n')
