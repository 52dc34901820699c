"""Command lines that are wrong: one line says what, and what may have been meant."""

from pinet_mm import cli
from pinet_mm.cli import infer, predict

import pytest


@pytest.mark.parametrize(
    'words, said',
    [
        (['trian', 'a.py'], 'pinet-mm: error: there is no command trian; did you mean train?'),
        (['xyz'], 'pinet-mm: error: there is no command xyz'),
        (['predict', 'a.jpg', '--shrot-side', '9'], '; did you mean --short-side?'),
        (['predict', 'a.jpg', '--pse-thr=0.2'], '--pse-thr=0.2; did you mean --pose-thr?'),
        (['train', 'a.py', '--wrk-dir', 'b'], '; did you mean --work-dir?'),
        (['test', 'a.py', '--qqq', 'b', '--xyz'], 'arguments: --qqq b --xyz'),
    ],
)
def test_what_is_misspelled_is_refused_with_what_may_be_meant(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f'{said} (see pinet-mm' in line and line.endswith(' --help)')


@pytest.mark.parametrize('words', [['a.py', 'b'], ['a.py', '--interval', 'x'], []])
def test_what_is_wrong_is_one_line_without_usage(words, capsys):
    with pytest.raises(SystemExit):
        cli.main(['train', *words])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('pinet-mm train: error: ') and line.endswith('train --help)')


@pytest.mark.parametrize('command', ['predict', 'track'])
@pytest.mark.parametrize(
    'words', [['a.jpg', '--explain'], ['--explain', 'a.jpg'], ['a.jpg', '--device=cpu'], ['--amp']]
)
def test_options_that_need_torch_name_the_command_that_has_them(command, words, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, *words])
    (option,) = (word.partition('=')[0] for word in words if word.startswith('--'))
    (line,) = capsys.readouterr().err.splitlines()
    said = (
        f'{option} needs the network with its weights, in torch: pinet-mm infer INPUT... {option}'
    )
    assert ended.value.code == 2 and f'pinet-mm {command}: error: {said} (see' in line
    with pytest.raises(SystemExit):
        cli.main([command, '--help'])
    assert option not in capsys.readouterr().out


def test_options_of_infer_that_predict_lacks_are_all_known():
    options = [infer.make_parser()._option_string_actions, predict.make_parser()._actions]
    own = {
        name
        for each in options[1]
        if not isinstance(each, predict.OfInfer)
        for name in each.option_strings
    }
    assert {*options[0]} - own - {'--onnx'} == {*predict.OF_INFER}
