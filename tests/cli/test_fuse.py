"""`fuse` from the command line: one line before anything is written, categories, words beside AP.

The people are those of `mutations.valid`, five of them of five keypoints in three images; perfect
poses have AP 1.
"""

import json
import re

from pinet_mm.cli import fuse
from pinet_mm.inference import ensemble

import pytest

from tests.helpers.changes import NAMES, valid
from tests.helpers.doors import perfect_poses
from tests.helpers.mutations import CONTENT
from tests.helpers.toys import codec_config

INFO = f"""
dataset_info = dict(
    dataset_name='toy', paper_info={{}}, skeleton_info={{}}, joint_weights=[1.0] * 5,
    sigmas=[0.05] * 5,
    keypoint_info={{
        i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='')
        for i, name in enumerate({NAMES})
    }},
)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'toy.py').write_text(INFO)
    return tmp_path


def run(folder, *words, change=None, poses=None, annotated=True):
    data = valid()
    if change:
        next(each for each in CONTENT if each.name == change).change(data)
    (folder / 'a.json').write_text(json.dumps(data))
    (folder / 'poses.json').write_text(json.dumps(perfect_poses() if poses is None else poses))
    people = ('--annotations', folder / 'a.json') if annotated else ()
    words = [folder / 'poses.json', '--metainfo', folder / 'toy.py', *people, *words]
    words += [] if '--out' in words else ['--out', folder / 'fused.json']
    fuse.main([str(word) for word in words])


def fused(folder):
    return json.loads((folder / 'fused.json').read_text())


@pytest.mark.parametrize('change, wanted', [(None, 1), ('category has id 9', 9)])
def test_results_have_the_category_of_the_annotations(folder, capsys, change, wanted):
    run(folder, change=change)
    assert {each['category_id'] for each in fused(folder)} == {wanted}
    said = capsys.readouterr().out.splitlines()
    assert [line.split(' AP50')[0].split('/')[-1] for line in said[-2:]] == [
        'poses.json AP 1.000',
        'fused.json AP 1.000',
    ]
    assert ('id' in said[0] and '9' in said[0]) == (change is not None)  # mended, and said


def test_without_annotations_that_of_the_poses(folder):
    poses = [dict(each, category_id=4) for each in perfect_poses()]
    run(folder, poses=poses, annotated=False)
    assert {each['category_id'] for each in fused(folder)} == {4}
    run(folder, poses=[dict(each, category_id=None) for each in poses], annotated=False)
    assert {each['category_id'] for each in fused(folder)} == {1}


@pytest.mark.parametrize('unnamed', [5, 2])
def test_poses_without_a_category_are_told_in_one_line(folder, capsys, unnamed):
    poses = perfect_poses()
    for each in poses[:unnamed]:
        del each['category_id']
    run(folder, poses=poses)
    line, *others = capsys.readouterr().out.splitlines()
    assert line == f'{folder}/poses.json: {unnamed} poses without category_id count as people'
    assert others[1].startswith(f'{folder}/poses.json AP 1.000')
    assert {each['category_id'] for each in fused(folder)} == {1}


def test_several_categories_are_asked_for(folder, capsys):
    change = 'two categories with keypoints'
    with pytest.raises(SystemExit, match="^error: .*'person' .*'robot'.*--category NAME"):
        run(folder, change=change)
    # Of the five the second is the robot; its pose alone is right then.
    poses = [dict(each, category_id=1 + (i == 1)) for i, each in enumerate(perfect_poses())]
    run(folder, '--category', 'robot', change=change, poses=poses)
    assert [each['category_id'] for each in fused(folder)] == [2]
    assert 'fused.json AP 1.000' in capsys.readouterr().out
    (folder / 'fused.json').unlink()
    with pytest.raises(SystemExit, match='several categories: category_id 1, 2; .*--category'):
        run(folder, poses=poses, annotated=False)
    assert not (folder / 'fused.json').exists()
    run(folder, '--category', '1', poses=poses, annotated=False)
    assert len(fused(folder)) == 4 and {each['category_id'] for each in fused(folder)} == {1}


@pytest.mark.parametrize(
    'words, options, message',
    [
        (['--max-poses', '0'], {}, 'max_poses must be at least 1'),
        (['--max-poses', '9', '--iou-type', 'keypoints_crowd'], {}, "20 with 'keypoints_crowd'"),
        (['--weights', '1', '2'], {}, 'weights'),
        (['--oks-thr', '7'], {}, 'oks_thr'),
        ([], dict(change='annotation ids over and over'), 'an id of its own'),
        ([], dict(poses=[dict(perfect_poses()[0], image_id=77)]), 'not in .*a.json, such as .*77'),
        ([], dict(poses={}), "COCO's result format; found a dict"),
        (['--out', 'poses.json'], {}, 'poses.json is a file to read'),
        (['--metainfo', 'a.json'], {}, 'a.json'),
    ],
)
def test_one_line_before_anything_is_written(folder, monkeypatch, words, options, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as caught:
        run(folder, *words, **options)
    (line,) = str(caught.value).splitlines()
    assert line.startswith('error: ')
    assert re.search(message, line), line
    assert not (folder / 'fused.json').exists()
    assert json.loads((folder / 'poses.json').read_text()) == options.get('poses', perfect_poses())


def test_ap_0_and_the_bounds_of_crowding_are_told(folder, capsys):
    moved = [
        dict(each, keypoints=[v + 40 if i % 3 == 0 else v for i, v in enumerate(each['keypoints'])])
        for each in perfect_poses()
    ]
    run(folder, '--iou-type', 'keypoints_crowd', poses=moved)
    said = capsys.readouterr().out
    assert 'AP(M) 0.000 AP(H) ' in said
    assert '(AP is 0: the best of all poses has an OKS of 0.00' in said
    assert said.splitlines()[-1].startswith('AP(E), AP(M), AP(H): crowdIndex below 0.2, to 0.8,')


def test_the_layout_of_a_config_counts(folder):
    codec = codec_config(layout='three')
    codec['layout']['sigmas'] = [0.2] * 5
    codec['layout']['metainfo']['sigmas'] = []
    (folder / 'config.py').write_text(f'codec = {codec!r}')
    sigmas, names = ensemble.read_keypoints(str(folder / 'config.py'))
    assert sigmas == (0.2,) * 5 and names[1] == 'left_hand'


def test_metainfo_without_sigmas_is_refused(folder):
    (folder / 'toy.py').write_text(INFO.replace('[0.05] * 5', '[]'))
    with pytest.raises(SystemExit, match='toy.py has 0 sigmas for 5 keypoints'):
        run(folder)


def test_poses_of_another_number_of_keypoints_are_named(folder):
    poses = perfect_poses()
    poses[2] = dict(poses[2], keypoints=poses[2]['keypoints'][:9])
    with pytest.raises(
        SystemExit, match=r'poses\.json: entry 2 has 3 keypoints; expected 5, as the'
    ):
        run(folder, poses=poses)
    assert not (folder / 'fused.json').exists()
