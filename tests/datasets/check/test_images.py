"""Image files against their records, and what is kept of them between runs."""

from pinet_mm.datasets.check import AnnotationError, Expected, check_data
from pinet_mm.datasets.check.cache import cache_folder, read_all
from pinet_mm.datasets.check.listing import can_be_path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.changes import NAMES, valid


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
    return {
        each.kind: each for each in check_data(data, Expected(NAMES, image_folder=folder)).findings
    }


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


def test_missing_sizes_are_read_where_a_sample_is_compared_else(folder):
    data = valid()
    del data['images'][1]['width']
    data['images'][2].update(width=None, height=None)
    checked = check_data(data, Expected(NAMES, image_folder=folder, sample=1))
    (finding,) = checked.findings
    assert (finding.kind, finding.ids) == ('image-size-read', [2, 3])
    assert checked.require().data['images'] == valid()['images']


def test_missing_sizes_without_files_to_read_them_from_are_refused(folder):
    data = valid()
    del data['images'][1]['width']
    (folder / '2.png').unlink()
    for sample in (None, 1):
        checked = check_data(data, Expected(NAMES, image_folder=folder, sample=sample))
        assert [each.kind for each in checked.findings] == ['image-file-missing']
    assert [each.kind for each in check_data(data, Expected(NAMES)).findings] == ['image-size']


@pytest.mark.parametrize('wrong', [-5, 0, 1.5, 'wide', True, float('inf')])
def test_a_side_that_cannot_be_is_a_fault_even_where_sizes_are_not_needed(wrong):
    data = valid()
    data['images'][0] = dict(id=1, file_name='1.png', width=wrong)
    data['images'][1] = dict(id=2, file_name='2.png', height=80)
    (finding,) = check_data(data, Expected(NAMES, need_size=False)).findings
    assert (finding.kind, finding.ids) == ('image-size', [1])


def test_files_outside_the_folder_are_not_opened_unless_that_is_wanted(folder):
    data = valid()
    data['images'][0].update(file_name='../gone.png')
    inside, outside = (
        check_data(data, Expected(NAMES, image_folder=folder, allow_outside=allowed)).findings
        for allowed in (False, True)
    )
    assert [each.kind for each in inside] == ['file-name-outside']
    assert [each.kind for each in outside] == ['image-file-missing']


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
        check_data(data, Expected(NAMES, image_folder=folder)).require()


def test_files_that_are_missing_or_no_images_are_named(folder):
    (folder / '1.png').unlink()
    (folder / '2.png').write_text('no image')
    with pytest.raises(AnnotationError) as caught:
        check_data(valid(), Expected(NAMES, image_folder=folder)).require()
    (_, _, missing, unreadable) = str(caught.value).splitlines()
    assert "  1          expected an existing file, found '1.png'" in missing
    assert "  2          expected an image that can be read, found '2.png'" in unreadable


# --- samples and caches --------------------------------------------------------------------------


def test_a_name_of_thousands_of_characters_is_missing_and_told_by_its_ends(folder):
    data = valid()
    data['images'][0]['file_name'] = 'a' * 5000 + '.png'
    (finding,) = findings(data, folder).values()
    assert (finding.kind, finding.ids) == ('image-file-missing', [1])
    assert finding.found.startswith("'aaa") and finding.found.endswith("aaa.png'")
    assert len(str(finding)) < 500


def test_an_id_of_thousands_of_characters_is_told_by_its_ends(folder):
    data = valid()
    data['images'].append(dict(id='x' * 5000, file_name='gone.png', width=9, height=9))
    assert all(len(str(each)) < 500 for each in findings(data, folder).values())


def many(count, swapped=()):
    """A file of many records of one image; some have width and height the wrong way round."""
    data = valid()
    data['images'] = [
        dict(id=i, file_name='1.png', width=100, height=80) for i in range(1, count + 1)
    ]
    for i in swapped:
        data['images'][i].update(width=80, height=100)
    return data


def test_a_sample_that_fits_leaves_the_others_unread(folder):
    expected = Expected(NAMES, image_folder=folder, sample=10)
    checked = check_data(many(100), expected)
    assert checked.looked.read + checked.looked.cached == 10
    # The sample has every tenth image.
    assert 'image-size-swapped' not in {each.kind for each in checked.findings}


def test_one_other_size_in_the_sample_has_all_read(folder):
    data = many(100, swapped=[50, 51, 52])
    checked = check_data(data, Expected(NAMES, image_folder=folder, sample=10))
    (finding,) = [each for each in checked.findings if each.kind.startswith('image-size')]
    assert (finding.kind, finding.count) == ('image-size-swapped', 3)
    assert {(each['width'], each['height']) for each in data['images']} == {(100, 80)}


def test_an_unchanged_image_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setenv('PINET_MM_CACHE', str(tmp_path / 'cache'))
    (tmp_path / 'a.txt').write_text('one')
    (tmp_path / 'b.txt').write_text('two')

    def read(path):
        return path.read_text() if path.is_file() else None

    names = ['a.txt', 'b.txt', 'gone.txt']
    values, looked = read_all(read, tmp_path, names, 'texts')
    assert values == ['one', 'two', None] and looked[:2] == (3, 0)
    (tmp_path / 'b.txt').write_text('three')
    values, looked = read_all(read, tmp_path, names, 'texts')
    assert values == ['one', 'three', None] and looked[:2] == (2, 1)
    assert str(looked).endswith('1 known from an earlier run')
    (cache,) = cache_folder().iterdir()
    cache.write_text('no JSON')
    assert read_all(read, tmp_path, names, 'texts')[1][:2] == (3, 0)


def test_a_cache_that_cannot_be_written_is_none(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('PINET_MM_CACHE', str(tmp_path / 'file' / 'cache'))
    values, looked = read_all(lambda path: path.name, tmp_path, ['file'], 'names')
    assert values == ['file'] and looked.read == 1


def test_names_that_no_file_can_have():
    odd = ['', ' ', 'a\0.png', '\ud800.png']
    assert [name for name in (*odd, 'a.png', 'é.png', '\udcff.png') if not can_be_path(name)] == odd
