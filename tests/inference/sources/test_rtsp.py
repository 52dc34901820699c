"""Streams over RTSP and HLS from local servers: the newest frame, whatever the consumer's pace."""

import functools
import http.server
import json
import threading
import time
from fractions import Fraction

from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.sources import streams
from pinet_mm.inference.sources.items import Source, read_items
from pinet_mm.inference.sources.videos import Clip, open_video, read_video

import numpy as np
import pytest

from tests.helpers import rtsp
from tests.helpers.videos import MODEL, predict

av = pytest.importorskip('av')
if 'libx264' not in av.codecs_available:
    pytest.skip('the camera encodes with libx264', allow_module_level=True)


def test_a_slow_consumer_does_not_fall_behind():
    # Ten images per second of a camera that gives thirty: one after the other, the last would be
    # shown 40 frames late.
    behind, seen = [], []
    with rtsp.camera(frames=75, rate=30) as camera:
        for item in read_items(Source(camera.url, 'stream')):
            if item.image is None:
                break  # it has hung up
            shown = rtsp.number_of(item.image)
            behind.append(camera.sent - 1 - shown)
            seen.append(shown)
            time.sleep(0.1)
    assert len(seen) > 5 and seen == sorted(seen)
    assert np.diff(seen).mean() > 2, 'frames in between are skipped'
    # The first image may be of the time in which the stream was examined.
    assert max(behind[1:]) <= 10 and max(behind[-3:]) <= min(behind[1:4]) + 5


def test_infer_takes_a_stream_to_the_end_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    options = InferOptions(clip=Clip(every=2, end=0.5))
    with rtsp.camera(frames=200, rate=25) as camera:
        url = camera.url.replace('://', '://user:secret@')
        report = infer(MODEL, [url], tmp_path, options=options)
    assert report.images > 2 and report.unreadable == []
    frames = json.loads((tmp_path / 'predictions.json').read_text())['images']
    assert {frame['file'] for frame in frames} == {camera.url}, 'without user and password'
    assert all(frame['frame'] % 2 == 0 and frame['seconds'] < 0.5 for frame in frames)
    written = [frame.seconds for frame in read_video(tmp_path / 'live.mp4')]
    times = [frame['seconds'] for frame in frames]
    np.testing.assert_allclose(written, np.subtract(times, times[0]), atol=2e-3)


def test_a_camera_that_has_no_tcp_is_read_by_udp():
    with rtsp.camera(frames=60, rate=30, udp=True) as camera:
        items = read_items(Source(camera.url, 'stream'))
        shown = [rtsp.number_of(item.image) for item, _ in zip(items, range(5))]
    assert shown == sorted(shown) and len(set(shown)) == 5


def test_a_stream_that_is_not_there_is_named():
    (item,) = read_items(Source('rtsp://127.0.0.1:9/live', 'stream'))
    assert item.image is None
    assert item.error.startswith('rtsp://127.0.0.1:9/live is no video that can be read: ')


@pytest.fixture
def playlist(tmp_path):
    """The URL of an HLS playlist of 20 frames, number i of gray 10 i."""
    with av.open(
        str(tmp_path / 'list.m3u8'), 'w', format='hls', options=dict(hls_time='0.4')
    ) as hls:
        video = hls.add_stream('libx264', rate=Fraction(25))
        (video.width, video.height), video.pix_fmt = (64, 48), 'yuv420p'
        video.options = dict(g='10', tune='zerolatency')
        for i in range(20):
            image = np.full((48, 64, 3), 10 * i, np.uint8)
            hls.mux(video.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        hls.mux(video.encode())
    quiet = type(
        'Quiet', (http.server.SimpleHTTPRequestHandler,), dict(log_message=lambda *_: None)
    )
    handler = functools.partial(quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/list.m3u8'
        server.shutdown()


def test_hls_is_read_to_its_end(playlist):
    *_, last = read_items(Source(playlist, 'stream'))
    assert last.error == '' and round(last.image.mean() / 10) == 19


def test_decoding_holds_no_frame_back(playlist, monkeypatch):
    opened = []
    monkeypatch.setattr(
        streams,
        'open_video',
        lambda *words, **options: opened.append(open_video(*words, **options)) or opened[0],
    )
    frames = streams.network_frames(playlist)
    next(frames)
    # Threads that decode a frame each keep as many frames back as there are cores.
    assert opened[0].streams.video[0].thread_type.name == 'SLICE'
    frames.close()
