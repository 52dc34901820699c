"""Predictions converted for other tools, and what Label Studio exports of them."""

import csv
import json
import os
from pathlib import Path

from pinet_mm import cli
from pinet_mm.cli.convert_data import main
from pinet_mm.errors import InputError
from pinet_mm.inference.documents import read_document
from pinet_mm.inference.results.exchange import to_cvat, to_label_studio

import numpy as np
import pytest

from tests.helpers.light import run_light

HEAD = dict(keypoint_names=['head', 'hip', 'foot'], skeleton=[[0, 1], [1, 2]])
GOOD = dict(
    id=7,
    parts=[0, 0, 1],
    score=0.6,
    bbox=[9, 19, 29, 59],
    keypoints=[[9, 19, 0.9], [19, 39, 0.8], [29, 59, 0.1]],
)
POOR = dict(score=0.05, bbox=[0, 0, 4, 4], keypoints=[[0, 0, 0.1], [2, 2, 0.05], [4, 4, 0.0]])
IMAGE = dict(file='a/street.jpg', width=200, height=100, overlay=None, persons=[GOOD, POOR])
FRAME = dict(file='walk.mp4', frame=12, seconds=0.48, width=200, height=100, persons=[POOR])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name='p.json', images=(IMAGE,), schema=2):
    with open(name, 'w') as file:
        if name.endswith('l'):
            lines = [dict(HEAD, schema=f'pinet_mm.predictions/{schema}', run={}), *images]
            lines.insert(1, dict(file='broken.jpg', error='is no image'))
            file.write('\n'.join(map(json.dumps, lines)) + '\n{"file":"half')
        else:
            key = 'pictures' if schema == 1 else 'images'
            json.dump(dict(HEAD, schema=f'pinet_mm.predictions/{schema}', **{key: images}), file)


@pytest.mark.parametrize('name, schema', [('p.json', 2), ('p.jsonl', 2), ('p.json', 1)])
def test_documents_are_read_back(folder, name, schema):
    write(name, (IMAGE, FRAME), schema)
    image, frame = read_document(name)
    assert (image.file, image.size, image.frame) == ('a/street.jpg', (200, 100), None)
    assert (frame.file, frame.frame, frame.metainfo['seconds']) == ('walk.mp4', 12, 0.48)
    assert image.names == HEAD['keypoint_names'] and image.skeleton == [(0, 1), (1, 2)]
    np.testing.assert_array_equal(image.scores, [0.6, 0.05])
    np.testing.assert_array_equal(image.keypoints[0], [[9, 19], [19, 39], [29, 59]])
    np.testing.assert_array_equal(image.ids, [7, -1])


@pytest.mark.parametrize(
    'person, problem',
    [
        # Two of these would fill the rows of three people without a word.
        (dict(GOOD, keypoints=GOOD['keypoints'][:2]), 'a/street.jpg: person 1 has 2 keypoints; ex'),
        (dict(GOOD, keypoints=None), 'entry 1 of its images is no record: TypeError'),
        (dict(GOOD, keypoints=[[1], [2], [3]]), 'entry 1 of its images is no record: ValueError'),
        (dict(score=1), "entry 1 of its images is no record: KeyError..keypoints'"),
        ('somebody', 'entry 1 of its images is no record: TypeError'),
    ],
)
def test_a_record_of_other_keypoints_is_named(folder, person, problem):
    write(images=(IMAGE, dict(IMAGE, persons=[GOOD, person])))
    with pytest.raises(InputError, match=rf'^p\.json: {problem}'):
        read_document('p.json')


@pytest.mark.parametrize('size', [dict(width='x'), dict(height=None)])
def test_a_record_without_a_size_is_named(folder, size):
    write(images=(IMAGE, dict(IMAGE, **size)))
    with pytest.raises(InputError, match=r'^p\.json: entry 1 of its images is no record: '):
        read_document('p.json')


NO_HEADER = 'its header is none of a predictions.json: '


@pytest.mark.parametrize(
    'wrong, problem',
    [
        (dict(skeleton=[3]), f'{NO_HEADER}TypeError'),
        (dict(skeleton=[[0, 1, 2]]), f'{NO_HEADER}ValueError'),
        (dict(keypoint_names=5), f'{NO_HEADER}TypeError'),
        (dict(score_kind='best'), r"its score_kind must be one of \['mean .*'\]; found 'best'$"),
        (dict(score_kind=[]), r'its score_kind must be one of .*; found \[\]$'),
    ],
)
def test_a_header_of_something_else_is_named(folder, wrong, problem):
    write()
    document = json.load(open('p.json'))
    json.dump(dict(document, **wrong), open('wrong.json', 'w'))
    with pytest.raises(InputError, match=rf'^wrong\.json: {problem}'):
        read_document('wrong.json')


def test_a_table_has_a_row_per_keypoint(folder, capsys):
    write()
    main(['p.json', 'p.csv'])
    assert capsys.readouterr().out == 'p.csv is written\n'
    rows = list(csv.DictReader(open('p.csv')))
    assert [row['keypoint'] for row in rows] == ['head', 'hip', 'foot']
    assert {row['id'] for row in rows} == {'7'} and rows[2]['y'] == '59.0'
    assert rows[0]['file'] == 'a/street.jpg' and rows[0]['frame'] == ''
    main(['p.json', 'all.csv', '--pose-thr', '0'])
    assert len(open('all.csv').readlines()) == 1 + 6


@pytest.mark.parametrize('name, make', [('cvat', to_cvat), ('label-studio', to_label_studio)])
def test_tasks_are_those_of_exchange(folder, name, make):
    write()
    main(['p.json', 'out.json', '--to', name])
    assert json.load(open('out.json')) == json.loads(json.dumps(make(read_document('p.json'))))


def test_the_folder_of_label_studio_can_be_named(folder):
    write()
    main(['p.json', 'out.json', '--to', 'label-studio', '--folder', '/data/local-files/?d=x/y/'])
    (task,) = json.load(open('out.json'))
    assert task['data']['image'] == '/data/local-files/?d=x/y/street.jpg'


def test_results_have_the_ids_of_the_annotations(folder):
    write()
    json.dump(dict(images=[dict(id=31, file_name='val/street.jpg')]), open('val.json', 'w'))
    main(['p.json', 'out.json', '--to', 'results', '--annotations', 'val.json'])
    (found,) = json.load(open('out.json'))
    assert (found['image_id'], found['score'], found['bbox']) == (31, 0.6, [9, 19, 20, 40])
    assert found['keypoints'] == [9, 19, 0.9, 19, 39, 0.8, 29, 59, 0.1]


def test_what_label_studio_exports_comes_back_with_the_same_keypoints(folder):
    write()
    main(['p.json', 'tasks.json', '--to', 'label-studio'])
    tasks = json.load(open('tasks.json'))
    for task in tasks:  # as it exports them: what was accepted are annotations
        task['annotations'] = task.pop('predictions')
    json.dump(tasks, open('export.json', 'w'))
    main(['export.json', 'train.json', '--predictions', 'p.json'])
    found = json.load(open('train.json'))
    assert found['categories'][0]['keypoints'] == HEAD['keypoint_names']
    assert found['annotations'][0]['keypoints'] == [9, 19, 2, 19, 39, 2, 29, 59, 2]


def test_poses_go_to_cvat_and_back_as_xml(folder):
    write()
    main(['p.json', 'CVAT.XML', '--to', 'cvat'])
    main(['CVAT.XML', 'train.json'])
    found = json.load(open('train.json'))
    assert found['categories'][0]['keypoints'] == HEAD['keypoint_names']
    assert found['annotations'][0]['keypoints'] == [9, 19, 2, 19, 39, 2, 29, 59, 1]
    main(['CVAT.XML', 'again.json', '--predictions', 'p.json'])
    assert json.load(open('again.json')) == found


@pytest.mark.parametrize(
    'words, problem',
    [
        (['p.json', 'o.csv', '--folder', 'x/'], '--folder has no effect on --to csv: leave it out'),
        (['p.json', 'o.json', '--to', 'cvat', '--annotations', 'v.json'], '--annotations has no'),
        (['p.json', 'o.json', '--to', 'label-studio', '--predictions', 'p.json'], '--predictions'),
        (['p.json', 'o.json', '--to', 'results', '--folder', 'x'], '--folder has no effect on --t'),
        (['t.json', 'o.json', '--predictions', 'p.json', '--to', 'cvat'], '--to has no effect on'),
        (
            ['t.json', 'o.json', '--predictions', 'p.json', '--pose-thr', '0.3'],
            '--pose-thr has no effect on an export of Label Studio: leave it out',
        ),
        (['c.xml', 'o.json', '--to', 'cvat'], '--to has no effect on an export of CVAT: leave it'),
        (['c.xml', 'o.json'], 'c.xml: it is not as CVAT exports its images'),
    ],
)
def test_options_without_effect_are_refused(folder, words, problem):
    write()
    json.dump([dict(data=dict(image='a.jpg'))], open('t.json', 'w'))
    open('c.xml', 'w').close()
    with pytest.raises(SystemExit, match=f'^error: {problem}'):
        main(words)
    assert not list(folder.glob('o.*'))


def test_frames_have_the_names_that_cvat_gives_them(folder):
    write(images=(FRAME, dict(FRAME, frame=24)))
    found = to_cvat(read_document('p.json'))
    names = [each['file_name'] for each in found['images']]
    assert names == ['frame_000012.PNG', 'frame_000024.PNG']
    write(images=(FRAME, dict(FRAME, file='run.mp4')))
    with pytest.raises(InputError, match='one video; found run.mp4, walk.mp4'):
        to_cvat(read_document('p.json'))
    with pytest.raises(InputError, match='walk.mp4 is a video; keypoints of Label Studio'):
        to_label_studio(read_document('p.json'))


@pytest.mark.parametrize(
    'words, message',
    [
        (['p.json', 'o.json'], '--to must say what o.json is to be: csv, cvat, label-studio'),
        (['p.json', 'o.json', '--to', 'results'], '--to results needs --annotations'),
        (['p.json', 'o.json', '--to', 'results', '--annotations', 'v.json'], 'v.json has no image'),
        (['v.json', 'o.json'], 'v.json is neither a predictions.json nor an export'),
        (['t.json', 'o.json'], 't.json is an export of Label Studio: name the --predictions'),
        (['t.json', 'o.json', '--predictions', 'v.json'], 'v.json must be a predictions.json'),
        (['list.json', 'o.json'], 'list.json is neither a predictions.json nor an export'),
        (['bare.json', 'o.csv'], 'bare.json is neither a predictions.json nor an export'),
        (['empty.jsonl', 'o.csv'], 'empty.jsonl is neither a predictions.json nor an export'),
        (
            ['p.json', 'o.json', '--to', 'results', '--annotations', 'list.json'],
            'list.json must be COCO annotations: images, each with id and file_name',
        ),
        (
            ['p.json', 'o.json', '--to', 'results', '--annotations', 'twice.json'],
            'twice.json must give each image a file name of its own.*found 1 names for 2 images',
        ),
        (['no.json', 'o.json'], 'no.json is no JSON that can be read'),
    ],
)
def test_what_is_missing_is_one_sentence(folder, words, message):
    write()
    json.dump(dict(images=[]), open('v.json', 'w'))
    json.dump([dict(data=dict(image='a.jpg'))], open('t.json', 'w'))
    open('no.json', 'w').write('{')
    json.dump([1, 2], open('list.json', 'w'))
    json.dump(dict(schema='pinet_mm.predictions/2'), open('bare.json', 'w'))
    open('empty.jsonl', 'w').close()
    names = [dict(id=i, file_name=f'{i}/street.jpg') for i in range(2)]
    json.dump(dict(images=names), open('twice.json', 'w'))
    with pytest.raises(SystemExit, match=f'^error: {message}'):
        main(words)
    assert not (folder / 'o.json').exists()


@pytest.mark.parametrize('name', ['a.json', 'a.jsonl', 'a.xml'])
def test_what_may_never_end_is_not_read(folder, name):
    os.mkfifo(name)
    with pytest.raises(SystemExit, match=f'^error: {name} must be a file; found a pipe or device'):
        main([name, 'out.json'])


@pytest.mark.parametrize('text', ['[' * 100_000, '5\n6\n', '9' * 5000])
@pytest.mark.parametrize('name', ['a.json', 'a.jsonl'])
def test_what_json_does_not_hold_is_one_sentence(folder, name, text):
    Path(name).write_text(text)
    with pytest.raises(SystemExit, match=f'^error: {name} is n'):
        main([name, 'out.json'])


def test_it_needs_no_torch(folder):
    write()
    code = 'import sys\nfrom pinet_mm.cli import main\nmain(sys.argv[1:])'
    done = run_light(code, 'data', 'convert', 'p.json', 'p.csv', cwd=folder)
    assert done.returncode == 0, done.stderr
    assert 'data convert' in cli.COMMANDS
