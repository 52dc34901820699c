"""The rows of PINet-2: that each can be built, and their table of gains."""

import importlib.util
import json
import sys

from pinet_mm.configs import read_config

import pytest
from matplotlib.figure import Figure
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS

from studies.ablation import against, pinet2, plot, report, study, testing, training, variants
from tests.helpers.ablations import results_of
from tests.helpers.toys import build_in_mmpose


@pytest.mark.parametrize('name', [*pinet2.PINET2, 'together_one-centre'])
def test_a_row_trains_on_what_it_says(name):
    variant = pinet2.ALL[name]
    cfg = read_config(variant.config, json.loads(json.dumps(dict(variant.options))))
    model = build_in_mmpose(MODELS, cfg.model)
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset).prepare_data(0)
    assert sample['inputs'].shape == (3, 128, 128)
    batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
    losses = model.loss(**model.data_preprocessor(batch, True))
    assert all(loss.isfinite() for loss in losses.values())


def test_rows_share_the_base_and_are_tested_in_two_ways():
    names = dict(pinet2.STUDIES['pinet2'])
    assert set(names) == set(pinet2.PINET2)
    for name in pinet2.PINET2:
        found = testing.switches_of(pinet2.ALL[name], 0)
        assert found == {
            'fusion': {},
            'no-refinement': dict(use_refinement=False),
        }
    assert not pinet2.ALL[pinet2.BASE].options


def test_averaged_weights_come_behind_the_hooks_of_the_config(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(training.runner, 'train', asked.append)
    for name in ('base', 'recipe'):
        training.train_variant(
            pinet2.PINET2[name], tmp_path, training.Budget(), 0, tmp_path / 'backbone.pth'
        )
    base, recipe = (
        [hook['type'] for hook in read_config(each.config, each.cfg_options).custom_hooks]
        for each in asked
    )
    assert base == ['SyncBuffersHook', 'LayoutGuard']
    assert recipe == [*base, 'EMAHook']


def test_the_rows_are_there_without_a_config(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError('a config was read')

    monkeypatch.setattr(Config, 'fromfile', refuse)
    for module in (variants, pinet2):  # once more, under other names
        spec = importlib.util.spec_from_file_location(f'{module.__name__}_again', module.__file__)
        again = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, again)  # dataclasses look there
        spec.loader.exec_module(again)
    assert again.PINET2['recipe'].hooks == pinet2.PINET2['recipe'].hooks


def test_gains_are_paired_with_the_base_and_cost_is_told():
    results = results_of(
        base=[(0, 'fusion', [0.30, 0.20, 0.40])], recipe=[(0, 'fusion', [0.34, 0.24, 0.50])]
    )
    results['rows']['recipe/0']['tests']['fusion']['parameters'] = 1_234_567
    lines = against.tell_gains(results).splitlines()
    cells = {line.split('|')[1].strip(): line.split('|')[2:-1] for line in lines if '|' in line}
    # Folds gain 4, 4 and 10: mean 6, variance 12, error 2. 12.6 images/s are 79 ms.
    assert [cell.strip() for cell in cells['AdamW, averaged weights']] == [
        *['+6.0 ± 2.0'] * 5,
        '1235 k',
        '79',
    ]
    assert [cell.strip() for cell in cells['three parts']] == [*['30.0'] * 5, '', '79']


def test_rows_that_were_not_run_are_listed_as_such(monkeypatch):
    monkeypatch.setitem(pinet2.STUDIES, 'pinet2', (('base', 0), ('recipe', 0), ('cid', 0)))
    results = results_of(base=[(0, 'fusion', [0.3, 0.2])], recipe=[(0, 'fusion', [0.3, 0.2])])
    (line,) = [line for line in against.tell_gains(results).splitlines() if 'CID' in line]
    assert line.split('|')[2].strip() == 'not run'


def test_the_study_that_is_done_most_gives_the_rows():
    fold = [(0, 'fusion', [0.3, 0.2])]
    begun = against.tell_gains(results_of(base=fold, together=fold))
    assert 'CID' in begun and 'Laplace' not in begun
    done = against.tell_gains(results_of(**{name: fold for name in ('base', 'recipe', 'scales')}))
    assert 'Laplace' in done and 'CID' not in done


def test_the_paper_s_study_has_no_such_table():
    names = ('base', 'three-parts', 'one-centre')
    rows = dict.fromkeys(names, [(0, 'fusion', [0.3, 0.2])])
    assert against.tell_gains(results_of(**rows)) == ''


def test_the_report_has_the_gains_and_no_claims_of_the_paper(tmp_path):
    results = results_of(base=[(0, 'fusion', [0.3, 0.2])], recipe=[(0, 'fusion', [0.4, 0.3])])
    (tmp_path / 'results.json').write_text(json.dumps(results))
    table, plot = report.write_report(tmp_path / 'results.json', tmp_path)
    text = table.read_text()
    assert '## Against three parts' in text and '+10.0 ± 0.0' in text and 'not run' in text
    assert 'Paired over folds' not in text
    assert plot.stat().st_size > 10_000


def test_a_score_is_all_that_learns_on_a_trained_row(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(training.runner, 'train', asked.append)
    variant, budget = pinet2.FULL['together_one-centre'], training.Budget(persons=(2, 2))
    trained = training.train_score(variant, tmp_path, budget, 1, tmp_path / 'row.pth')
    (options,) = asked
    cfg = read_config(options.config, json.loads(json.dumps(options.cfg_options)))
    assert trained == tmp_path / 'epoch_1.pth'
    assert cfg.load_from == str(tmp_path / 'row.pth')
    assert cfg.train_dataloader.dataset.settings.persons == [2, 2]
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.dataset.length) == (1, 1000)
    assert cfg.optim_wrapper.optimizer == dict(type='AdamW', lr=2e-3, weight_decay=0.3)
    model = build_in_mmpose(MODELS, cfg.model)
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset).prepare_data(0)
    assert len(sample['data_samples'].metainfo['area']) == 2
    learns = {name.split('.')[2] for name, each in model.named_parameters() if each.requires_grad}
    assert learns == {'score', 'uncertainty'}
    assert model.head.layout.num_parts == 1


def test_a_row_with_a_score_is_left_until_it_has_one(tmp_path):
    row = dict(checkpoint='row.pth', tests=dict.fromkeys(('fusion', 'no-refinement')))
    (tmp_path / 'row.pth').touch()
    assert study._is_left(tmp_path, 'base', 0, row)
    row['tests']['score'] = None
    assert study._is_left(tmp_path, 'base', 0, row)
    row['tests']['score_uncertainty'] = None
    assert not study._is_left(tmp_path, 'base', 0, row)
    assert not study._is_left(tmp_path, 'oks-loss', 0, row)


def test_the_full_rows_have_a_table_of_their_own():
    results = results_of(
        base=[(0, 'fusion', [0.2, 0.2]), (1, 'fusion', [0.3, 0.3]), (0, 'score', [0.22, 0.24])],
        together=[(0, 'fusion', [0.3, 0.3]), (1, 'fusion', [0.5, 0.5])],
        cid=[(0, 'fusion', [0.1, 0.2])],
    )
    rows = {}
    for line in against.tell_gains(results).splitlines():
        if '|' in line:
            title, *cells = (cell.strip() for cell in line.split('|')[1:-1])
            rows[title] = cells
    assert 'AdamW, averaged weights' not in rows
    assert rows['three parts'][0] == '25.0'  # of both seeds
    assert rows['three parts, score of expected OKS'][0] == '+3.0 ± 1.0'  # of the first
    assert rows['three parts, score of expected OKS, fusion by uncertainty'][0] == 'not run'
    assert rows['OKS loss, two passes, strides 4, 8 and 16'][0] == '+15.0 ± 0.0'
    assert rows['one center, OKS loss, two passes, strides 4, 8 and 16'][0] == 'not run'
    assert rows['CID'][0] == '-5.0 ± 5.0'


def test_bars_of_rows_with_a_score_are_hatched():
    tests = ((0, each, [0.3, 0.2]) for each in ('fusion', 'score', 'score_uncertainty'))
    both, score = list(tests), [(0, 'fusion', [0.3, 0.2]), (0, 'score', [0.4, 0.3])]
    bars = plot.bars_of(results_of(base=both, recipe=score, strides=[(0, 'fusion', [0.2, 0.1])]))
    assert [(bar.variant, bar.scored) for bar in bars] == [
        ('base', ''),
        ('base', 'score_uncertainty'),
        ('strides', ''),
        ('recipe', ''),
        ('recipe', 'score'),
    ]
    axis = Figure().subplots()
    plot._draw_bars(axis, bars, ['AP', 'AP50'])
    hatches = [patch.get_hatch() for patch in axis.patches]
    assert hatches == [hatch for hatch in (None, '///', None, None, '..') for _ in range(2)]
    colors = [patch.get_facecolor() for patch in axis.patches[::2]]
    assert colors[0] == colors[1] != colors[2] != colors[3] == colors[4]
