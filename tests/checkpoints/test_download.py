"""What servers may do to those who download a checkpoint."""

import socket
import threading
from collections import OrderedDict

from pinet_mm import checkpoints as storage
from pinet_mm.checkpoints import download
from pinet_mm.errors import CheckpointError

import pytest
import torch

from tests.helpers.layouts import assert_same
from tests.helpers.served import address_of, serve

WEIGHTS = OrderedDict(a=torch.arange(6.0).reshape(2, 3) / 7)


@pytest.fixture
def answer(monkeypatch, tmp_path):
    """Answer one request with these bytes, and then close; or, without any, never."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    server, clients = socket.create_server(('127.0.0.1', 0)), []

    def give(content: bytes | None) -> str:
        def run():
            clients.append(server.accept()[0])
            if content is not None:
                clients[-1].recv(1 << 16)
                clients[-1].sendall(content)
                clients[-1].close()

        threading.Thread(target=run, daemon=True).start()
        return f'http://127.0.0.1:{server.getsockname()[1]}/a.pth'

    yield give
    for each in (server, *clients):
        each.close()


def cached(tmp_path):
    """Return all files of the cache, halves too."""
    return [path for path in (tmp_path / 'cache').rglob('*') if path.is_file()]


def test_a_download_that_is_cut_off_leaves_nothing_behind(answer, tmp_path):
    url = answer(b'HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n' + bytes(400))
    with pytest.raises(CheckpointError, match=f'^the download of {url} ended after 400 of 1000 by'):
        storage.read_checkpoint(url)
    assert cached(tmp_path) == []


def test_a_server_that_does_not_answer_is_given_up(answer, tmp_path, monkeypatch):
    monkeypatch.setattr(download, 'TIMEOUT', 0.2)
    with pytest.raises(CheckpointError, match='a.pth cannot be read: timed out'):
        storage.read_checkpoint(answer(None))
    assert cached(tmp_path) == []


def test_files_of_one_name_on_two_servers_are_two(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    others = OrderedDict(a=-WEIGHTS['a'])
    for name, weights in dict(one=WEIGHTS, other=others).items():
        (tmp_path / name).mkdir()
        torch.save(weights, tmp_path / name / 'a.pth')
        with serve(tmp_path / name) as server:
            assert_same(storage.read_checkpoint(f'{address_of(server)}/a.pth').weights, weights)
            server.shutdown()


@pytest.mark.parametrize('path', ['', '/', '/..', '/a/..', '/?a.pth', '/#a.pth'])
def test_urls_that_name_no_file(path):
    with pytest.raises(CheckpointError, match=' names no file$'):
        storage.read_checkpoint(f'http://127.0.0.1:9{path}')


def test_an_archive_that_holds_a_program_is_called_so(tmp_path):
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='a.pth cannot be read: it is a TorchScript archive,'):
        storage.read_checkpoint(tmp_path / 'a.pth')
