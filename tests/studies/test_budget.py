"""What an ablation draws and trains on, and that wrong budgets are refused."""

import json

from pinet_mm.configs import config_path
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
from pinet_mm.errors import RunError

import pytest
from mmengine.config import Config

from studies.ablation import Budget, report, study, testing, training, variants


@pytest.mark.parametrize('options', [dict(epochs=0), dict(images=-1)])
def test_a_budget_is_above_zero(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name} must be at least 1; found {value}'):
        Budget(**options)


def test_folds_without_people_are_null_in_the_file(tmp_path):
    study._save(tmp_path / 'results.json', dict(folds=[0.5, float('nan')], rows=dict(a=[])))
    text = (tmp_path / 'results.json').read_text()
    assert json.loads(text) == dict(folds=[0.5, None], rows=dict(a=[]))


@pytest.mark.parametrize('content', ['{', '[]', '{"schema": "another"}'])
def test_other_files_are_no_results(tmp_path, content):
    with pytest.raises(RunError, match='results.json does not exist: run the study without'):
        report.write_report(tmp_path / 'results.json', tmp_path)
    (tmp_path / 'results.json').write_text(content)
    with pytest.raises(RunError, match='results.json (cannot be read|is no results file)'):
        report.write_report(tmp_path / 'results.json', tmp_path)


def test_a_test_set_of_another_size_is_refused(tmp_path):
    write_dataset(tmp_path, CrowdSettings(size=(64, 64), persons=(1, 1)), 2, split='test')
    with pytest.raises(ValueError, match='has 2 images; expected 3'):
        testing.test_set(tmp_path, Budget(images=3))
    with pytest.raises(
        ValueError,
        match=r'test.json was drawn with size=\(64, 64\); expected '
        r'\(128, 128\): take another folder',
    ):
        testing.test_set(tmp_path, Budget(images=2))


def test_the_budget_says_whom_to_draw(tmp_path):
    budget = Budget(images=1, persons=(3, 3), height=(0.7, 1.0))
    data = testing.test_set(tmp_path, budget)
    assert len(data.persons.ids) == 3 and len(data.images) == 1
    drawn = data.annotations.dataset['info']['settings']
    assert (drawn['persons'], drawn['height']) == ([3, 3], [0.7, 1.0])
    options = training._data(budget)
    assert options['train_dataloader.dataset.settings.persons'] == (3, 3)
    assert options['train_dataloader.dataset.settings.height'] == (0.7, 1.0)
    assert json.loads(json.dumps(budget.as_dict())) == budget.as_dict()


def test_defaults_of_the_budget_are_the_config_s():
    settings = Config.fromfile(config_path(variants.PINET)).train_dataloader.dataset.settings
    assert Budget().crowd == dict(persons=tuple(settings.persons), height=tuple(settings.height))


def test_a_budget_that_cannot_be_drawn():
    with pytest.raises(ValueError, match=r'height must be \(lowest, highest\), got \(1.0, 0.5\)'):
        Budget(height=(1.0, 0.5))
    with pytest.raises(TypeError, match=r'persons must be two integers, got \(2.5, 3\)'):
        Budget(persons=(2.5, 3))
