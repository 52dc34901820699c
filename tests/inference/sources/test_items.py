"""Words of the command line and the sources that they name."""

import io
import os

from pinet_mm.inference.sources.items import Source, count_images, find_sources, read_items
from pinet_mm.inference.sources.videos import Clip

import cv2
import numpy as np
import pytest

from tests.helpers.videos import write_video


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'sub').mkdir()
    for name in ('b.png', 'a.png', 'sub/c.jpg'):
        cv2.imwrite(str(tmp_path / name), np.full((4, 6, 3), 50, np.uint8))
    (tmp_path / 'clip.mp4').write_bytes(b'')
    (tmp_path / 'notes.txt').write_text('')
    return tmp_path


def found(*inputs, out=None):
    return [(source.kind, source.name) for source in find_sources(inputs, out)]


def test_files_folders_and_globs(folder):
    a, b, c, clip = (str(folder / name) for name in ('a.png', 'b.png', 'sub/c.jpg', 'clip.mp4'))
    assert found(clip, folder / 'b.png') == [('video', clip), ('image', b)]
    assert found(folder) == [('image', a), ('image', b), ('image', c)], 'videos are named'
    assert found(f'{folder}/*') == [('image', a), ('image', b), ('video', clip), ('image', c)]
    assert found(f'{folder}/**/*.jpg') == [('image', c)]
    assert found(b, folder) == [('image', b), ('image', a), ('image', c)], 'each once'
    odd = folder / 'odd[1].png'
    cv2.imwrite(str(odd), np.zeros((4, 6, 3), np.uint8))
    assert found(odd) == [('image', str(odd))], 'a name that looks like a pattern'


def test_urls_and_cameras(folder, monkeypatch):
    assert found('rtsp://x/a.mp4') == [('stream', 'rtsp://x/a.mp4')]
    assert found('0', 'rtsp://x/live', 'http://x/a.JPG?size=2', 'https://x/b.mp4', 'http://x/') == [
        ('stream', '0'),
        ('stream', 'rtsp://x/live'),
        ('image', 'http://x/a.JPG?size=2'),
        ('video', 'https://x/b.mp4'),
        ('stream', 'http://x/'),
    ]
    stems = [
        Source(name, '').stem for name in ('0', 'rtsp://x/live', 'http://x/a.b.jpg', 'http://x')
    ]
    assert stems == ['camera-0', 'live', 'a.b', 'x']
    monkeypatch.chdir(folder)
    cv2.imwrite('0.png', np.zeros((4, 6, 3), np.uint8))
    (folder / '0.png').rename('0')
    assert found('0') == [('image', '0')], 'a file of that name comes first'


@pytest.mark.parametrize('word', ['99999999999999999999', '2147483648', '²', '-1'])
def test_numbers_of_no_camera_name_a_missing_file(word):
    with pytest.raises(FileNotFoundError, match=f'{word} does not exist'):
        find_sources([word])


@pytest.mark.parametrize('url', ['http://[::1/a.png', 'rtsp://['])
def test_what_is_no_url_is_named(url, folder):
    with pytest.raises(FileNotFoundError, match='is no URL: Invalid IPv6 URL'):
        find_sources([url])
    assert find_sources([url, folder / 'a.png'])[0].problem


def test_a_host_of_forbidden_characters_tells_no_password():
    with pytest.raises(FileNotFoundError) as told:
        find_sources(['rtsp://user:secret@ca\u2100m/x'])
    assert str(told.value).startswith('rtsp://') and 'no host may have' in str(told.value)
    assert 'secret' not in str(told.value)


def give(monkeypatch, lines):
    monkeypatch.setattr('sys.stdin', io.TextIOWrapper(io.BytesIO(lines), encoding='utf-8'))


def test_lists_come_from_the_standard_input(folder, monkeypatch):
    give(monkeypatch, f'{folder}/b.png\r\n \n  {folder}/sub\n1'.encode())
    assert found('-') == [
        ('image', f'{folder}/b.png'),
        ('image', f'{folder}/sub/c.jpg'),
        ('stream', '1'),
    ]


def test_names_of_a_list_need_not_be_utf_8(folder, monkeypatch):
    names = [os.fsencode(folder) + name for name in (b'/\xff.png', '/\xfc.png'.encode())]
    for name in names:
        os.rename(os.fsencode(folder / 'a.png'), name)
        cv2.imwrite(str(folder / 'a.png'), np.full((4, 6, 3), 50, np.uint8))
    give(monkeypatch, b'\n'.join(names))
    sources = find_sources(['-'])
    assert [os.fsencode(source.name) for source in sources] == names
    assert [item.image.shape for source in sources for item in read_items(source)] == [
        (4, 6, 3)
    ] * 2


def test_what_is_missing_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r'\*.bmp matches no image and no video'):
        find_sources([f'{folder}/*.bmp'])
    message = (
        'gone.mp4 does not exist; expected a video, a URL, or the index of a camera such as 0$'
    )
    with pytest.raises(FileNotFoundError, match=message):
        find_sources(['gone.mp4'])
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg does not exist; .* a folder') as error:
        find_sources(['gone.jpg'])
    assert 'camera' not in str(error.value)
    with pytest.raises(FileNotFoundError, match='all images lie in'):
        find_sources([folder / 'sub'], folder)
    assert found(folder, out=folder / 'sub')[-1] == ('image', str(folder / 'b.png'))


def test_one_missing_input_does_not_stop_the_others(folder):
    a, gone, pattern = str(folder / 'a.png'), str(folder / 'gone.mp4'), f'{folder}/*.bmp'
    sources = find_sources([gone, a, pattern], folder / 'out')
    assert [source.name for source in sources] == [gone, a, pattern]
    (first,), (second,), (third,) = map(read_items, sources)
    assert first.image is None and first.error.startswith(f'{gone} does not exist; ')
    assert second.image is not None and not second.error
    assert third.error == f'{pattern} matches no image and no video'
    assert find_sources([source.name for source in sources]) == sources, 'as names too'
    with pytest.raises(FileNotFoundError, match='gone.mp4 does not exist'):
        find_sources([gone, pattern])
    with pytest.raises(FileNotFoundError, match='gone.mp4 does not exist; .*all other images lie'):
        find_sources([gone, folder / 'sub'], folder / 'sub')


def test_only_files_lie_in_the_folder_of_results(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = ['0', 'rtsp://x/live', 'http://x/a.png', 'http://x/b.mp4']
    assert [name for _, name in found(*names, 'a.png', out='.')] == names
    gone, odd, there = find_sources(['sub/gone.png', 'sub/\0.png', 'a.png'], 'sub')
    assert gone.problem and odd.problem and not there.problem


@pytest.mark.parametrize('out', [None, 'out'])
def test_no_input_is_named_as_such(monkeypatch, out):
    give(monkeypatch, b'\n')
    with pytest.raises(FileNotFoundError, match='found no input'):
        find_sources(['-'], out)


@pytest.mark.parametrize(
    'clip, said',
    [
        (Clip(start=100), 'has no frame from 100 s on: it ends before'),
        (Clip(start=1, end=2), 'has no frame between 1 s and 2 s'),
        (Clip(start=0.5, every=2), None),
    ],
)
def test_a_video_without_frames_in_the_clip_says_so(clip, said, tmp_path):
    pytest.importorskip('av')
    video = Source(str(write_video(tmp_path / 'a.mp4', frames=20)), 'video')  # 0.8 s
    items = list(read_items(video, clip))
    expected = [f'{video.name} {said}'] if said else [''] * 4  # frames 13, 15, 17, 19
    assert [item.error for item in items] == expected


def test_images_are_counted_before_they_are_read(tmp_path):
    pytest.importorskip('av')
    video = Source(str(write_video(tmp_path / 'a.mp4', frames=20)), 'video')
    image = Source('a.png', 'image')
    assert count_images([image, video, image]) == 22
    # Frames 5, 8 and 11 of 25 per second are in [0.2, 0.48).
    clip = Clip(every=3, start=0.2, end=0.48)
    assert count_images([video], clip) == 3 == len(list(read_items(video, clip)))
    assert count_images([image, Source('0', 'stream')]) is None
    (tmp_path / 'b.mp4').write_bytes(b'no video')
    broken = Source(str(tmp_path / 'b.mp4'), 'video')
    assert count_images([broken]) == 1
    (item,) = read_items(broken)
    assert 'b.mp4 is no video that can be read' in item.error
