"""Images that two sets share, found by their prints."""

from pinet_mm.datasets.check.overlap import MOST_DIFFERENT, find_shared, print_of, prints_of

import numpy as np
import pytest
from PIL import Image

BITS = 256


def scene(seed, size=(200, 150)):
    """An image of its own, whose spectrum falls with the frequency as that of photographs."""
    w, h = size
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None])
    frequency[0, 0] = 1
    noise = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
    gray = np.fft.irfft2(noise / frequency, s=(h, w))
    gray = (gray - gray.mean()) / gray.std() * 50 + 128
    return Image.fromarray(gray.clip(0, 255).astype(np.uint8)).convert('RGB')


def resized(image, factor):
    return image.resize((round(image.width * factor), round(image.height * factor)))


def cropped(image, share):
    """Cut a share of each side off, two thirds of it at the left and the top."""
    w, h = image.size
    left, top = round(w * share * 2 / 3), round(h * share * 2 / 3)
    return image.crop((left, top, left + round(w * (1 - share)), top + round(h * (1 - share))))


def difference(folder, one, other, **options):
    """In how many bits the prints of two images differ."""
    one.save(folder / 'one.png')
    other.save(folder / 'other.jpg' if options else folder / 'other.png', **options)
    name = 'other.jpg' if options else 'other.png'
    prints = [print_of(folder, each).bits for each in ('one.png', name)]
    return int((prints[0] != prints[1]).sum())


@pytest.mark.parametrize('quality', [95, 75, 50, 30, 10])
def test_an_image_that_is_encoded_anew_is_the_same(quality, tmp_path):
    for seed in range(5):
        assert difference(tmp_path, scene(seed), scene(seed), quality=quality) <= MOST_DIFFERENT / 2


@pytest.mark.parametrize('factor', [0.5, 0.75, 1.5, 2])
def test_a_resized_image_is_the_same(factor, tmp_path):
    for seed in range(5):
        other = resized(scene(seed), factor)
        assert difference(tmp_path, scene(seed), other) <= MOST_DIFFERENT / 2


@pytest.mark.parametrize('share', [0.01, 0.02])
def test_an_image_without_its_edge_is_the_same(share, tmp_path):
    for seed in range(5):
        other = cropped(scene(seed), share)
        assert difference(tmp_path, scene(seed), other) <= MOST_DIFFERENT


def test_a_mirrored_image_is_another_one(tmp_path):
    for seed in range(5):
        other = scene(seed).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        assert difference(tmp_path, scene(seed), other) > 1.5 * MOST_DIFFERENT


def test_other_images_differ_in_about_half_of_the_bits(tmp_path):
    for seed in range(10):
        scene(seed).save(tmp_path / f'{seed}.png')
    prints, _ = prints_of(tmp_path, [f'{seed}.png' for seed in range(10)])
    bits = np.array([each.bits for each in prints])
    apart = (bits[:, None] != bits[None]).sum(axis=-1)[np.triu_indices(10, 1)]
    assert apart.min() > 1.25 * MOST_DIFFERENT
    assert apart.mean() == pytest.approx(BITS / 2, rel=0.1)
    assert [int(each.bits.sum()) for each in prints] == [127] * 10  # above the median of 255


def test_a_large_jpeg_has_the_print_of_the_image(tmp_path):
    # It is decoded at a fraction of its size.
    assert difference(tmp_path, scene(1), resized(scene(1), 8), quality=90) <= MOST_DIFFERENT / 2


def test_a_photograph_turned_by_exif_is_as_it_is_shown(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90° clockwise
    stored = scene(2).transpose(Image.Transpose.ROTATE_90)
    assert difference(tmp_path, scene(2), stored, quality=95, exif=turned) <= MOST_DIFFERENT / 2


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
    shared = find_shared(prints_of(tmp_path, first)[0], prints_of(tmp_path, second)[0])
    assert [(each.name, each.other) for each in shared] == [
        ('a3.png', 'same.png'),
        ('a4.png', 'jpeg.jpg'),
        ('a5.png', 'small.png'),
    ]
    assert shared[0].difference == 0


def test_prints_differ_as_their_bits_do(tmp_path):
    scene(1).save(tmp_path / '1.png')
    one = print_of(tmp_path, '1.png')
    flipped = one._replace(digest='another', bits=np.concatenate((~one.bits[:9], one.bits[9:])))
    assert find_shared([one], [flipped])[0].difference == 9
    assert not find_shared([one], [flipped], most_different=8)


def test_images_of_one_color_are_not_like_each_other(tmp_path):
    for name, color in (('white', 255), ('black', 0)):
        Image.new('L', (40, 40), color).save(tmp_path / f'{name}.png')
    (white, black), _ = prints_of(tmp_path, ['white.png', 'black.png'])
    assert not find_shared([white], [black])
    assert not find_shared([], [black]) and not find_shared([white], [])


def test_images_that_cannot_be_read_are_left_out(tmp_path):
    scene(1).save(tmp_path / '1.png')
    (tmp_path / '2.png').write_text('no image')
    prints, looked = prints_of(tmp_path, ['1.png', '2.png', 'gone.png'])
    assert [each.name for each in prints] == ['1.png'] and looked.read == 3
    again, looked = prints_of(tmp_path, ['1.png', '2.png'])
    assert looked.cached == 1 and again[0].digest == prints[0].digest
    assert (again[0].bits == prints[0].bits).all()
