"""What a check costs: a valid file, and the seconds and memory of a process."""

import json

from pinet_mm.datasets.check import check_file

import pytest

from studies import checking


def test_the_file_is_valid_and_as_large_as_wanted(tmp_path):
    checking.write_annotations(tmp_path / 'a.json', 90)
    checked = check_file(tmp_path / 'a.json')
    assert not len(checked.findings)
    assert [len(checked.data[key]) for key in ('images', 'annotations')] == [23, 90]
    # As in COCO, a person takes about 900 bytes.
    assert len(json.dumps(checked.data['annotations'])) / 90 == pytest.approx(900, rel=0.25)


def test_a_refused_file_has_no_cost(tmp_path):
    (tmp_path / 'a.json').write_text('{}')
    with pytest.raises(RuntimeError, match='refused: .*a.json'):
        checking.cost_of_check(tmp_path / 'a.json')


def test_cost_is_printed(capsys):
    checking.main(['--people', '50'])
    first, second = capsys.readouterr().out.splitlines()
    assert '13 images, 50 people, 50 with labeled keypoints' in first
    seconds, gigabytes = (float(word) for word in second.split() if word[0].isdigit())
    assert 0.05 < seconds < 60 and gigabytes > 0.02  # the largest process that this one has started


@pytest.mark.slow
def test_coco_is_checked_in_fifteen_seconds_and_two_gigabytes(tmp_path):
    checking.write_annotations(tmp_path / 'a.json', 250_000)
    cost = checking.cost_of_check(tmp_path / 'a.json')
    assert '250000 people' in cost.said
    assert cost.cpu_s < 15 and cost.peak_gb < 2
