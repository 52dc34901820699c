"""Videos: which frames are read; what is written has rate, size and sound of the source."""

from fractions import Fraction

from pinet_mm.errors import InputError, RunError
from pinet_mm.inference.runs.video_files import VideoWriter
from pinet_mm.inference.sources.videos import Clip, read_video, video_facts

import numpy as np
import pytest

from tests.helpers.videos import SIZE, STEP, write_video

av = pytest.importorskip('av')


def numbers(frames):
    """The number that each frame shows, and the one that it is said to be."""
    return [(round(frame.image.mean() / STEP), frame.index) for frame in frames]


def same(*found):
    return [(i, i) for i in found]


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'a.mp4'
    return write_video(path, rate=Fraction(30000, 1001), audio='aac')


def copy(source, target, clip=Clip()):  # noqa: B008, frozen
    writer = VideoWriter(target, video_facts(source).rate / clip.every, source, clip.start)
    for frame in read_video(source, clip):
        writer.write(frame.image, frame.seconds)
    writer.close()
    return target


def streams(path):
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        sound = [stream.codec_context.name for stream in container.streams.audio]
        lengths = [float(stream.duration * stream.time_base) for stream in container.streams]
        return video, sound, lengths


def test_frames_are_read_in_order_with_their_times(video):
    frames = list(read_video(video))
    assert numbers(frames) == same(*range(20))
    np.testing.assert_allclose(
        [frame.seconds for frame in frames], np.arange(20) * 1001 / 30000, atol=1e-6
    )
    assert video_facts(video) == (Fraction(30000, 1001), 20)


@pytest.mark.parametrize(
    'clip, wanted',
    [
        (Clip(every=6), (0, 6, 12, 18)),
        # At 30000/1001 frames per second, frame 6 is at 0.2002 s and frame 12 at 0.4004 s.
        (Clip(start=0.2, end=0.4), (6, 7, 8, 9, 10, 11)),
        (Clip(every=4, start=0.2), (6, 10, 14, 18)),
        (Clip(end=0.1), (0, 1, 2)),
        (Clip(start=9), ()),
    ],
)
def test_clips_have_the_frames_that_were_asked_for(video, clip, wanted):
    assert numbers(read_video(video, clip)) == same(*wanted)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(every=0), 'every must be 1 or more; found 0'),
        (dict(start=-1), 'start at 0 s or later .* found -1 to None'),
        (dict(every=10**30), 'every must be at most 1000000000; found 1e\\+30'),
        (dict(start=1e308), 'start must be at most 1000000000; found 1e\\+308'),
        (dict(start=float('nan')), 'start must be at most 1000000000; found nan'),
        (dict(end=float('inf')), 'end must be at most 1000000000; found inf'),
        (dict(start=2, end=2), 'end after its start; found 2 to 2 s'),
    ],
)
def test_clips_without_frames_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Clip(**wrong)


def test_a_copy_has_rate_size_and_sound(video, tmp_path):
    written, sound, (length, sound_length) = streams(copy(video, tmp_path / 'copy.mp4'))
    assert written.codec_context.name == 'h264' and written.pix_fmt == 'yuv420p'
    assert (written.average_rate, written.frames) == (Fraction(30000, 1001), 20)
    assert (written.width, written.height) == SIZE
    assert sound == ['aac']
    assert length == pytest.approx(20 * 1001 / 30000, abs=1e-3)
    assert sound_length == pytest.approx(length, abs=0.03)
    assert numbers(read_video(tmp_path / 'copy.mp4')) == same(*range(20))
    # The index comes first, so that a browser plays while it loads.
    data = (tmp_path / 'copy.mp4').read_bytes()
    assert data.index(b'moov') < data.index(b'mdat')
    assert [path.name for path in tmp_path.iterdir()] == ['copy.mp4']


def test_a_clip_has_the_sound_of_its_time(video, tmp_path):
    written, sound, (length, sound_length) = streams(
        copy(video, tmp_path / 'clip.mp4', Clip(every=2, start=0.2, end=0.4))
    )
    assert (written.frames, sound) == (3, ['aac'])
    assert length == pytest.approx(0.2, abs=0.01) and sound_length == pytest.approx(0.2, abs=0.06)


def test_sound_that_mp4_does_not_take_is_left_out(tmp_path):
    source = write_video(tmp_path / 'a.mkv', codec='mpeg4', audio='pcm_s16le')
    written, sound, _ = streams(copy(source, tmp_path / 'copy.mp4'))
    assert (written.frames, written.average_rate, sound) == (20, 25, [])


def test_odd_sides_get_one_more_row_and_column(tmp_path):
    writer = VideoWriter(tmp_path / 'odd.mp4')
    writer.write(np.full((47, 63, 3), 90, np.uint8), 0.0)
    writer.close()
    (frame,) = read_video(tmp_path / 'odd.mp4')
    assert frame.image.shape == (48, 64, 3) and abs(frame.image.astype(int) - 90).max() <= 1


def test_videos_of_phones_are_turned_upright(tmp_path):
    path = write_video(tmp_path / 'a.mp4', frames=1)
    data = bytearray(path.read_bytes())
    # The matrix of the track's header, 16.16 fixed point: x' = -y, y' = x, a quarter clockwise.
    matrix = data.index(b'tkhd') + 4 + 40
    quarter = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], '>i4').tobytes()
    assert data[matrix : matrix + 4] == b'\0\1\0\0', 'the identity is there before'
    data[matrix : matrix + 36] = quarter
    path.write_bytes(data)
    (frame,) = read_video(path)
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)


def test_files_that_are_no_videos_are_named(tmp_path, monkeypatch):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(InputError, match='a.mp4 is no video that can be read: '):
        next(read_video(tmp_path / 'a.mp4'))
    with av.open(str(tmp_path / 'tone.mp4'), 'w') as container:
        container.mux(container.add_stream('aac', rate=48000).encode())
    monkeypatch.setitem(__import__('sys').modules, 'av', None)
    with pytest.raises(RunError, match=r"need PyAV: pip install '/.*\[video\]'$"):
        next(read_video(tmp_path / 'a.mp4'))


def test_a_writer_without_images_leaves_no_file(tmp_path):
    VideoWriter(tmp_path / 'none.mp4').close()
    assert list(tmp_path.iterdir()) == []


def test_broken_data_in_between_is_a_frame_without_image(tmp_path):
    path = write_video(tmp_path / 'a.mkv', codec='ffv1')
    with av.open(str(path)) as source, av.open(str(tmp_path / 'b.mkv'), 'w') as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for i, packet in enumerate(source.demux(video=0)):
            broken = av.Packet(b'\xff' * 4) if i == 3 else packet
            broken.pts, broken.dts, broken.stream = packet.pts, packet.dts, stream
            broken.time_base = packet.time_base
            if packet.pts is not None:
                target.mux(broken)
    frames = list(read_video(tmp_path / 'b.mkv'))
    assert [frame.index for frame in frames] == list(range(20))
    # All until the next frame that needs no other: FFmpeg puts one after twelve.
    assert [i for i, frame in enumerate(frames) if frame.image is None] == list(range(3, 12))
    assert [frame.seconds for frame in frames] == pytest.approx([i / 25 for i in range(20)])


@pytest.mark.parametrize('name', ['tcp:127.0.0.1:9.mp4', 'concat:a.mp4', 'pipe:0.mp4', 'a%03d.mp4'])
def test_names_of_files_are_no_addresses(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'a.mp4', 3).rename(name)
    assert len(list(read_video(name))) == 3
    writer = VideoWriter(name)
    writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    writer.close()
    assert len(list(read_video(name))) == 1


def test_one_image_of_many_is_a_video_too(tmp_path):
    # 25 / 100 000 images per second: less than FFmpeg has a number for
    writer = VideoWriter(tmp_path / 'slow.mp4', Fraction(25, 100_000))
    writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    writer.close()
    assert len(list(read_video(tmp_path / 'slow.mp4'))) == 1
