"""Two processes with unequal data, one of them without people, and one that dies or hangs."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.tools import ROOT
from tests.helpers.two_processes import SAMPLES, TIMEOUT

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """What `tests.helpers.two_processes` prints."""
    done = subprocess.run(
        [sys.executable, '-m', 'tests.helpers.two_processes', tmp_path_factory.mktemp('two')],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize('batch', [2, 4])
def test_unequal_data_and_uneven_batches_give_the_metric_of_one_process(found, batch):
    one, first, second = found[f'batch {batch}']
    assert one['count'] == SAMPLES
    assert first == second == pytest.approx(one)


def test_a_process_without_people_takes_part(found):
    full, empty, first, second = found['gradients']
    assert any(full.values()) and any(empty.values())
    assert first == second
    for name, value in first.items():
        assert value == pytest.approx((full[name] + empty[name]) / 2, rel=1e-3, abs=1e-5), name


def test_a_process_without_poses_answers_the_synchronized_norms_of_a_score(found):
    full, first, second = found['score']
    assert first == second and len(full) == 4
    for name, value in first.items():  # the mean of full and 0
        assert value == pytest.approx(full[name] / 2, rel=1e-3, abs=1e-6) and value, name


LOST = 'RunError: another process of this run ended or does not answer'


def test_a_process_that_is_killed_ends_the_other_in_a_sentence(found):
    said = found['killed']
    assert said.startswith(LOST) and 'Timed out' not in said, said
    assert 'stopped at iteration 6; ' in said and '\n' not in said


def test_a_process_that_hangs_is_waited_for_as_long_as_the_config_says(found):
    said = found['hanging']
    assert said.startswith(f'{LOST} (') and f'waiting {TIMEOUT}000ms' in said, said
    assert 'stopped at iteration 6; ' in said and '\n' not in said


def test_processes_of_different_settings_end_before_they_train(found):
    for said in found['differing']:
        assert said.startswith('RunError: the processes of this run must begin alike'), said
        assert said.endswith('; train_cfg.max_epochs is 1 in process 0 and 2 in process 1')


def test_images_that_are_shared_unequally_end_before_they_train(found):
    for said in found['uneven']:
        assert said.startswith('RunError: the processes of this run must begin alike'), said
        # 11 images, one a batch
        assert said.endswith('round_up=True) is 6 in process 0 and 5 in process 1')


def test_weights_without_a_gradient_are_named_where_they_are(found):
    first, second = found['without_gradient']
    assert first.startswith(LOST), first
    assert second.startswith('RunError: some weights got no gradient, '), second
    assert 'find_unused_parameters=True' in second and '\n' not in second
