"""Drawn videos: people keep number and looks, walk as far as their speed says, and cross."""

import json

from pinet_mm.cli.make_crowdsynth import main
from pinet_mm.crowdsynth import (
    CrowdSettings,
    CrowdVideo,
    VideoSettings,
    draw_crowd,
    summarize_tracks,
    write_videos,
)
from pinet_mm.crowdsynth.angles import add_stride, sample_angles
from pinet_mm.crowdsynth.bodies import upright_body

import cv2
import numpy as np
import pytest

CROWD = CrowdSettings(size=(160, 96), persons=(3, 5), height=(0.5, 0.8), photometric=False)
SHORT = VideoSettings(CROWD, frames=12, fps=5)
ALONE = VideoSettings(
    CrowdSettings(
        size=(320, 240), persons=(1, 1), height=(0.5, 0.5), photometric=False, occluders=False
    ),
    frames=40,
)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Return the folder and the annotations of two short videos, written by one process."""
    out = tmp_path_factory.mktemp('videos')
    path, _ = write_videos(out, SHORT, 2, seed=3, split='val', suffix='.png')
    return out, json.loads(path.read_text())


def _files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*.*')}


# ---- what follows from the seed ----------------------------------------------------------------


def test_frames_follow_from_the_arguments_in_any_order():
    forwards = [CrowdVideo(SHORT, 1, 0).draw(frame) for frame in range(3)]
    video = CrowdVideo(SHORT, 1, 0)
    for frame in (2, 0, 1):
        image, people = video.draw(frame)
        assert np.array_equal(image, forwards[frame][0])
        for (track, person), (other, same) in zip(people, forwards[frame][1], strict=True):
            assert track == other and np.array_equal(person.keypoints, same.keypoints)


@pytest.mark.parametrize('other', [(2, 0, 'train'), (1, 1, 'train'), (1, 0, 'test')])
def test_seed_index_and_split_each_change_the_video(other):
    first = CrowdVideo(SHORT, 1, 0, 'train').draw(0)[0]
    assert not np.array_equal(first, CrowdVideo(SHORT, *other).draw(0)[0])


def test_a_video_is_not_the_image_of_the_same_number():
    video, image = CrowdVideo(SHORT, 1, 0), draw_crowd(CROWD, 1, 0)[0]
    assert not np.array_equal(video.draw(0)[0], image)


def test_two_workers_write_the_bytes_of_one(written, tmp_path):
    write_videos(tmp_path, SHORT, 2, seed=3, split='val', workers=2, suffix='.png')
    assert _files(tmp_path) == _files(written[0])


def test_noise_changes_from_frame_to_frame_and_exposure_does_not():
    settings = VideoSettings(
        CrowdSettings(size=(96, 96), persons=(1, 1), height=(0.3, 0.3), occluders=False), 4
    )
    noisy = next(
        video
        for video in (CrowdVideo(settings, 0, index) for index in range(9))
        if video.camera.grain.max() > 8
    )
    first, second = (noisy.draw(frame)[0].astype(int) for frame in (0, 1))
    assert np.abs(first - second).mean() > 1
    assert abs(first.mean() - second.mean()) < 1


# ---- how people move ---------------------------------------------------------------------------


def test_people_move_as_far_per_frame_as_they_walk():
    # a person walks at most one height per second: 1 / 25 per frame, whatever the way
    for index in range(6):
        walker = CrowdVideo(ALONE, 0, index).walkers[0]
        steps = np.abs(np.diff(walker.path.x))
        assert steps.max() <= 120 / 25 + 1e-9
        assert walker.path.height.min() >= 120 - 1e-9


def test_the_label_follows_the_path_of_its_person():
    video = CrowdVideo(ALONE, 0, 1)
    middles = []
    for frame in range(len(video)):
        _, people = video.draw(frame)
        assert [track for track, _ in people] in ([], [1])
        for _, person in people:
            if (person.keypoints[11:13, 2] > 0).all():
                middles.append((frame, person.keypoints[11:13, 0].mean()))
    frames, x = np.array(middles).T
    # the point on the ground lies under the hips
    assert len(frames) > 10
    assert np.abs(x - video.walkers[0].path.x[frames.astype(int)]).max() < 4


def test_looks_and_bones_stay_while_the_pose_changes():
    walker = CrowdVideo(ALONE, 0, 1).walkers[0]
    bodies = [walker.body(frame, 0.0) for frame in (0, 10)]
    ends = [
        (body.joints_cam['left_knee'], body.joints_cam['left_ankle'], body.joints_cam['left_hip'])
        for body in bodies
    ]
    lengths = [np.linalg.norm(knee - ankle) for knee, ankle, _ in ends]
    assert lengths[0] == pytest.approx(lengths[1])
    assert np.linalg.norm(ends[0][0] - ends[1][0]) > 0.02


def test_a_yaw_of_90_degrees_faces_the_right_of_the_image():
    rng = np.random.default_rng(0)
    angles = sample_angles(rng, 'standing')
    bones = CrowdVideo(ALONE, 0, 0).walkers[0].bones
    body = upright_body(angles, bones, 1.0, 90, 0)
    assert body.joints_cam['nose'][0] > body.joints_cam['neck'][0] and body.view == 'side'
    assert upright_body(angles, bones, 1.0, 190, 0).view == 'back'


def test_nobody_swings_who_does_not_walk():
    angles = sample_angles(np.random.default_rng(0), 'standing')
    assert add_stride(angles, 1.0, 30.0, 0.0) == angles
    # a quarter of two steps: the left leg is as far in front as the right one is behind
    stride = add_stride(angles, np.pi / 2, 20.0)
    moved = [stride[f'{side}_hip_flex'] - angles[f'{side}_hip_flex'] for side in ('left', 'right')]
    assert moved == pytest.approx([20, -20])


def test_people_cross_are_covered_enter_and_leave():
    settings = VideoSettings(
        CrowdSettings(size=(160, 96), persons=(8, 8), height=(0.4, 0.6), photometric=False), 160
    )
    frames = [CrowdVideo(settings, 0, 0).draw(frame)[1] for frame in range(0, 160, 6)]
    left_to_right = [
        tuple(track for track, _ in sorted(people, key=lambda item: item[1].bbox[0]))
        for people in frames
    ]
    assert len(set(left_to_right)) > 8
    present = [{track for track, _ in people} for people in frames]
    assert any(now - before for before, now in zip(present, present[1:]))
    assert any(before - now for before, now in zip(present, present[1:]))
    covered = sum((person.keypoints[:, 2] == 1).mean() > 0.5 for _, person in sum(frames, []))
    assert covered > 5


# ---- the files ---------------------------------------------------------------------------------


def test_annotations_carry_video_frame_and_track(written):
    out, data = written
    assert [video['frames'] for video in data['videos']] == [12, 12]
    assert data['videos'][1] == dict(id=1, name='000001', width=160, height=96, fps=5, frames=12)
    assert [image['id'] for image in data['images']] == list(range(24))
    assert [(image['video_id'], image['frame_id']) for image in data['images']] == [
        (video, frame) for video in range(2) for frame in range(12)
    ]
    for image in data['images']:
        pixels = cv2.imread(str(out / 'images/val' / image['file_name']))
        people = CrowdVideo(SHORT, 3, image['video_id'], 'val').draw(image['frame_id'])[1]
        assert pixels.shape == (96, 160, 3)
        items = [item for item in data['annotations'] if item['image_id'] == image['id']]
        offset = image['video_id'] * len(CrowdVideo(SHORT, 3, 0, 'val').walkers)
        assert [item['track_id'] for item in items] == [track + offset for track, _ in people]


def test_gaps_are_counted_by_hand():
    images = [dict(id=9 + frame, video_id=0, frame_id=frame) for frame in range(6)]
    # 1 is there in frames 0, 1 and 5; 2 in all but the last
    shown = [(0, 1), (1, 1), (5, 1)] + [(frame, 2) for frame in range(5)]
    annotations = [dict(image_id=9 + frame, track_id=track) for frame, track in shown]
    assert summarize_tracks(images, annotations) == dict(videos=1, tracks=2, gaps=1, longest_gap=3)


def test_the_tool_draws_videos_and_a_sheet(tmp_path, capsys):
    options = ['--video', '1', '--frames', '4', '--size', '96', '64', '--persons', '2', '3']
    main([str(tmp_path), *options, '--preview', str(tmp_path / 'sheet.png')])
    data = json.loads((tmp_path / 'annotations/train.json').read_text())
    assert len(data['images']) == 4 and data['info']['settings']['fps'] == 25
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (3 * 64, 3 * 96, 3)
    assert 'tracks' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--video', '1', '--poses', 'sitting'], '--poses is for images'),
        (['--video', '1', '--crowd-index', '0', '0.5'], '--crowd-index is for images'),
        (['--video', '1', '--fps', '0'], 'fps must be a number above 0, got 0.0'),
    ],
)
def test_options_that_videos_cannot_have(tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        main([str(tmp_path), *options])
    assert not list(tmp_path.iterdir())


def test_settings_of_the_wrong_kind():
    with pytest.raises(TypeError, match='crowd must be a CrowdSettings, got dict'):
        VideoSettings(dict(size=(96, 96)))
    with pytest.raises(ValueError, match='frames must be an integer of at least 1, got 0'):
        VideoSettings(frames=0)
    with pytest.raises(TypeError, match='settings must be a VideoSettings, got CrowdSettings'):
        CrowdVideo(CROWD, 0, 0)
    with pytest.raises(IndexError, match=r'frame must be in \[0, 12\), got 12'):
        CrowdVideo(SHORT, 0, 0).draw(12)
