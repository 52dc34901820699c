"""Cameras, streams of a local server, images behind URLs."""

import contextlib
import email
import http.server
import io
import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from urllib.response import addinfourl

from pinet_mm.errors import InputError
from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.sources import streams
from pinet_mm.inference.sources.items import Source, find_sources, read_items
from pinet_mm.inference.sources.videos import Clip

import cv2
import numpy as np
import pytest

from tests.helpers.videos import MODEL, predict

STEP = 10
SECRET = 'Basic dXNlcjpzQGNyZXQ='  # printf user:s@cret | base64


def jpeg(number):
    """An image whose gray value tells its number."""
    return cv2.imencode('.jpg', np.full((48, 64, 3), STEP * number, np.uint8))[1].tobytes()


def number_of(image):
    return round(image.mean() / STEP)


class Handler(http.server.BaseHTTPRequestHandler):
    frames, pause = 20, 0.02
    seen = threading.Event()  # what '/live?waiting' waits for before its last frame

    def log_message(self, *_):
        pass

    def do_GET(self):
        if 'closed' in self.path and self.headers['Authorization'] != SECRET:
            self.send_response(401)
            self.send_header('WWW-Authenticate', 'Basic realm="camera"')
            return self.end_headers()
        if self.path.startswith('/live'):
            return self.send_stream()
        kind = 'image/jpeg' if 'photo' in self.path or 'broken' in self.path else 'text/html'
        data = jpeg(7) if 'photo' in self.path else b'no image'
        self.send_response(404 if 'gone' in self.path else 200)
        self.send_header('Content-Type', kind)
        self.end_headers()
        self.wfile.write(data)

    def send_stream(self):
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
        self.end_headers()
        try:
            for i in range(self.frames):
                if i == self.frames - 1 and 'waiting' in self.path:
                    self.seen.wait(20)
                data = jpeg(i)
                head = f'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n'
                self.wfile.write(head.encode() + data + b'\r\n')
                time.sleep(self.pause)
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever watched has left


@contextmanager
def serving():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope='module')
def server():
    with serving() as url:
        yield url


class FakeCamera:
    """As many images as there are, one every 10 ms, as a camera gives them."""

    def __init__(self, images=30):
        self.images, self.given, self.released = images, 0, False

    def isOpened(self):
        return self.images > 0

    def read(self):
        if self.given == self.images:
            return False, None
        time.sleep(0.01)
        self.given += 1
        return True, np.full((48, 64, 3), self.given - 1, np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def camera(monkeypatch):
    fake = FakeCamera()
    monkeypatch.setattr(streams.cv2, 'VideoCapture', lambda index: fake)
    return fake


def test_a_slow_consumer_sees_the_newest_image(camera):
    seen = []
    newest = streams.open_stream('0')
    for frame in newest:
        assert frame.image[0, 0, 0] == frame.index
        # The image is at most one behind what the camera has given by now.
        assert camera.given - 1 - frame.index <= 1
        seen.append(frame.index)
        time.sleep(0.05)
    assert seen[-1] == 29 and len(seen) < 15
    assert newest.dropped == 30 - len(seen)
    newest.close()
    assert camera.released


def test_whoever_leaves_early_lets_the_camera_go(camera):
    frames = read_items(Source('0', 'stream'), Clip(end=0.05))
    assert 1 <= len(list(frames)) < 10
    assert camera.released


def test_a_camera_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(streams.cv2, 'VideoCapture', lambda index: FakeCamera(0))
    (item,) = read_items(Source('3', 'stream'))
    assert item.error == 'no camera 3 can be opened' and item.image is None


def test_a_camera_that_shows_nothing_is_named(monkeypatch):
    camera = FakeCamera()
    camera.given = camera.images
    monkeypatch.setattr(streams.cv2, 'VideoCapture', lambda index: camera)
    (item,) = read_items(Source('3', 'stream'))
    assert item.error == '3 ended before it showed an image' and camera.released


def images_of(url, clip=Clip(), see=lambda: None):  # noqa: B008, frozen
    items = []
    for item in read_items(Source(url, 'stream'), clip):
        items.append(item)
        see()
    *items, last = items
    # A server that hangs up may look like the end or like an error.
    assert last.image is not None or 'error' in last.error
    return [*items, last] if last.image is not None else items


def test_an_http_stream_is_read_while_it_runs(server):
    pytest.importorskip('av')
    Handler.seen.clear()
    items = images_of(f'{server}/live?waiting', see=Handler.seen.set)
    assert Handler.seen.is_set() and number_of(items[0].image) < 19, 'seen before the end'
    assert {number_of(item.image) - item.frame for item in items} == {0}, 'none is lost'
    assert number_of(items[-1].image) == 19
    times = [item.seconds for item in items]
    assert times == sorted(times)


def test_every_nth_frame_of_a_stream(server):
    pytest.importorskip('av')
    items = images_of(f'{server}/live', Clip(every=5))
    assert items and all(item.frame % 5 == 0 for item in items)


def test_images_behind_urls_with_and_without_suffix(server):
    for url in (f'{server}/photo.jpg', f'{server}/photo?id=3'):
        (source,) = find_sources([url])
        (item,) = read_items(source)
        assert number_of(item.image) == 7 and item.frame is None


@pytest.mark.parametrize(
    'path, message',
    [
        ('gone.jpg', 'gone.jpg cannot be read: HTTP Error 404'),
        ('broken.jpg', r'broken.jpg \(image/jpeg\) is no image that can be read'),
        ('page.jpg', r'page.jpg \(text/html\) is no image that can be read'),
    ],
)
def test_urls_without_an_image_are_named(server, path, message):
    (item,) = read_items(Source(f'{server}/{path}', 'image'))
    with pytest.raises(InputError, match=message):
        raise InputError(item.error)


IMAGE = b'HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n'


@pytest.mark.parametrize(
    'answer',
    [
        b'',
        b'hello\r\n\r\n',
        b'HTTP/1.1 999999 X\r\n\r\n',
        IMAGE + b'a: b\r\n' * 200 + b'\r\n',
        IMAGE + b'a: ' + b'b' * 70000 + b'\r\n\r\n',
        IMAGE + b'Transfer-Encoding: chunked\r\n\r\nno number\r\n',
        IMAGE + b'Transfer-Encoding: chunked\r\n\r\nff\r\ncut off',
        IMAGE + b'Content-Length: 900\r\n\r\ncut off',
        IMAGE + b'Content-Length: -5\r\n\r\n',
        b'HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n',
        b'HTTP/1.1 302 F\r\nLocation: /a.png\r\n\r\n',
    ],
)
def test_servers_that_speak_no_http_are_named_in_a_line(answer):
    with socket.create_server(('127.0.0.1', 0)) as server:

        def run():
            with contextlib.suppress(OSError):
                while True:
                    client = server.accept()[0]
                    client.recv(1 << 16)
                    client.sendall(answer)
                    client.close()

        threading.Thread(target=run, daemon=True).start()
        url = f'http://127.0.0.1:{server.getsockname()[1]}/a.png'
        (item,) = read_items(Source(url, 'image'))
        server.shutdown(socket.SHUT_RDWR)
    assert item.image is None and item.error.startswith(url) and '\n' not in item.error


def test_images_behind_urls_of_files_are_images(server, tmp_path):
    (tmp_path / 'a b.JPG').write_bytes(jpeg(3))
    (tmp_path / 'c.webp').write_bytes(jpeg(4))  # whose type urllib does not guess from its name
    words = [f'file://{tmp_path}/a%20b.JPG', f'FILE://{tmp_path}/c.webp']
    words += [server.replace('http', 'HTTP') + '/photo.jpg', f'file://{tmp_path}/gone.png']
    *items, gone = (item for source in find_sources(words) for item in read_items(source))
    assert [number_of(item.image) for item in items] == [3, 4, 7]
    assert {item.frame for item in items} == {None}
    assert gone.error == f'{words[3]} cannot be read: No such file or directory'


def test_images_of_ftp_are_images(monkeypatch):
    asked = []

    def urlopen(request, timeout):
        asked.append(request.full_url)
        return addinfourl(io.BytesIO(jpeg(5)), email.message_from_string(''), request.full_url)

    monkeypatch.setattr(streams.urllib.request, 'urlopen', urlopen)
    (source,) = find_sources(['FTP://user:secret@x/a.png'])
    (item,) = read_items(source)
    assert asked == ['ftp://user:secret@x/a.png'], 'urllib takes user and password from it'
    assert number_of(item.image) == 5 and item.frame is None and source.shown == 'ftp://x/a.png'


@pytest.mark.parametrize('url', ['http://127.0.0.1:x/a.png', 'http://x/a b.png', 'http:///a.png'])
def test_urls_that_cannot_be_asked_for_are_named(url):
    (item,) = read_items(Source(url, 'image'))
    assert item.error.startswith(f'{url} cannot be read: ')


def test_a_host_that_does_not_exist_is_named(monkeypatch):
    def know_nobody(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, 'not known')

    monkeypatch.setattr(socket, 'getaddrinfo', know_nobody)
    monkeypatch.setenv('no_proxy', '*')
    reason = 'the host nowhere.invalid cannot be found: not known'
    (image,) = read_items(Source('http://nowhere.invalid/a.png', 'image'))
    assert image.error == f'http://nowhere.invalid/a.png cannot be read: {reason}'
    pytest.importorskip('av')
    (live,) = read_items(Source('rtsp://nowhere.invalid/live', 'stream'))
    assert live.error == f'rtsp://nowhere.invalid/live is no video that can be read: {reason}'


@pytest.mark.parametrize('url', ['://', 'nothing://x'])
def test_streams_of_no_kind_are_named(url):
    pytest.importorskip('av')
    (item,) = read_items(Source(url, 'stream'))
    assert item.error.startswith(f'{url} is no video that can be read: ')


def test_images_are_not_read_without_bounds(server, monkeypatch):
    monkeypatch.setattr(streams, 'LARGEST', 100)
    with pytest.raises(InputError, match='photo.jpg is larger than 0 MiB'):
        streams.download(f'{server}/photo.jpg')


# --- user and password ---------------------------------------------------------------------------


@pytest.mark.parametrize('path', ['photo.jpg?closed', 'live?closed'])
def test_a_camera_that_asks_for_a_password_gets_it(path, server):
    pytest.importorskip('av')
    with contextlib.closing(read_items(Source(with_user(f'{server}/{path}'), 'stream'))) as items:
        item = next(items)
    assert item.image is not None, item.error


def with_user(url):
    return url.replace('://', '://user:s%40cret@')


@pytest.mark.parametrize(
    'path, error',
    [
        ('gone/a.jpg', 'cannot be read: HTTP Error 404'),
        ('gone/a', 'cannot be read: HTTP Error 404'),
        ('gone/a.mp4', 'is no video that can be read: '),
        ('broken.jpg', r'\(image/jpeg\)'),
    ],
)
def test_errors_do_not_tell_the_password(path, error, server):
    pytest.importorskip('av')
    (source,) = find_sources([with_user(f'{server}/{path}')])
    (item,) = read_items(source)
    assert re.match(f'{server}/{path} {error}', item.error) and 'cret' not in item.error


@pytest.mark.parametrize('url', ['rtsp://user:secret@127.0.0.1:9/live', 'http://user:secret@cam/a'])
def test_hosts_that_are_not_there_are_named_without_the_password(url, monkeypatch):
    pytest.importorskip('av')
    monkeypatch.setenv('no_proxy', '*')
    (item,) = read_items(*find_sources([url]))
    assert item.error.startswith(url.replace('user:secret@', '')) and 'secret' not in item.error


def test_what_is_no_url_is_named_without_the_password():
    with pytest.raises(FileNotFoundError, match=r'^rtsp://\[1/x is no URL: Invalid IPv6 URL$'):
        find_sources(['rtsp://user:secret@[1/x'])


def test_results_do_not_tell_the_password_and_are_resumed(server, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(folders, 'predict', predict)
    inputs = [with_user(f'{server}/{name}') for name in ('photo.jpg?closed', 'gone.jpg')]
    for _ in range(2):
        report = infer(MODEL, inputs, tmp_path, options=InferOptions(resume=True))
    assert report.unreadable == [f'{server}/gone.jpg'] and report.images == 0
    document = json.loads(report.json.read_text())
    assert [each['file'] for each in document['images']] == [f'{server}/photo.jpg?closed']
    written = [file.read_bytes() for file in tmp_path.glob('*.json*')]
    assert len(written) == 2 and not any(b'cret' in each for each in written)
    assert 'cret' not in ''.join(capfd.readouterr())
