"""Files that are whole or untouched."""

import os
import stat
import threading

from pinet_mm.atomic import whole_file, write_whole

import pytest


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'a.txt'
    with whole_file(path) as file:
        file.write(b'half')
        assert not path.exists()
    assert path.read_bytes() == b'half' and list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_file_is_as_it_was(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(KeyError), whole_file(path) as file:
        file.write(b'new')
        raise KeyError
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_into_and_stays(tmp_path):
    # So is /dev/null, which root would replace by a file otherwise.
    path, found = tmp_path / 'pipe', []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()), daemon=True)
    reader.start()
    write_whole(path, 'all')
    assert stat.S_ISFIFO(path.stat().st_mode)
    reader.join(5)
    assert found == ['all']


def test_texts_are_written_with_their_folder(tmp_path):
    write_whole(tmp_path / 'x' / 'y' / 'a.txt', 'Größe\n')
    assert (tmp_path / 'x' / 'y' / 'a.txt').read_bytes() == 'Größe\n'.encode()
