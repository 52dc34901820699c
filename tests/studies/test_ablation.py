"""The ablation from its options to its file: what is run, resumed and left out."""

import json
from types import SimpleNamespace

from pinet_mm.errors import RunError

import pytest
import torch

from studies.ablation import Budget, pinet2, report, study, training, variants
from tests.helpers.ablations import results_of
from tests.helpers.tools import load_tool


def test_what_is_in_the_file_is_not_run_again(tmp_path, monkeypatch):
    def refuse(*args):
        raise AssertionError('nothing was left to do')

    monkeypatch.setattr(study, 'test_set', refuse)
    results = results_of(cid=[(0, 'fusion', [0.2, 0.3])])
    (tmp_path / 'results.json').write_text(json.dumps(results))
    study.run(tmp_path, Budget(), ['cid'])
    assert study.read(tmp_path / 'results.json')['rows'] == results['rows']


@pytest.mark.parametrize('checkpoint_is_there', [True, False])
def test_a_row_is_tested_in_what_it_lacks(tmp_path, monkeypatch, capsys, checkpoint_is_there):
    def test_variant(variant, checkpoint, seed, data, known):
        assert (variant.title, checkpoint, seed, known) == ('CID', trained, 0, row['tests'])
        return {'no-flip': 'new'}

    trained = tmp_path / 'cid_0' / 'epoch_1.pth'
    results = results_of(cid=[(0, 'fusion', [0.2, 0.3])])
    row = results['rows']['cid/0']
    (tmp_path / 'results.json').write_text(json.dumps(results))
    if checkpoint_is_there:
        trained.parent.mkdir()
        trained.touch()
    nobody = SimpleNamespace(persons=SimpleNamespace(counts={}))
    for name, value in dict(
        test_variant=test_variant,
        test_set=lambda *_: nobody,
        train_backbone=lambda *_: pytest.fail('was trained'),
        train_variant=lambda *_: pytest.fail('was trained'),
        _alone=lambda function, *args: function(*args),
    ).items():
        monkeypatch.setattr(study, name, value)
    study.run(tmp_path, Budget(), ['cid'])
    said = 'cid/0 is not tested with no-flip: cid_0/epoch_1.pth is gone\n'
    assert capsys.readouterr().out.startswith('cid/0 is in ' if checkpoint_is_there else said)
    found = study.read(tmp_path / 'results.json')['rows']['cid/0']
    more = {'no-flip': 'new'} if checkpoint_is_there else {}
    assert found == dict(row, tests={**row['tests'], **more})


@pytest.mark.parametrize(
    'budget, names, message',
    [
        (Budget(epochs=5), (), r"made with the budget \{.*'epochs': 10.*; found .*'epochs': 5"),
        (Budget(), ['four-parts'], 'there is no variant four-parts; known are three-parts'),
    ],
)
def test_another_budget_and_unknown_variants_are_refused(tmp_path, budget, names, message):
    (tmp_path / 'results.json').write_text(json.dumps(results_of()))
    with pytest.raises(RunError, match=message):
        study.run(tmp_path, budget, names)


def test_nothing_is_written_before_there_is_a_row(tmp_path):
    (tmp_path / 'results.json').write_text(json.dumps(results_of()))
    with pytest.raises(RunError, match='results.json has no rows yet'):
        report.write_report(tmp_path / 'results.json', tmp_path)


def test_no_jobs_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ValueError, match='jobs must be at least 1; found 0'):
        study.run(tmp_path, Budget(), jobs=0)
    with pytest.raises(ValueError, match='seeds must be at least 1; found 0'):
        study.run(tmp_path, Budget(), seeds=0)


def test_dekr_is_skipped_where_mmcv_has_no_operators(monkeypatch):
    monkeypatch.setattr(study, 'mmcv_has_operators', lambda: False)
    assert 'full mmcv' in study.why_skipped('dekr')
    assert study.why_skipped('cid') is None
    monkeypatch.setattr(study, 'mmcv_has_operators', lambda: True)
    assert study.why_skipped('dekr') is None


def test_a_file_without_a_crowd_has_the_first_one_s(tmp_path):
    results = results_of(cid=[(0, 'fusion', [0.2]), (0, 'no-flip', [0.1])])
    for name in ('persons', 'height'):
        del results['budget'][name]
    (tmp_path / 'results.json').write_text(json.dumps(results))
    text = report.write_report(tmp_path / 'results.json', tmp_path)[0].read_text()
    assert 'Images are drawn with 2 to 6 people of 0.35 to 0.86 of their height.' in text
    assert study.run(tmp_path, Budget(), ['cid']) == tmp_path / 'results.json'  # goes on with it


@pytest.mark.parametrize(
    'half, name, wanted',
    [
        (None, 'one-centre', 'float32'),
        (None, 'cid', 'float32'),
        (torch.float16, 'one-centre', 'float16'),
        (torch.float16, 'cid', 'float32'),
    ],
)
def test_a_row_says_in_what_it_was_trained(tmp_path, monkeypatch, half, name, wanted):
    monkeypatch.setattr(study, 'get_device', lambda: 'somewhere')
    monkeypatch.setattr(study, 'half_precision', {'somewhere': half}.get)
    for function, result in dict(
        test_set=None, train_variant=tmp_path / 'a.pth', test_variant={}, test_by_stage={}
    ).items():
        monkeypatch.setattr(study, function, lambda *_, result=result: result)
    row = study._row(tmp_path, Budget(), name, 0, None, None)
    assert (row['checkpoint'], row['trained_in']) == ('a.pth', wanted)


def test_the_tool_hands_on_its_options(tmp_path, monkeypatch):
    tool, seen = load_tool('ablation'), []
    monkeypatch.setattr(tool, 'run', lambda *args: seen.append(args))
    monkeypatch.setattr(tool, 'write_report', lambda *_: ())
    monkeypatch.setattr(
        'sys.argv',
        [
            'ablation',
            'out',
            '--backbone-epochs',
            '1',
            '--epochs',
            '2',
            '--pictures',
            '3',
            '--images',
            '4',
            '--persons',
            '5',
            '6',
            '--height',
            '0.7',
            '0.8',
            '--only',
            'cid',
            '--jobs',
            '9',
            '--seeds',
            '2',
            '--study',
            'pinet2',
        ],
    )
    tool.main()
    ((out, budget, only, jobs, seeds, rows),) = seen
    assert (str(out), only, jobs, seeds, rows) == ('out', ['cid'], 9, 2, pinet2.STUDIES['pinet2'])
    assert budget == Budget(1, 2, 3, 4, (5, 6), (0.7, 0.8))


def test_some_seeds_of_some_variants():
    assert study._choose(['two-parts', 'one-centre'], 2) == (
        ('one-centre', 0),
        ('one-centre', 1),
        ('two-parts', 0),
    )
    assert study._choose([], 1) == tuple(row for row in variants.ROWS if row[1] == 0)
    assert study._choose() == variants.ROWS


def test_a_trained_checkpoint_is_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(training.runner, 'train', lambda args: pytest.fail('was trained'))
    (tmp_path / 'epoch_3.pth').touch()
    with pytest.raises(pytest.fail.Exception, match='was trained'):  # it may be half a file
        training.train_variant(variants.VARIANTS['cid'], tmp_path, Budget(epochs=3), 0, tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    path = training.train_variant(variants.VARIANTS['cid'], tmp_path, Budget(epochs=3), 0, tmp_path)
    assert path == tmp_path / 'epoch_3.pth'


@pytest.mark.slow
def test_two_rows_from_beginning_to_end(tmp_path):
    main = load_tool('ablation').main
    command = [
        'ablation',
        str(tmp_path),
        '--backbone-epochs',
        '1',
        '--epochs',
        '1',
        '--pictures',
        '8',
        '--images',
        '10',
        '--only',
        'one-centre',
        'cid',
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', command)
        main()
    results = study.read(tmp_path / 'results.json')
    assert set(results['rows']) == {'one-centre/0', 'one-centre/1', 'one-centre/2', 'cid/0'}
    scores = results['rows']['one-centre/0']['tests']['fusion']['metrics']
    assert len(scores['AP']['folds']) == 10 and 0 <= scores['AP']['all'] <= 1
    assert (tmp_path / 'tables.md').is_file()
