"""Inference that is killed, or whose disk is full, keeps all that it found and goes on."""

import pytest

from tests.helpers import journal_attack


def test_killed_runs_hold_what_they_found_and_end_as_a_whole_one(tmp_path):
    found = journal_attack.attack(tmp_path, kills=4)
    assert found['held'] == found['kills'] == 4
    assert found['equal'] == found['runs'] > 0


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path):
    found = journal_attack.fill(tmp_path, times=3)
    assert found == dict(full=3, equal=3)


def test_killed_at_image_99_of_150(tmp_path):
    images = journal_attack.write_images(tmp_path)
    killed = journal_attack.child(images, tmp_path / 'out', None, None, 99)
    killed.join()
    assert killed.exitcode == -9
    assert len(journal_attack.noted(tmp_path / 'out')) >= 98
    counts = journal_attack.FORK.Array('i', 2)
    for out, each in (('out', counts), ('whole', None)):
        process = journal_attack.child(images, tmp_path / out, each)
        process.join()
        assert process.exitcode == 0
    assert 51 <= counts[1] <= 52
    first, second = (
        (tmp_path / out / journal_attack.DOCUMENT).read_bytes() for out in ('out', 'whole')
    )
    assert first == second


@pytest.mark.slow
def test_thirty_moments(tmp_path):
    found = journal_attack.attack(tmp_path / 'killed', kills=30, seed=1)
    assert found['held'] == 30 and found['equal'] == found['runs']
    assert journal_attack.fill(tmp_path / 'full', seed=1, times=30) == dict(full=30, equal=30)
