"""What `data draw` does in folders that hold something, and options that do not go together."""

from pinet_mm import cli

import pytest


def test_a_dataset_that_was_drawn_otherwise_is_not_replaced_unasked(tmp_path):
    words = ['make-crowdsynth', str(tmp_path), '--images', '1', '--size', '64', '64']
    path = tmp_path / 'annotations' / 'train.json'
    cli.main(words)
    before = path.read_bytes()
    cli.main(words)
    assert path.read_bytes() == before, 'the same settings again'
    for more, name in ((['--seed', '1'], 'seed'), (['--plain'], 'occluders, photometric')):
        message = f'error: {tmp_path} holds annotations/train.json with another {name}: '
        with pytest.raises(SystemExit, match=f'^{message}'):
            cli.main([*words, *more])
        assert path.read_bytes() == before
    cli.main([*words, '--split', 'val', '--seed', '1'])
    cli.main([*words, '--seed', '1', '--overwrite'])
    assert path.read_bytes() != before


def test_annotations_that_were_not_drawn_are_not_replaced_unasked(tmp_path):
    path = tmp_path / 'annotations' / 'train.json'
    path.parent.mkdir()
    path.write_text('{"images": []}')
    with pytest.raises(SystemExit, match=f'^error: {tmp_path} holds annotations/train.json'):
        cli.main(['make-crowdsynth', str(tmp_path), '--images', '1'])
    assert path.read_text() == '{"images": []}'


def test_a_dataset_of_the_same_settings_is_drawn_again_and_a_line_says_so(tmp_path, capsys):
    words = ['data', 'draw', str(tmp_path / 'a'), '--size', '64', '64', '--images']
    cli.main([*words, '1'])
    assert 'drawn again' not in capsys.readouterr().out
    cli.main([*words, '2'])
    said = capsys.readouterr().out.splitlines()[0]
    assert said == f'{tmp_path / "a"} holds 1 images that were drawn in the same way: drawn again'


def test_images_without_annotations_are_not_replaced_unasked(tmp_path):
    photo = tmp_path / 'images' / 'train' / '000000.jpg'
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b'mine')
    words = ['data', 'draw', str(tmp_path), '--images', '1', '--size', '64', '64']
    with pytest.raises(SystemExit, match='train holds files that annotations/train.json, which is'):
        cli.main(words)
    assert photo.read_bytes() == b'mine'
    cli.main([*words, '--overwrite'])
    assert photo.read_bytes() != b'mine'


@pytest.mark.parametrize('words', [('--frames', '9'), ('--fps', '5')])
def test_options_of_videos_need_videos(words, tmp_path):
    with pytest.raises(SystemExit, match=f'^error: {words[0]} is for videos: give their number'):
        cli.main(['data', 'draw', str(tmp_path / 'a'), *words])
    assert not (tmp_path / 'a').exists()
