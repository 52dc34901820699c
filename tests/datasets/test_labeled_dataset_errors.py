"""LabeledCocoDataset: settings and files that are refused, and how that is said."""

import json
import warnings

import pytest

from tests.helpers.merged import WHOLE, load, person, write
from tests.helpers.toys import FIVE


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(labeled_keypoints=['head']), r"must be like dict\(field=.*; found \['head'\]"),
        (dict(labeled_keypoints=dict(a=['head'])), 'must be like'),
        (dict(labeled_keypoints=dict(field='source')), 'must be like'),
        (dict(labeled_keypoints=dict(field=3, a=['head'])), 'must be like'),
        (
            dict(labeled_keypoints=dict(field='source', a='head')),
            r"labeled_keypoints\['a'\] must be a list of keypoint names; found 'head'",
        ),
        (dict(labeled_keypoints=dict(field='source', a=[])), r'must be a list .* found \[\]'),
        (
            dict(labeled_keypoints=dict(field='source', a=['head', 'tail', 0])),
            r"labeled_keypoints\['a'\] names the unknown keypoints \['tail', 0\]; known are ",
        ),
        (
            dict(labeled_keypoints=dict(field='origin', a=['head'])),
            r"merged.json: no image record has the field 'origin'; found the fields .*'source'",
        ),
        (
            dict(labeled_keypoints=dict(field='tags', a=['head'])),
            r"the field 'tags' of image records must be a string or number; found \['x'\]",
        ),
        (dict(where='a'), r"where must be like dict\(source='mpii'\).*; found 'a'"),
        (dict(where={3: 'a'}), 'where must be like'),
        (dict(where=dict()), r'where must hold at least one value of each field; found \{\}'),
        (dict(where=dict(source=[])), 'where must hold at least one value'),
        (dict(where=dict(origin='a')), "no image record has the field 'origin'"),
        (
            dict(where=dict(source='z')),
            r"where=\{'source': \['z'\]\} leaves none of the 2 images of .*merged.json; "
            r"found \{'source': \['a', 'b'\]\}",
        ),
        (dict(where=dict(source='a'), test_mode=True), 'is for training'),
        (dict(data_mode='topdown'), "needs data_mode='bottomup'; found 'topdown'"),
    ],
)
def test_wrong_settings_are_named(tmp_path, options, message):
    path = write(tmp_path, [person(1, 1, *WHOLE)], list(FIVE), sources=('a', 'b'))
    content = json.loads(open(path).read())
    content['images'][1]['tags'] = ['x']
    with open(path, 'w') as file:
        json.dump(content, file)
    with pytest.raises(ValueError, match=message):
        load(path, **options)


def test_settings_are_checked_before_any_file_is_read():
    with pytest.raises(ValueError, match='unknown keypoints'):
        load('nowhere.json', labeled_keypoints=dict(field='source', a=['tail']), lazy_init=True)


@pytest.mark.parametrize(
    'names, count, message',
    [
        (
            ['head', 'tail'],
            2,
            r'merged.json: category 1 must name keypoints of the metainfo, each once;'
            r" expected some of \['head', 'left_hand', .*\], found "
            r"\['head', 'tail'\], of which \['tail'\] are unknown",
        ),
        (['head', 'head'], 2, r"each once; .* found \['head', 'head'\]$"),
        (
            ['head', 'left_hand'],
            3,
            r'merged.json: annotation 7 must hold 3 numbers for each of the 2 '
            r"keypoints \['head', 'left_hand'\]; found 9 numbers",
        ),
        (['head', 'left_hand'], 5, 'found 15 numbers'),
        (None, 4, 'for each of the 5 keypoints .* found 12 numbers'),
        (list(FIVE), 4, 'for each of the 5 keypoints .* found 12 numbers'),
    ],
)
def test_files_that_contradict_themselves_are_named(tmp_path, names, count, message):
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path, [person(7, 1, *WHOLE[:count])], names))


def test_a_value_that_no_image_has_is_warned_of(tmp_path):
    path = write(tmp_path, [person(1, 1, *WHOLE)], list(FIVE), sources=('a', 'b'))
    with pytest.warns(UserWarning, match=r"lists \['bb'\], which no image .* found \['a', 'b'\]"):
        load(path, labeled_keypoints=dict(field='source', a=['head'], bb=['head']))
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        load(path, labeled_keypoints=dict(field='source', b=['head']), where=dict(source='a'))
