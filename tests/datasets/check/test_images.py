"""Image files against their records, and images that two sets share."""

from pinet_mm.datasets.check import AnnotationError, check_data
from pinet_mm.datasets.check.overlap import find_shared, print_of, prints_of

import numpy as np
import pytest
from PIL import Image

from tests.helpers.mutations import NAMES, valid


def scene(seed, size=(100, 80)):
    """A smooth image of its own."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (8, 10, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """The images of the valid file."""
    for name in (1, 2, 3):
        scene(name).save(tmp_path / f'{name}.png')
    return tmp_path


def findings(data, folder):
    return {each.kind: each for each in check_data(data, names=NAMES, image_folder=folder).findings}


def test_images_as_they_are_written(folder):
    assert not findings(valid(), folder)


def test_swapped_sizes_are_put_right(folder):
    data = valid()
    for image in data['images'][:2]:
        image.update(width=80, height=100)
    (finding,) = findings(data, folder).values()
    assert (finding.kind, finding.ids) == ('image-size-swapped', [1, 2])
    assert finding.found == '80×100, the file has 100×80'
    assert data['images'] == valid()['images']


def test_missing_sizes_are_read(folder):
    data = valid()
    del data['images'][0]['width'], data['images'][1]['height']
    assert list(findings(data, folder)) == ['image-size-read']
    assert data['images'] == valid()['images']


def test_a_photograph_turned_by_exif_is_as_it_is_shown(folder):
    turned = Image.Exif()
    turned[0x0112] = 6
    scene(1, (80, 100)).save(folder / '1.jpg', exif=turned)
    data = valid()
    data['images'][0]['file_name'] = '1.jpg'
    assert not findings(data, folder)
    data['images'][0].update(width=80, height=100)
    assert list(findings(data, folder)) == ['image-size-swapped']


def test_annotations_of_another_size_are_refused(folder):
    data = valid()
    data['images'][0].update(width=200, height=160)
    with pytest.raises(
        AnnotationError, match=r'image 1: width, height: .* found 200×160, the file has 100×80'
    ):
        check_data(data, names=NAMES, image_folder=folder)


def test_files_that_are_missing_or_no_images_are_named(folder):
    (folder / '1.png').unlink()
    (folder / '2.png').write_text('no image')
    with pytest.raises(AnnotationError) as caught:
        check_data(valid(), names=NAMES, image_folder=folder)
    assert "image 1: file_name: expected an existing file, found '1.png'" in str(caught.value)
    assert 'image 2: file_name: expected an image that can be read' in str(caught.value)


# --- two sets ------------------------------------------------------------------------------------


def test_shared_images_are_found_in_any_encoding(tmp_path):
    for seed in range(30):
        scene(seed).save(tmp_path / f'a{seed}.png')
        scene(seed + 1000).save(tmp_path / f'b{seed}.png')
    scene(3).save(tmp_path / 'same.png')
    scene(4).save(tmp_path / 'jpeg.jpg', quality=60)
    scene(5).resize((73, 58)).save(tmp_path / 'small.png')
    first = [f'a{seed}.png' for seed in range(30)]
    second = [f'b{seed}.png' for seed in range(30)] + ['same.png', 'jpeg.jpg', 'small.png']
    shared = find_shared(list(prints_of(tmp_path, first)), list(prints_of(tmp_path, second)))
    assert [(each.name, each.other) for each in shared] == [
        ('a3.png', 'same.png'),
        ('a4.png', 'jpeg.jpg'),
        ('a5.png', 'small.png'),
    ]
    assert shared[0].difference == 0 < shared[1].difference


def test_prints_differ_as_their_bits_do(tmp_path):
    scene(1).save(tmp_path / '1.png')
    one = print_of(tmp_path, '1.png')
    flipped = one._replace(digest='another', bits=np.concatenate((~one.bits[:9], one.bits[9:])))
    assert find_shared([one], [flipped])[0].difference == 9
    assert not find_shared([one], [flipped], most_different=8)


def test_images_of_one_color_are_not_like_each_other(tmp_path):
    for name, color in (('white', 255), ('black', 0)):
        Image.new('L', (40, 40), color).save(tmp_path / f'{name}.png')
    white, black = prints_of(tmp_path, ['white.png', 'black.png'])
    assert not find_shared([white], [black])
    assert not find_shared([], [black]) and not find_shared([white], [])
