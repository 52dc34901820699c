"""Videos of drawings that cannot be finished: what was found is kept all the same."""

import json
import resource
import signal

from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.runs import running
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.sources.videos import video_facts

import numpy as np
import pytest

from tests.helpers.videos import MODEL, predict, write_video

pytest.importorskip('av')
FRAMES = 20


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    return write_video(tmp_path / 'walk.mp4', frames=FRAMES)


def frames_in(out):
    found = json.loads((out / 'predictions.json').read_text())
    return [image['frame'] for image in found['images']], found.get('videos', [])


def test_a_folder_in_the_place_of_a_video_costs_no_pose(video, tmp_path):
    (tmp_path / 'out' / 'walk.mp4').mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match='walk.mp4'):
        infer(MODEL, [video], tmp_path / 'out')
    assert frames_in(tmp_path / 'out') == (list(range(FRAMES)), []), 'its drawing is not whole'
    assert not list((tmp_path / 'out').glob('.*')), 'nothing hidden takes room'


@pytest.fixture
def small_files():
    """Files of 60 kB at most, in place of a full disk; yields what makes room."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


# x264 keeps its first frames for a while: of 8, all are written when the video is closed.
@pytest.mark.parametrize('frames', [8, 60])
def test_a_video_on_a_full_disk_says_how_to_go_on(frames, tmp_path, monkeypatch, small_files):
    chance = np.random.default_rng(0)

    def noise(*_, **__):
        return chance.integers(0, 256, (192, 256, 3), np.uint8)

    monkeypatch.setattr(running, 'draw_poses', noise)
    monkeypatch.setattr(folders, 'predict', predict)
    video, out = write_video(tmp_path / 'walk.mp4', frames=frames), tmp_path / 'out'
    with pytest.raises(OSError, match='File too large: make room and go on with --resume'):
        infer(MODEL, [video], out)
    found, videos = frames_in(out)
    assert found == list(range(len(found))) and not videos and not list(out.glob('.*'))
    assert len(found) == frames or (frames == 60 and 0 < len(found) < frames)
    small_files()
    infer(MODEL, [video], out, options=InferOptions(resume=True))
    assert frames_in(out) == (
        list(range(frames)),
        [dict(file=str(video), frames=frames, overlay='walk.mp4')],
    )
    assert video_facts(out / 'walk.mp4').frames == frames
