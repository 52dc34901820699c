"""What `compare` asks for before a model runs, and what it says of its limits."""

import json
from types import SimpleNamespace

from pinet_mm import comparison
from pinet_mm.cli.compare import main as command
from pinet_mm.comparison import Annotations, Side, Spec
from pinet_mm.errors import InputError

import cv2
import numpy as np
import pytest

from tests.helpers.changes import valid
from tests.helpers.found import META
from tests.helpers.mutations import CONTENT
from tests.helpers.toys import FIVE

# A model that is asked for poses fails with another error than those that are expected.
SIDES = [Side(name, SimpleNamespace(dataset_meta=META), Spec(name)) for name in 'AB']


def write(folder, change=None, size=(80, 100)):
    """The valid file of five people, its first image, and the file of annotations."""
    data = valid()
    data['categories'][0]['keypoints'] = list(FIVE)
    if callable(change):
        change(data)
    elif change:
        next(each for each in CONTENT if each.name == change).change(data)
    (folder / 'a.json').write_text(json.dumps(data))
    cv2.imwrite(str(folder / '1.png'), np.zeros((*size, 3), np.uint8))
    return folder / 'a.json'


def compare(folder, **options):
    return comparison.compare(
        SIDES, [folder / '1.png'], folder / 'out', folder / 'a.json', **options
    )


def test_the_category_is_asked_for_and_taken(tmp_path):
    path = write(tmp_path, 'two categories with keypoints')
    with pytest.raises(InputError, match="'person'.*'robot'.*--category NAME"):
        compare(tmp_path)
    for category, count in (('robot', 1), ('person', 4), (2, 1)):
        truth = Annotations(path, 5, category=category)
        assert sum(len(truth.persons(i).boxes) for i in truth.images) == count


def test_the_command_checks_annotations_before_it_builds_a_model(tmp_path, monkeypatch):
    path = write(tmp_path, 'annotation ids over and over')
    monkeypatch.setattr(comparison, 'load_sides', lambda *_: pytest.fail('a model was built'))
    words = [tmp_path / '1.png', '--model', 'a.py', '--model', 'b.py', '--annotations', path]
    with pytest.raises(SystemExit, match='^error: .*a.json: annotation 1, 2, 1, 2, 1: id: expect'):
        command([str(word) for word in words])


def test_hard_images_need_crowd_indices(tmp_path):
    write(tmp_path, lambda data: data['images'][1].pop('crowdIndex'))
    with pytest.raises(InputError, match='which 1 of 3 images of .*a.json lack, such as image 2'):
        compare(tmp_path, hardest=1)


def test_images_of_another_size_are_refused(tmp_path):
    write(tmp_path, size=(60, 100))
    with pytest.raises(InputError, match=r'1\.png has 100x60 pixels; .*a\.json is for 100x80'):
        compare(tmp_path)
    assert not (tmp_path / 'out').exists()


def test_what_was_mended_is_said(tmp_path, capsys):
    write(tmp_path, 'category has id 9', size=(60, 100))
    with pytest.raises(InputError, match='has 100x60 pixels'):
        compare(tmp_path)
    assert 'a.json: categories: id: expected 1, as in COCO, found 9' in capsys.readouterr().out


def test_two_models_of_other_sigmas(tmp_path, capsys):
    write(tmp_path, size=(60, 100))
    other = Side('C', SimpleNamespace(dataset_meta=dict(META, sigmas=[0.3] * 5)), Spec('C'))
    with pytest.raises(InputError, match='has 100x60 pixels'):
        comparison.compare(
            [SIDES[0], other], [tmp_path / '1.png'], tmp_path / 'out', tmp_path / 'a.json'
        )
    assert 'other OKS sigmas: those of A count for both' in capsys.readouterr().out


@pytest.mark.parametrize('persons, poses, told', [(20, 20, False), (21, 5, True), (3, 21, True)])
def test_the_limit_of_twenty_is_told_where_it_cuts(persons, poses, told):
    models = {name: dict(found=2, poses=poses, missed=1) for name in 'AB'}
    record = dict(persons=persons, models=models)
    totals = dict(pictures=1, persons=persons, models=models)
    said = comparison.summary(dict(totals=totals, left_out=[], pictures=[record]))
    assert ('1 image with more than 20 people or poses, of which the best 20' in said) == told
