"""The check of annotation files: what it finds, what it says, and what it makes of it."""

import gc
import json
import math

from pinet_mm.datasets.check import (
    KINDS,
    AnnotationError,
    Expected,
    Level,
    check_data,
    check_file,
)

import pytest

from tests.helpers import mutations
from tests.helpers.changes import NAMES, person, valid
from tests.helpers.mutations import BYTES, CONTENT, REGION, UNREADABLE

every_change = pytest.mark.parametrize('mutation', CONTENT, ids=[each.name for each in CONTENT])


def by_name(name):
    return next(each for each in CONTENT if each.name == name)


def mended(name, **options):
    """The content that the check makes of a mutation."""
    data = valid()
    by_name(name).change(data)
    return check_data(data, Expected(NAMES, **options)).require().data


def check(mutation, path, **options):
    mutations.write(path, mutation)
    return check_file(path, Expected(NAMES, **options))


# --- what is found -------------------------------------------------------------------------------


@every_change
def test_every_fault_is_found_and_named(mutation, tmp_path):
    path = tmp_path / 'a.json'
    level = KINDS[mutation.kind].level if mutation.kind else None
    if level is not Level.REFUSED:
        checked = check(mutation, path)
        found = [finding.kind for finding in checked.findings]
        assert (mutation.kind in found) == (mutation.kind is not None), found
        assert mutation.kind or not found
        assert not checked.findings.of(Level.REFUSED)
        return
    with pytest.raises(AnnotationError) as caught:
        check(mutation, path).require()
    what = KINDS[mutation.kind]
    assert f'{path}: ' in str(caught.value) and f'expected {what.expected}' in str(caught.value)


@pytest.mark.parametrize('mutation', BYTES, ids=[each.name for each in BYTES])
def test_other_bytes_of_the_same_file(mutation, tmp_path):
    checked = check(mutation, tmp_path / 'a.json')
    assert [finding.kind for finding in checked.findings] == [mutation.kind]
    assert checked.data == valid()


@pytest.mark.parametrize('mutation', UNREADABLE, ids=[each.name for each in UNREADABLE])
def test_unreadable_files_are_refused_in_one_line(mutation, tmp_path):
    with pytest.raises(AnnotationError, match=f'a.json .*{mutation.kind}') as caught:
        check(mutation, tmp_path / 'a.json')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('enabled', [True, False])
def test_garbage_collection_is_afterwards_as_it_was(enabled, tmp_path, monkeypatch):
    seen, parse = [], json.loads
    monkeypatch.setattr(json, 'loads', lambda text: seen.append(gc.isenabled()) or parse(text))
    (tmp_path / 'a.json').write_text('{}')
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(AnnotationError):
            check_file(tmp_path / 'a.json')
        assert gc.isenabled() == enabled and seen == [False]
    finally:
        gc.enable()


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'b\.json does not exist'):
        check_file(tmp_path / 'b.json')
    with pytest.raises(AnnotationError, match='is a folder; expected a JSON file'):
        check_file(tmp_path)


def test_the_mutations_reach_every_kind():
    found = {each.kind for each in (*CONTENT, *BYTES)}
    of_images = {kind for kind in KINDS if kind.startswith(('image-file', 'image-size-'))}
    assert len(CONTENT) + len(BYTES) + len(UNREADABLE) >= 60
    assert set(KINDS) - found - of_images == {'category-unknown', 'crowd-index'}


def test_a_finding_names_ids_value_and_cure():
    data = valid()
    for each in data['annotations'][1:]:
        each['keypoints'] = [1, 2, 2] * 6
    (finding,) = check_data(data, Expected(NAMES)).findings
    assert str(finding) == (
        'annotation 2, 3, 4, 5: keypoints: expected 3 numbers per keypoint: x, y, visibility, '
        'found 18 numbers for 5 keypoints; export x, y and visibility of all keypoints, 0 0 0 '
        'where there is no label; if from CVAT: older versions leave out points that were deleted: '
        'update it, or mark them as outside; if from Label Studio: labels without a model_index of '
        'their own are left out: number all'
    )


@pytest.mark.parametrize('value', [5, True, 'text', dict(nose=[1, 2, 2])])
def test_keypoints_that_are_no_list_are_told_as_they_are(value):
    data = valid()
    data['annotations'][0]['keypoints'] = value
    (finding,) = check_data(data, Expected(NAMES)).findings
    assert (finding.kind, finding.ids) == ('keypoints-length', [1])
    assert f'x, y, visibility, found {value!r}; ' in str(finding)


@pytest.mark.parametrize('box', [None, [], [5, 5, 0, 0]])
def test_a_box_of_nobody_is_not_told_as_mended(box):
    data = valid()
    data['annotations'][0].update(keypoints=[0] * 15, num_keypoints=0, bbox=box)
    checked = check_data(data, Expected(NAMES))
    assert [each.kind for each in checked.findings] == ['nothing-there']
    assert [each['id'] for each in checked.data['annotations']] == [2, 3, 4, 5]


def test_many_ids_are_counted():
    data = valid()
    data['annotations'] = [dict(person(i, 1, 10, 10), area=0) for i in range(1, 10)]
    (finding,) = check_data(data, Expected(NAMES)).findings
    assert finding.count == 9
    assert str(finding).startswith('annotation 1, 2, 3, 4, 5 and 4 more: area: expected')


def test_strict_refuses_what_is_suspicious():
    data = valid()
    by_name('visibility 3').change(data)
    checked = check_data(data, Expected(NAMES))
    checked.require()
    with pytest.raises(AnnotationError, match='visibility 0, 1 or 2, found 3.0 of keypoint 0'):
        checked.require(strict=True)


# --- what is made of it --------------------------------------------------------------------------


@pytest.mark.parametrize('number', [0, 9])
def test_a_category_of_any_id_counts_as_one(number):
    data = valid()
    by_name(f'category has id {number}').change(data)
    checked = check_data(data, Expected(NAMES))
    assert checked.category_id == number
    assert checked.data == valid()


def test_other_objects_are_left_out():
    assert [each['id'] for each in mended('a second category of boxes')['annotations']] == [
        1,
        3,
        4,
        5,
    ]


@pytest.mark.parametrize('wanted, ids', [('person', [1, 3, 4, 5]), ('robot', [2]), (2, [2])])
def test_the_category_can_be_named(wanted, ids):
    kept = mended('two categories with keypoints', category=wanted)['annotations']
    assert [each['id'] for each in kept] == ids
    assert {each['category_id'] for each in kept} == {1}


def test_people_of_every_category_are_checked_before_one_is_named():
    data = valid()
    by_name('two categories with keypoints').change(data)
    data['categories'][1]['keypoints'] = NAMES[:2]
    data['annotations'][1]['keypoints'] = [51, 21, 2, 0, 0, 2, 1]  # of the second category
    data['annotations'][2].update(area=-1)  # of the first
    found = {each.kind: each.ids for each in check_data(data, Expected(NAMES)).findings}
    assert found == {'categories-ambiguous': [], 'keypoints-length': [2], 'area': [3]}


def test_an_unknown_category_is_refused():
    with pytest.raises(AnnotationError, match=r"asked for, found 'person' \(id 1\)"):
        check_data(valid(), Expected(category='dog')).require()


def test_keypoints_are_reordered_by_name():
    assert mended('keypoints in another order')['annotations'] == valid()['annotations']


@pytest.mark.parametrize(
    'name', ['NaN without a label', 'null without a label', 'null as visibility']
)
def test_a_keypoint_without_a_label_is_zero(name):
    keypoints = mended(name)['annotations'][0]['keypoints']
    assert keypoints == [0, 0, 0, *valid()['annotations'][0]['keypoints'][3:]]


@pytest.mark.parametrize('name', ['NaN with a label', 'infinity with a label', 'visibility -1'])
def test_what_cannot_be_a_label_is_none(name):
    annotation = mended(name)['annotations'][0]
    assert annotation['keypoints'][:3] == [0, 0, 0]
    assert annotation['num_keypoints'] == 4


@pytest.mark.parametrize('name', ['visibility 3', 'visibility 0.9'])
def test_any_positive_visibility_is_a_label(name):
    assert mended(name)['annotations'][0]['keypoints'][:3] == [20, 10, 2]


@pytest.mark.parametrize(
    'name', ['bbox is missing', 'bbox is []', 'bbox is empty', 'bbox is negative', 'bbox is NaN']
)
def test_a_box_is_that_of_the_labeled_keypoints(name):
    # Keypoints of person 1 reach from (10, 10) to (30, 50).
    assert mended(name)['annotations'][0]['bbox'] == [10, 10, 20, 40]


@pytest.mark.parametrize('name', ['area is missing', 'area is 0', 'area is null', 'area is NaN'])
def test_an_area_is_a_share_of_the_box(name):
    assert mended(name)['annotations'][0]['area'] == pytest.approx(0.53 * 20 * 40)


def test_other_areas_stay():
    data = valid()
    data['annotations'][1]['area'] = 123.0
    del data['annotations'][0]['area']
    areas = [each['area'] for each in check_data(data, Expected(NAMES)).data['annotations']]
    assert areas == [pytest.approx(424.0), 123.0, 424.0, 424.0, 424.0]


def test_a_person_of_nothing_is_left_out():
    assert [each['id'] for each in mended('a person of nothing')['annotations']] == [2, 3, 4, 5]


def test_counts_are_those_of_the_labels():
    counts = [each['num_keypoints'] for each in mended('num_keypoints is 0')['annotations']]
    assert counts == [5, 5, 3, 5, 5]


@pytest.mark.parametrize('name', ['region is a flat list', 'null beside a region'])
def test_a_region_in_another_form(name):
    assert mended(name)['annotations'][0]['segmentation'] == [REGION]


@pytest.mark.parametrize('name', ['region [[]]', 'region is a point', 'region is a line'])
def test_an_empty_region(name):
    assert mended(name)['annotations'][0]['segmentation'] == []


def test_crowd_indices_are_asked_for_where_they_are_needed():
    data = valid()
    del data['images'][1]['crowdIndex']
    check_data(data, Expected(NAMES)).require()
    with pytest.raises(AnnotationError, match='image 2: crowdIndex: expected a number'):
        check_data(data, Expected(NAMES, crowd_index=True)).require()


# --- written -------------------------------------------------------------------------------------


@every_change
def test_mended_content_has_no_fault_and_is_whole_json(mutation, tmp_path):
    data = valid()
    mutation.change(data)
    try:
        checked = check_data(data, Expected(NAMES)).require()
    except AnnotationError:
        return
    checked.write(tmp_path / 'out' / 'b.json')
    again = check_file(tmp_path / 'out' / 'b.json', Expected(NAMES))
    assert not [finding for finding in again.findings if finding.what.changes]
    assert checked.is_mended == any(finding.what.changes for finding in checked.findings)
    numbers = json.loads((tmp_path / 'out' / 'b.json').read_text())['annotations']
    assert all(math.isfinite(x) for each in numbers for x in (*each['keypoints'], *each['bbox']))
