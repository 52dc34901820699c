"""The rows of PINet-2: that each can be built, and their table of gains."""

import json

from pinet_mm.configs import read_config

import pytest
from mmpose.registry import DATASETS, MODELS

from studies.ablation import against, pinet2, report, testing
from tests.helpers.ablations import results_of
from tests.helpers.toys import build_in_mmpose


@pytest.mark.parametrize('name', pinet2.PINET2)
def test_a_row_trains_on_what_it_says(name):
    variant = pinet2.PINET2[name]
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


def test_the_paper_s_study_has_no_such_table():
    rows = dict.fromkeys(('base', 'three-parts'), [(0, 'fusion', [0.3, 0.2])])
    assert against.tell_gains(results_of(**rows)) == ''


def test_the_report_has_the_gains_and_no_claims_of_the_paper(tmp_path):
    results = results_of(base=[(0, 'fusion', [0.3, 0.2])], recipe=[(0, 'fusion', [0.4, 0.3])])
    (tmp_path / 'results.json').write_text(json.dumps(results))
    table, plot = report.write_report(tmp_path / 'results.json', tmp_path)
    text = table.read_text()
    assert '## Against three parts' in text and '+10.0 ± 0.0' in text and 'not run' in text
    assert 'Paired over folds' not in text
    assert plot.stat().st_size > 10_000
