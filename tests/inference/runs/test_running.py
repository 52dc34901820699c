"""Runs of `infer` that are interrupted, killed and resumed; videos, streams, what is unreadable."""

import json
import os
import signal
import time
import tracemalloc

from pinet_mm.cli.telling import summary
from pinet_mm.errors import InputError
from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.runs import running
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.runs.report import Report
from pinet_mm.inference.sources.items import Source
from pinet_mm.inference.sources.videos import Clip, read_video, video_facts

import cv2
import numpy as np
import pytest

from tests.helpers.journal_attack import FORK, apart
from tests.helpers.videos import MODEL, SIZE, STEP, predict, write_video

av = pytest.importorskip('av')
RESUME = InferOptions(resume=True)
DEEP = b'[' * 100_000


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    folder = tmp_path / 'inputs'
    folder.mkdir()
    for i, name in enumerate('abc'):
        cv2.imwrite(str(folder / f'{name}.png'), np.full((48, 64, 3), 20 * i, np.uint8))
    (folder / 'broken.jpg').write_text('no image')
    return [folder, write_video(folder / 'walk.mp4', audio='aac')]


def document(out):
    return json.loads((out / 'predictions.json').read_text())


def slowly(model, images, batch_size=8):
    for result in predict(model, images):
        time.sleep(0.01)
        yield result


def test_images_and_frames_are_in_one_document(inputs, tmp_path):
    report = infer(MODEL, inputs, tmp_path / 'out')
    found = document(tmp_path / 'out')
    assert report.images == 23 == len(found['images'])
    broken, video = str(inputs[0] / 'broken.jpg'), str(inputs[1])
    assert found['unreadable'] == [broken] == report.unreadable
    frames = found['images'][3:]
    assert [frame['frame'] for frame in frames] == list(range(20))
    assert [frame['seconds'] for frame in frames] == [round(i / 25, 3) for i in range(20)]
    assert {frame['file'] for frame in frames} == {video}
    for i, frame in enumerate(frames):
        assert frame['persons'][0]['keypoints'][0][0] == pytest.approx(STEP * i, abs=STEP / 3)
    assert found['videos'] == [dict(file=video, frames=20, overlay='walk.mp4')]
    assert video_facts(tmp_path / 'out' / 'walk.mp4') == (25, 20)
    (first, *_) = read_video(tmp_path / 'out' / 'walk.mp4')
    assert first.image.shape == (SIZE[1], SIZE[0], 3) and first.image.max() > 50, 'drawn over'
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {
        *('a.jpg', 'b.jpg', 'c.jpg', 'walk.mp4', 'overview.jpg'),
        *('predictions.json', 'predictions.jsonl'),
    }


def killed(inputs, out, after):
    """Run `infer` in a process that is killed as soon as the journal has this many lines."""
    child = FORK.Process(
        target=apart, args=(infer, MODEL, inputs, out), kwargs=dict(options=RESUME)
    )
    child.start()
    journal = out / 'predictions.jsonl'
    while child.is_alive():
        if journal.is_file() and journal.read_bytes().count(b'\n') >= after:
            os.kill(child.pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    child.join()
    return child.exitcode


def test_a_killed_run_is_resumed_to_the_same_file(inputs, tmp_path, monkeypatch):
    infer(MODEL, inputs, tmp_path / 'whole')
    monkeypatch.setattr(folders, 'predict', slowly)
    out = tmp_path / 'out'
    for lines in (1, 3, 9, 15):
        assert killed(inputs, out, lines) == -signal.SIGKILL
        assert not (out / 'predictions.json').exists()
    noted = (out / 'predictions.jsonl').read_bytes()
    with open(out / 'predictions.jsonl', 'ab') as file:
        file.write(b'{"file":"half a li')  # as if killed while writing
    predicted = []
    monkeypatch.setattr(
        folders,
        'predict',
        lambda model, images, size: (
            predicted.append(1) or each for each in predict(model, images)
        ),
    )
    infer(MODEL, inputs, out, options=RESUME)
    assert len(predicted) == 23 - noted.count(b'"persons"'), 'only the rest'
    for name in ('predictions.json', 'b.jpg'):
        assert (out / name).read_bytes() == (tmp_path / 'whole' / name).read_bytes(), name
    # Of the same frames, x264 makes a byte more or less in one run of some hundred. Neighboring
    # frames differ by STEP, a frame without its pose by 10 and more.
    expected, found = (list(read_video(each / 'walk.mp4')) for each in (tmp_path / 'whole', out))
    assert [frame.seconds for frame in found] == [frame.seconds for frame in expected]
    for one, other in zip(expected, found):
        np.testing.assert_allclose(other.image, one.image.astype(int), atol=5)
    # Nothing is left to do.
    assert infer(MODEL, inputs, out, options=RESUME).images == 0
    assert document(out) == document(tmp_path / 'whole')


@pytest.mark.parametrize('seen', [2, 10])
def test_ctrl_c_leaves_a_document_that_can_be_resumed(inputs, tmp_path, monkeypatch, seen):
    def interrupted(model, images, batch_size=8):
        for i, result in enumerate(predict(model, images)):
            if i == seen:
                raise KeyboardInterrupt
            yield result

    infer(MODEL, inputs, tmp_path / 'whole')
    monkeypatch.setattr(folders, 'predict', interrupted)
    with pytest.raises(KeyboardInterrupt):
        infer(MODEL, inputs, tmp_path / 'out')
    assert len(document(tmp_path / 'out')['images']) == seen
    assert ('videos' in document(tmp_path / 'out')) is False
    if seen > 3:
        assert video_facts(tmp_path / 'out' / 'walk.mp4').frames == seen - 3
    monkeypatch.setattr(folders, 'predict', predict)
    infer(MODEL, inputs, tmp_path / 'out', options=RESUME)
    assert document(tmp_path / 'out') == document(tmp_path / 'whole')


def test_a_damaged_line_is_where_a_run_is_taken_up_again(inputs, tmp_path):
    infer(MODEL, inputs, tmp_path / 'whole')
    infer(MODEL, inputs, tmp_path / 'out')
    noted = tmp_path / 'out' / 'predictions.jsonl'
    lines = noted.read_bytes().splitlines(keepends=True)
    noted.write_bytes(b''.join([*lines[:2], b'\0' * 40 + b'\n', *lines[3:]]))
    infer(MODEL, inputs, tmp_path / 'out', options=RESUME)
    assert document(tmp_path / 'out') == document(tmp_path / 'whole')


def test_a_resumed_run_keeps_the_lowest_score_that_it_began_with(inputs, tmp_path):
    infer(MODEL, inputs[:1], tmp_path / 'out', pose_thr=0.3)
    report = infer(MODEL, inputs[:1], tmp_path / 'out', options=RESUME)
    assert report.pose_thr == document(tmp_path / 'out')['pose_thr'] == 0.3
    assert document(tmp_path / 'out')['score_kind'] == 'mean keypoint score'
    assert infer(MODEL, inputs[:1], tmp_path / 'new', options=RESUME).pose_thr == 0.1


def test_a_run_does_not_mix_scores_of_two_kinds(inputs, tmp_path, monkeypatch):
    infer(MODEL, inputs[:1], tmp_path / 'out')
    noted = tmp_path / 'out' / 'predictions.jsonl'
    # As it was written before journals told what scores are.
    noted.write_text(noted.read_text().replace('"score_kind":"mean keypoint score",', ''))
    infer(MODEL, inputs[:1], tmp_path / 'out', options=RESUME)
    monkeypatch.setattr(folders, 'kind_of', lambda model: 'expected OKS')
    assert infer(MODEL, inputs[:1], tmp_path / 'other').pose_thr == 0.4
    with pytest.raises(InputError, match='score_kind mean keypoint score, and this one has expect'):
        infer(MODEL, inputs[:1], tmp_path / 'out', options=RESUME)


@pytest.mark.parametrize('line', [b'5', b'{"a": 1}', b'{"file": [1]}', DEEP], ids=range(4))
def test_lines_that_are_json_and_no_records(line, inputs, tmp_path):
    infer(MODEL, inputs, tmp_path / 'whole')
    infer(MODEL, inputs, tmp_path / 'out')
    noted = tmp_path / 'out' / 'predictions.jsonl'
    lines = noted.read_bytes().splitlines(keepends=True)
    noted.write_bytes(b''.join([*lines[:2], line + b'\n', *lines[3:]]))
    infer(MODEL, inputs, tmp_path / 'out', options=RESUME)
    assert document(tmp_path / 'out') == document(tmp_path / 'whole')


@pytest.mark.parametrize('text', [b'a shopping list', b'5', b'{"run": 5}', DEEP], ids=range(4))
def test_a_file_that_is_no_record_is_left_as_it_is(text, inputs, tmp_path):
    noted = tmp_path / 'out' / 'predictions.jsonl'
    noted.parent.mkdir()
    noted.write_bytes(text + b'\n')
    with pytest.raises(InputError, match='predictions.jsonl is no record of a run'):
        infer(MODEL, inputs, tmp_path / 'out', options=RESUME)
    assert noted.read_bytes() == text + b'\n'


@pytest.mark.parametrize('name', ['predictions.json', 'predictions.jsonl'])
def test_a_folder_at_the_place_of_a_result_is_found_before_the_work(
    name, inputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(folders, 'predict', lambda *_: pytest.fail('the work has begun'))
    (tmp_path / 'out' / name).mkdir(parents=True)
    with pytest.raises((InputError, IsADirectoryError), match=name):
        infer(MODEL, inputs, tmp_path / 'out')


def test_a_run_of_other_options_is_not_resumed(inputs, tmp_path):
    infer(MODEL, inputs, tmp_path / 'out')
    with pytest.raises(InputError, match='is of a run with every 1, and this one has 2: resume'):
        infer(MODEL, inputs, tmp_path / 'out', options=InferOptions(resume=True, clip=Clip(2)))
    with pytest.raises(InputError, match='pose_thr 0.1, and this one has 0.3'):
        infer(MODEL, inputs, tmp_path / 'out', pose_thr=0.3, options=RESUME)
    with pytest.raises(InputError, match='run with model , and this one has other.pth'):
        infer(MODEL, inputs, tmp_path / 'out', options=InferOptions(resume=True, model='other.pth'))


def test_images_that_were_added_or_mended_are_predicted_when_resumed(inputs, tmp_path):
    infer(MODEL, inputs[:1], tmp_path / 'out')
    for name in ('aa.png', 'broken.jpg'):
        cv2.imwrite(str(inputs[0] / name), np.full((48, 64, 3), 99, np.uint8))
    report = infer(MODEL, inputs[:1], tmp_path / 'out', options=RESUME)
    assert (report.images, report.unreadable) == (2, [])
    found = [os.path.basename(image['file']) for image in document(tmp_path / 'out')['images']]
    assert sorted(found) == ['a.png', 'aa.png', 'b.png', 'broken.jpg', 'c.png']


class Tracker:
    """Everybody is number 5 + how many frames of this video were seen."""

    def __init__(self):
        self.seen = 0

    def update(self, result):
        self.seen += 1
        return [4 + self.seen] * len(result.scores)


def test_trackers_are_new_for_each_video_and_give_ids(inputs, tmp_path):
    second = write_video(inputs[0] / 'second.mp4', frames=3)
    options = InferOptions(tracker=Tracker, overlays=False)
    infer(MODEL, [*inputs, second], tmp_path / 'out', options=options)
    images = document(tmp_path / 'out')['images']
    assert [image['persons'][0].get('id') for image in images] == [
        *range(5, 8),  # three images of a folder
        *range(5, 25),
        *range(5, 8),
    ]
    assert not list((tmp_path / 'out').glob('*.mp4')) + list((tmp_path / 'out').glob('*.jpg'))


def test_frames_of_streams_go_alone(tmp_path, monkeypatch):
    given = []

    def counted(model, images, batch_size):
        images = list(images)
        given.append((len(images), batch_size))
        return predict(model, images)

    monkeypatch.setattr(folders, 'predict', counted)
    stream = Source('0', 'stream')
    frames = [np.full((48, 64, 3), i, np.uint8) for i in range(4)]
    items = [running.Item(stream, i, i / 10, image) for i, image in enumerate(frames)]
    monkeypatch.setattr(running, 'read_items', lambda source, clip: iter(items))
    infer(MODEL, ['0'], tmp_path / 'out')
    assert given == [(1, 1)] * 4
    assert [image['frame'] for image in document(tmp_path / 'out')['images']] == [0, 1, 2, 3]
    written = [frame.seconds for frame in read_video(tmp_path / 'out' / 'camera-0.mp4')]
    assert written == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-3)


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    peaks = []
    for frames in (100, 800):
        video = write_video(tmp_path / f'{frames}.mp4', frames=frames)
        tracemalloc.start()
        infer(MODEL, [video], tmp_path / 'out', options=InferOptions(overlays=False))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 700 frames more have 6 MB of pixels and 0.3 MB of records.
    assert peaks[1] - peaks[0] < 0.15e6


def test_a_missing_file_is_named_and_the_others_are_done(inputs, tmp_path, capsys):
    gone = str(tmp_path / 'gone.jpg')
    report = infer(MODEL, [gone, inputs[0] / 'a.png'], tmp_path / 'out')
    assert (report.images, report.unreadable) == (1, [gone])
    assert document(tmp_path / 'out')['unreadable'] == [gone]
    assert f'{gone} does not exist' in capsys.readouterr().err
    cv2.imwrite(gone, np.zeros((48, 64, 3), np.uint8))
    report = infer(MODEL, [gone, inputs[0] / 'a.png'], tmp_path / 'out', options=RESUME)
    assert (report.images, report.unreadable) == (1, [])


@pytest.mark.parametrize('overlays', [True, False])
def test_the_report_knows_whether_there_are_overlays(overlays, inputs, tmp_path):
    options = InferOptions(overlays=overlays)
    report = infer(MODEL, [inputs[0] / 'a.png'], tmp_path / 'out', options=options)
    assert report.has_overlays == overlays == (tmp_path / 'out' / 'a.jpg').exists()
    told = 'overlays and predictions.json are in' if overlays else '; predictions.json is in'
    assert told in summary(report)


def test_the_old_name_of_the_number_of_images_works_with_a_warning():
    report = Report(None, [], 3, 1.0)
    with pytest.warns(DeprecationWarning, match='Report.pictures is now Report.images'):
        assert report.pictures == report.images == 3
