"""Poses for annotation tools, and their exports, in forms written by hand from their pages."""

import json
from pathlib import PurePath

from pinet_mm.errors import InputError
from pinet_mm.inference.results import PoseResult
from pinet_mm.inference.results.exchange import from_label_studio, to_cvat, to_label_studio

import numpy as np
import pytest

from tests.helpers.videos import META, found_in


def result(file='images/street.jpg'):
    """A person with keypoints at (9.5, 20), (21, 21) ... (24, 24) in an image of 200×100."""
    found = PoseResult.of(found_in(np.full((100, 200, 3), 9, np.uint8)), META)
    found.pred_instances.keypoints[0, 0, 0] = 9.5
    found.pred_instances.keypoint_scores[0, 4] = 0.1  # of a mean of 0.42
    found.pred_instances.bboxes[0] = 9.5, 20, 24, 24
    found.set_metainfo(dict(img_path=file))
    return found


NAMES = result().names


def test_cvat_gets_coco_keypoints_with_visibility_and_links_from_one():
    document = json.loads(json.dumps(to_cvat([result(), result('b.jpg')])))
    assert document['images'][0] == dict(id=1, file_name='street.jpg', width=200, height=100)
    assert [each['image_id'] for each in document['annotations']] == [1, 2]
    first = document['annotations'][0]
    assert first['keypoints'] == [9.5, 20, 2, 21, 21, 2, 22, 22, 2, 23, 23, 2, 24, 24, 1]
    assert (first['bbox'], first['area'], first['num_keypoints']) == ([9.5, 20, 14.5, 4], 58, 5)
    # What the reader behind CVAT's "COCO Keypoints 1.0" demands of an annotation.
    assert first['segmentation'] == [] and first['iscrowd'] == 0 and first['category_id'] == 1
    assert {type(first[name]) for name in ('id', 'image_id', 'score')} == {int, float}
    (category,) = document['categories']
    assert category['keypoints'] == NAMES
    assert np.min(category['skeleton']) == 1 and np.max(category['skeleton']) == 5
    with pytest.raises(InputError, match='to_cvat needs one result'):
        to_cvat([])


def test_frames_are_named_as_cvat_numbers_those_of_a_video():
    frames = [result('walk.mp4'), result('walk.mp4')]
    for frame, found in zip((0, 125), frames):
        found.set_metainfo(dict(frame_index=frame, seconds=frame / 25))
    names = [PurePath(image['file_name']).stem for image in to_cvat(frames)['images']]
    assert names == ['frame_000000', 'frame_000125'], 'of the whole video, six digits'
    with pytest.raises(InputError, match='a task of CVAT has one video; found b.mp4, walk.mp4'):
        frames[0].set_metainfo(dict(img_path='b.mp4'))
        to_cvat(frames)


def test_images_that_cvat_cannot_tell_apart_are_refused():
    for other in ('other/street.jpg', 'images/street.png'):
        with pytest.raises(InputError, match='^2 images are called street, .*: CVAT would mistake'):
            to_cvat([result(), result(other)])


def region(kind, name, value, **more):
    """A region as Label Studio's page on its JSON has it."""
    place = dict(original_width=200, original_height=100, image_rotation=0, to_name='image')
    return dict(place, type=kind, id=name, value=value, **more)


def test_label_studio_gets_percent_and_parts_of_people():
    (task,) = to_label_studio([result()])
    (prediction,) = task['predictions']
    assert prediction['score'] == 0.5
    box, first, *others = prediction['result']
    # 9.5 px from the center of the first pixel are 10 px from the border, 5 % of 200.
    value = dict(x=5, y=20.5, width=7.25, height=4, rotation=0, rectanglelabels=['person'])
    more = dict(from_name='person', score=0.5)
    assert box == region('rectanglelabels', 'image1-person0', value, **more)
    value = dict(x=5, y=20.5, width=0.5, keypointlabels=[NAMES[0]])
    more = dict(from_name='keypoint', score=0.5, parentID='image1-person0')
    assert first == region('keypointlabels', 'image1-person0-0', value, **more)
    assert len(others) == 4


@pytest.mark.parametrize(
    'file, words, image',
    [
        # The storage's path is a folder below the document root, here /home/me/images of /home/me.
        ('/home/me/images/street.jpg', (), '/data/local-files/?d=images/street.jpg'),
        ('street.jpg', (), '/data/local-files/?d=street.jpg'),
        ('a/street.jpg', ('/files/',), '/files/street.jpg'),
        ('a/1+1 = 2#.jpg', (), '/data/local-files/?d=a/1%2B1%20%3D%202%23.jpg'),
        ('http://host/a/street.jpg', (), 'http://host/a/street.jpg'),
    ],
)
def test_label_studio_finds_images_below_its_document_root(file, words, image):
    tasks = to_label_studio([result('b/other.jpg'), result(file)], *words)
    assert tasks[1]['data'] == dict(image=image)
    ids = [region['id'] for task in tasks for region in task['predictions'][0]['result']]
    assert len(set(ids)) == len(ids) == 2 * 6, 'of tasks, predictions and regions ids differ'
    names = [each['file_name'] for each in from_label_studio(tasks, NAMES)['images']]
    assert names == ['other.jpg', PurePath(file).name]


EXPORT = """[{
  "id": 41, "inner_id": 1, "project": 83, "file_upload": null, "meta": {},
  "created_at": "2026-03-09T21:52:49.513742Z", "updated_at": "2026-03-09T22:16:08.746926Z",
  "data": {"image": "/data/local-files/?d=my-data/image%201.png"},
  "predictions": [7],
  "annotations": [{
    "id": 1001, "completed_by": 10, "was_cancelled": false, "ground_truth": false, "task": 41,
    "lead_time": 4.288, "result_count": 3, "parent_prediction": 7,
    "result": [
      {"original_width": 600, "original_height": 400, "image_rotation": 0, "origin": "manual",
       "id": "zPOIgTqdvx", "from_name": "keypoint", "to_name": "image", "type": "keypointlabels",
       "parentID": "Dx_aB91ISN",
       "value": {"x": 25.0, "y": 50.0, "width": 0.6, "keypointlabels": ["LAST"]}},
      {"original_width": 600, "original_height": 400, "image_rotation": 0,
       "origin": "prediction-changed", "score": 0.83,
       "id": "Dx_aB91ISN", "from_name": "person", "to_name": "image", "type": "rectanglelabels",
       "value": {"x": 10.0, "y": 20.0, "width": 30.0, "height": 45.0, "rotation": 0,
                 "rectanglelabels": ["person"]}},
      {"original_width": 600, "original_height": 400, "image_rotation": 0, "origin": "prediction",
       "id": "image1-person0-0", "from_name": "keypoint", "to_name": "image",
       "type": "keypointlabels", "parentID": "Dx_aB91ISN", "score": 0.7,
       "value": {"x": 12.5, "y": 30.25, "width": 0.5, "keypointlabels": ["FIRST"]}}
    ]
  }]
}]"""


def test_an_export_as_label_studios_pages_show_it_becomes_annotations():
    tasks = json.loads(EXPORT.replace('FIRST', NAMES[0]).replace('LAST', NAMES[4]))
    document = from_label_studio(tasks, NAMES)
    assert document['images'] == [dict(id=1, file_name='image 1.png', width=600, height=400)]
    (person,) = document['annotations']
    # 25 % of 600 are 150 px from the border, 149.5 from the center of the first pixel.
    assert person['keypoints'] == [74.5, 120.5, 2, *[0] * 9, 149.5, 199.5, 2]
    assert person['bbox'] == [59.5, 79.5, 180, 180] and person['area'] == 180 * 180
    assert (person['num_keypoints'], person['image_id'], person['category_id']) == (2, 1, 1)


def test_an_export_of_label_studio_becomes_annotations():
    box = dict(x=5.0, y=20.5, width=7.25, height=4.0, rotation=0, rectanglelabels=['person'])
    point = dict(x=5.0, y=20.5, width=0.4, keypointlabels=[NAMES[1]])
    done = [
        region('rectanglelabels', 'a1', box),
        region('keypointlabels', 'b2', point, parentID='a1'),
    ]
    task = dict(id=7, data=dict(image='/data/local-files/?d=street.jpg'))
    task.update(annotations=[dict(result=done)], predictions=[dict(result=[])])
    document = from_label_studio([task], NAMES)
    assert document['images'] == [dict(id=1, file_name='street.jpg', width=200, height=100)]
    (person,) = document['annotations']
    assert person['keypoints'] == [0, 0, 0, 9.5, 20, 2, *[0] * 9]
    assert person['bbox'] == [9.5, 20, 14.5, 4] and person['num_keypoints'] == 1
    done[1]['parentID'] = 'nobody'
    with pytest.raises(InputError, match=r'street.jpg: a keypoint must be part of .* of nobody'):
        from_label_studio([task], NAMES)


@pytest.mark.parametrize(
    'degrees, upright',
    [
        # A rectangle of 20×10 px whose upper left corner is 100, 50 px from the border.
        (0, [99.5, 49.5, 20, 10]),
        (90, [89.5, 49.5, 10, 20]),  # clockwise about that corner: it goes down and left
        (-90, [99.5, 29.5, 10, 20]),
        (45, [92.43, 49.5, 21.21, 21.21]),  # 30 / √2 wide, 10 / √2 of it to the left
    ],
)
def test_a_rotated_rectangle_becomes_the_box_around_it(degrees, upright):
    value = dict(x=50, y=50, width=10, height=10, rotation=degrees)
    box = region('rectanglelabels', 'a', value)
    task = dict(data=dict(image='a.jpg'), annotations=[dict(result=[box])])
    (person,) = from_label_studio([task], NAMES)['annotations']
    assert person['bbox'] == pytest.approx(upright, abs=0.006) and person['area'] == 200
    box['image_rotation'] = 90
    with pytest.raises(InputError, match=r'^a.jpg was rotated in Label Studio, .* label it anew$'):
        from_label_studio([task], NAMES)


def test_an_export_may_have_images_of_nobody_and_relations():
    box = region('rectanglelabels', 'a1', dict(x=0, y=0, width=10, height=10, rotation=0))
    tasks = [
        dict(data=dict(image='empty.jpg'), annotations=[dict(result=[])]),
        dict(data=dict(image='one.jpg'), annotations=[dict(result=[dict(type='relation'), box])]),
    ]
    empty, one = from_label_studio(tasks, NAMES)['images']
    assert empty == dict(id=1, file_name='empty.jpg'), 'readers take the size from the image'
    assert one == dict(id=2, file_name='one.jpg', width=200, height=100)


BOX = region('rectanglelabels', 'a', dict(x=1, y=2, width=3, height=4), from_name='person')
POINT = region('keypointlabels', 'b', dict(x=1, y=2, keypointlabels=NAMES[:1]), parentID='a')


@pytest.mark.parametrize(
    'annotations, problem',
    [
        (5, 'TypeError'),
        ([5], 'AttributeError'),
        ([dict(result=5)], 'TypeError'),
        ([dict(result=[5])], 'AttributeError'),
        ([dict(result=[dict(type='rectanglelabels')])], "KeyError..original_width'"),
        ([dict(result=[BOX, dict(POINT, value=5)])], 'TypeError'),
        ([dict(result=[BOX, dict(POINT, value=dict(POINT['value'], x='1'))])], 'TypeError'),
        ([dict(result=[dict(BOX, original_width=None)])], 'TypeError'),
    ],
)
def test_a_damaged_task_is_named(annotations, problem):
    whole = dict(data=dict(image='a.jpg'), annotations=[dict(result=[BOX, POINT])])
    assert len(from_label_studio([whole], NAMES)['annotations']) == 1
    with pytest.raises(InputError, match=f'^entry 1 is not as Label Studio exports it: {problem}'):
        from_label_studio([whole, dict(whole, annotations=annotations)], NAMES)


def test_a_keypoint_that_is_labeled_twice_is_refused():
    task = dict(data=dict(image='a.jpg'), annotations=[dict(result=[BOX, POINT, POINT])])
    with pytest.raises(InputError, match=f'^a.jpg: {NAMES[0]} of a is labeled twice: leave one$'):
        from_label_studio([task], NAMES)


def test_skipped_tasks_and_the_names_of_uploaded_files():
    tasks = [
        dict(data=dict(image='/data/upload/7/0a1b2c3d-street.jpg'), annotations=[dict(result=[])]),
        dict(data=dict(image='skipped.jpg'), annotations=[dict(result=[], was_cancelled=True)]),
        dict(data=dict(image='/data/local-files/?d=in/0a1b2c3d-b.jpg'), annotations=[]),
        dict(data=dict(image='http://host/a=b.jpg'), annotations=[]),
        dict(data=dict(image='http://host/c.jpg?key=d/e'), annotations=[]),
    ]
    images = from_label_studio(tasks, NAMES)['images']
    names = ['street.jpg', '0a1b2c3d-b.jpg', 'a=b.jpg', 'c.jpg']
    assert [each['file_name'] for each in images] == names


@pytest.mark.parametrize('task', [{}, dict(data={}), dict(data=None)])
def test_a_task_without_an_image_is_named(task):
    with pytest.raises(InputError, match=r'^entry 0 must name its image as data\.image$'):
        from_label_studio([task], NAMES)


def test_two_images_of_one_name_are_refused():
    tasks = [dict(data=dict(image=f'{folder}/a.jpg')) for folder in 'xy']
    with pytest.raises(InputError, match='^2 images are called a.jpg'):
        from_label_studio(tasks, NAMES)
    with pytest.raises(InputError, match='^2 images are called'):
        to_label_studio([result(), result()])


def test_frames_of_a_video_are_refused_for_label_studio_as_such():
    frames = [result('walk.mp4'), result('walk.mp4')]
    for number, frame in enumerate(frames):
        frame.set_metainfo(dict(frame_index=number, seconds=number / 25))
    with pytest.raises(InputError, match='^walk.mp4 is a video; keypoints of Label Studio are'):
        to_label_studio(frames)


def test_predictions_come_back_from_label_studio_as_they_went():
    back = from_label_studio(json.loads(json.dumps(to_label_studio([result()]))), NAMES)
    wanted = to_cvat([result()])['annotations'][0]
    (person,) = back['annotations']
    assert person['bbox'] == pytest.approx(wanted['bbox'], abs=0.01)
    given, found = (np.reshape(each['keypoints'], (-1, 3))[:, :2] for each in (wanted, person))
    np.testing.assert_allclose(found, given, atol=0.01)
