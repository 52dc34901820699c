"""What is said of URLs that cannot be read."""

import socket
from urllib.error import HTTPError, URLError

from pinet_mm.environment.network import (
    reason_of_download,
    request_of,
    unknown_host,
    without_user,
)

import pytest

URL = 'https://nowhere.invalid/w.pth'
UNKNOWN = socket.gaierror(socket.EAI_NONAME, 'not known')


@pytest.mark.parametrize(
    'error, reason',
    [
        (URLError(ConnectionRefusedError(111, 'Connection refused')), 'Connection refused'),
        (URLError('unknown url type: x'), 'unknown url type: x'),
        (HTTPError(URL, 404, 'Not Found', {}, None), 'HTTP Error 404: Not Found'),
        (ConnectionResetError(104, 'Connection reset by peer'), 'Connection reset by peer'),
        (TimeoutError('timed out'), 'timed out'),
        (ValueError('two\nlines'), 'two lines'),
        (URLError(UNKNOWN), 'the host nowhere.invalid cannot be found: not known'),
    ],
)
def test_a_reason_is_a_line_without_pythons_words(error, reason):
    assert reason_of_download(URL, error) == reason


def test_only_a_host_without_an_address_is_unknown(monkeypatch):
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_: [])
    assert unknown_host(URL) == ''

    def know_nobody(*_):
        raise UNKNOWN

    monkeypatch.setattr(socket, 'getaddrinfo', know_nobody)
    assert unknown_host(URL) == 'the host nowhere.invalid cannot be found: not known'
    # A path, a URL without a host, and what is no URL.
    assert [unknown_host(each) for each in ('a.mp4', 'file:///a.mp4', 'http://[x/a')] == [''] * 3


@pytest.mark.parametrize(
    'url, shown',
    [
        ('rtsp://user:secret@cam.local/live', 'rtsp://cam.local/live'),
        ('rtsp://user:s@cret@cam.local:554', 'rtsp://cam.local:554'),
        ('RTSP://user@[::1]/live?a=b@c', 'RTSP://[::1]/live?a=b@c'),
        ('rtsp://user:secret@[1/live', 'rtsp://[1/live'),
        *((each, each) for each in ('http://a/b@c', 'http://a?b@c', 'a@b.mp4', '0', 'x/y://u@c')),
    ],
)
def test_user_and_password_are_not_shown(url, shown):
    assert without_user(url) == shown


def test_user_and_password_are_sent_beside_the_url_and_not_to_where_it_leads():
    request = request_of('https://user:s%40cret@cam.local:8080/a.jpg')
    assert (request.full_url, request.host) == (
        'https://cam.local:8080/a.jpg',
        'cam.local:8080',
    )
    # printf user:s@cret | base64
    assert request.get_header('Authorization') == 'Basic dXNlcjpzQGNyZXQ='
    assert 'Authorization' not in request.headers, 'these are sent to other hosts, too'
    assert not request_of(URL).has_header('Authorization')
