"""All faults of a file are reported at once, whatever other faults it has."""

import itertools
import random

from pinet_mm.datasets.check import KINDS, AnnotationError, Expected, check_data
from pinet_mm.datasets.check.findings import to_lines

import pytest

from tests.helpers.changes import NAMES, valid
from tests.helpers.mutations import CONTENT

# Where one of these is, whose keypoints count is not known, or people are left out.
HIDING = {
    'categories-ambiguous',
    'category-id-type',
    'category-names-type',
    'category-undescribed',
    'image-id-missing',
    'image-id-type',
    'image-unknown',
    'keypoint-count',
    'no-annotations',
    'nobody-left',
}


def check_both(*changes):
    return check_data(changed(*changes), Expected(NAMES))


def test_faults_of_all_layers_stand_in_one_table():
    data = valid()
    data['categories'][0]['keypoints'] = NAMES[:4]  # categories
    data['images'][0]['file_name'] = '/1.png'  # images
    del data['images'][1]['width']
    data['annotations'][1]['id'] = 1  # ids
    for each in data['annotations'][2:]:  # people
        each['keypoints'] = [1, 2]
    data['annotations'][0]['bbox'] = [1]
    with pytest.raises(AnnotationError) as caught:
        check_data(data, Expected(NAMES), 'a.json').require()
    head, titles, *rows = str(caught.value).splitlines()
    assert head == f'a.json: {len(rows)} kinds of faults'
    assert titles.split() == ['count', 'record', 'first', 'ids', 'what']
    found = [tuple(row.split()[:4]) for row in rows]
    for level, count, record, name in (
        ('refused', '1', 'categories:', 'keypoints'),
        ('refused', '1', 'image:', 'file_name'),
        ('refused', '1', 'image:', 'width,'),
        ('refused', '2', 'annotation:', 'id'),
        ('refused', '5', 'annotation:', 'keypoints'),
        ('refused', '1', 'annotation:', 'bbox'),
    ):
        assert (level, count, record, name) in found
    said = ', found 15 numbers for 4 keypoints; export'
    assert any('  1, 1, 3, 4, 5  ' in row and said in row for row in rows)


def test_columns_of_the_table_are_aligned():
    changes = [each.change for each in CONTENT if each.name in ('visibility 3', 'iscrowd is 2')]
    head, titles, first, second = to_lines('a.json', list(check_both(*changes).findings))
    assert first.index('expected') == second.index('expected') == titles.index('what')
    assert first.startswith('refused ') and second.startswith('suspicious ')


def changed(*changes):
    """A valid file with changes one after the other; None if the last one is not possible."""
    data = valid()
    try:
        for change in changes:
            change(data)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None
    return data


def test_any_two_mutations_are_found_together_or_refused_in_words():
    pairs = list(itertools.permutations([each for each in CONTENT if each.kind], 2))
    missed, tried = [], 0
    for one, two in random.Random(0).sample(pairs, 800):
        data = changed(one.change, two.change)
        try:
            found = data and {each.kind for each in check_data(data, Expected(NAMES)).findings}
        except AnnotationError:
            assert 'fields-missing' in (one.kind, two.kind)
            continue
        places = {KINDS[each.kind].place for each in (one, two)}
        if found and len(places) == 2 and one.kind not in HIDING:
            tried += 1
            if two.kind not in found:
                missed.append((one.name, two.name))
    assert tried > 400 and len(missed) < 0.02 * tried, missed
