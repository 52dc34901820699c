"""What is said of a run when it is done."""

from pathlib import Path

from pinet_mm.cli import infer, predict
from pinet_mm.cli.telling import MOST_NAMES, announce, summary, warn_of_problems
from pinet_mm.inference.runs.report import Report
from pinet_mm.inference.sources.items import Source

import pytest


@pytest.mark.parametrize(
    'images, seconds, said',
    [
        (10, 2.5, '10 images in 2.5 s (4.0 images/s)'),
        (2, 60, '2 images in 60.0 s (30.0 s per image)'),
        (1, 1, '1 image in 1.0 s (1.0 images/s)'),
        (0, 3, '0 images in 3.0 s (0.0 images/s)'),
    ],
)
def test_a_slow_run_tells_seconds_per_image(images, seconds, said):
    assert summary(Report(Path('predictions.json'), [], images, seconds)).startswith(said)


def test_what_an_exported_file_says_to_mind_is_a_warning(tmp_path, capsys):
    announce(tmp_path / 'own.onnx')
    assert capsys.readouterr().err == ''
    announce(tmp_path / 'own.onnx', 'drawn people only')
    said = capsys.readouterr()
    assert (
        said.out == f'model: {tmp_path}/own.onnx\n' and said.err == 'warning: drawn people only\n'
    )


def test_inputs_that_cannot_be_read_are_named_a_line_each(capsys):
    there = Source('street.jpg', 'image')
    warn_of_problems([there])
    assert capsys.readouterr().err == ''
    gone = [Source(f'{i}.jpg', 'image', f'{i}.jpg does not exist') for i in range(2)]
    warn_of_problems([gone[0], there, gone[1]])
    lines = [f'warning: {i}.jpg does not exist' for i in range(2)]
    assert capsys.readouterr().err.splitlines() == lines
    warn_of_problems(gone[:1] * (MOST_NAMES + 3))
    *named, last = capsys.readouterr().err.splitlines()
    assert named == lines[:1] * MOST_NAMES and last == 'warning: and 3 more'


@pytest.mark.parametrize('command', [infer, predict])
def test_a_missing_input_is_named_before_the_model_is_loaded(
    command, monkeypatch, tmp_path, capsys
):
    class Loaded(Exception):
        pass

    def load(*_):
        raise Loaded

    monkeypatch.setattr(command, 'load_model', load)
    (tmp_path / 'there.jpg').touch()
    there, gone = tmp_path / 'there.jpg', tmp_path / 'gone.jpg'
    args = command.make_parser().parse_args([str(there), str(gone), '--out', str(tmp_path / 'o')])
    with pytest.raises(Loaded):
        command.run(args)
    assert capsys.readouterr().err.startswith(f'warning: {gone} does not exist')
