"""Curves of trainings, from files as MMEngine writes them."""

import json

from pinet_mm.cli import plot
from pinet_mm.curves import draw_curves, read_curves
from pinet_mm.errors import InputError

import cv2
import pytest
from matplotlib.figure import Figure


def training(iteration, loss, lr=0.1):
    return dict(lr=lr, loss=loss, loss_a=loss / 2, time=1.0, epoch=1, iter=iteration, step=1)


def validation(precision, epoch=1):
    return {'coco/AP': precision, 'coco/AP .5': -1.0, 'time': 0.1, 'step': epoch}


def write(folder, start, *rows, end=''):
    path = folder / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, rows)) + end)


def test_losses_rates_and_metrics_by_iteration(tmp_path):
    write(tmp_path, '1', training(5, 4.0), training(10, 2.0, 0.01), validation(0.25))
    curves = read_curves(tmp_path)
    assert curves.losses == {'loss': {5: 4.0, 10: 2.0}, 'loss_a': {5: 2.0, 10: 1.0}}
    assert curves.rates == {'lr': {5: 0.1, 10: 0.01}}
    assert curves.metrics == {'coco/AP': {10: 0.25}, 'coco/AP .5': {10: -1.0}}
    assert read_curves(tmp_path / '1') == curves


def test_a_resumed_training_is_one_curve(tmp_path):
    write(tmp_path, '1', training(5, 4.0), validation(0.1), training(10, 9.0), validation(0.9, 2))
    write(tmp_path, '2', training(10, 2.0), training(15, 1.0), validation(0.2, 3))
    write(tmp_path, '3', validation(0.5))  # an evaluation
    curves = read_curves(tmp_path)
    assert curves.losses['loss'] == {5: 4.0, 10: 2.0, 15: 1.0}
    assert curves.metrics['coco/AP'] == {5: 0.1, 15: 0.2}


def test_a_half_written_line_and_nan_are_left_out(tmp_path):
    rows = training(5, 4.0), training(6, float('nan'))
    write(tmp_path, '1', *rows, end='\n{"lr": 0.1, "lo')
    assert read_curves(tmp_path).losses['loss'] == {5: 4.0}


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match='must be the work folder of a training.*found 0 such'):
        read_curves(tmp_path)


def test_the_command_draws_several_runs(tmp_path, capsys):
    for name, factor in (('a', 1), ('b', 2)):
        rows = [training(i, 40 * factor / i) for i in range(1, 40)]
        write(tmp_path / name, '1', *rows, validation(factor / 10))
    out = tmp_path / 'figures' / 'curves.png'
    plot.main([str(tmp_path / 'a'), str(tmp_path / 'b'), '--out', str(out)])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'a: iteration 39, loss 1.026; best coco/AP 0.100'
    assert said[2] == f'curves are in {out}'
    image = cv2.imread(str(out))
    assert image.shape == (1080, 1200, 3)
    colors = {tuple(color) for color in image.reshape(-1, 3)[::7]}
    assert {(180, 119, 31), (14, 127, 255)} <= colors  # BGR of matplotlib's first two colors


def test_every_curve_is_drawn_and_the_legend_hides_none(tmp_path, monkeypatch):
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure,
        'savefig',
        lambda self, *words, **more: figures.append(self) or save(self, *words, **more),
    )
    names = [f'coco/metric {i}' for i in range(13)]
    rows = [training(i, 4 / i) for i in range(1, 4)]
    write(tmp_path, '1', *rows, dict({name: 0.1 * i for i, name in enumerate(names)}, step=1))
    draw_curves({'a': read_curves(tmp_path)}, tmp_path / 'curves.png')
    (figure,) = figures
    panel = figure.axes[2]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == names
    looks = {(line.get_color(), line.get_linestyle()) for line in panel.lines}
    assert len(looks) == len(panel.lines) == 13
    first, *others = panel.lines
    assert all(first.get_zorder() > each.get_zorder() for each in others), 'AP is on top'
    assert all(first.get_linewidth() > each.get_linewidth() for each in others)
    assert figure.axes[0].get_title() == 'a' and panel.get_ylabel() == 'validation'
    for each in figure.axes:
        legend = each.get_legend().get_window_extent()
        assert each.get_window_extent().x1 <= legend.x0 and legend.x1 <= figure.bbox.x1


def test_a_figure_of_an_unknown_kind_is_refused(tmp_path):
    write(tmp_path, '1', training(5, 4.0))
    with pytest.raises(SystemExit, match='error: --out .*curves.txt'):
        plot.main([str(tmp_path), '--out', str(tmp_path / 'curves.txt')])
