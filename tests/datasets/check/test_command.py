"""The command: what it prints, what it writes, how it ends."""

import json
from pathlib import Path

from pinet_mm.cli.check_dataset import main
from pinet_mm.datasets.check import KINDS
from pinet_mm.datasets.check.page import to_markdown

import numpy as np
import pytest
from PIL import Image

from tests.helpers.mutations import CONTENT, UNREADABLE, write

DOCS = Path(__file__).parents[3] / 'docs'


def mutated(path, name):
    write(path, next(each for each in (*CONTENT, *UNREADABLE) if each.name == name))
    return str(path)


def test_the_page_of_the_documentation_is_the_list():
    page = (DOCS / 'annotation_faults.md').read_text()
    assert page.partition('\n## What was tried')[0] == to_markdown()
    for kind in KINDS.values():
        assert f'| {kind.expected} |' in to_markdown()


def test_a_valid_file(tmp_path, capsys):
    path = mutated(tmp_path / 'a.json', 'nothing')
    assert main([path]) == 0
    assert capsys.readouterr().out == (f'{path}: 3 images, 5 people, 5 with labeled keypoints\n')


def test_a_mended_copy(tmp_path, capsys):
    path = mutated(tmp_path / 'a.json', 'category has id 9')
    assert main([path, '--fix', str(tmp_path / 'out')]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f'mended: {path}: categories: id: expected 1, as in COCO, found 9')
    assert lines[-1] == f'mended copy: {tmp_path}/out/a.json'
    assert main([str(tmp_path / 'out' / 'a.json')]) == 0
    assert 'mended: ' not in capsys.readouterr().out


def test_the_status_tells_of_refused_files(tmp_path, capsys):
    bad = mutated(tmp_path / 'bad.json', 'keypoints of six')
    good = mutated(tmp_path / 'good.json', 'visibility 3')
    assert main([bad, good]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f'refused: {bad}: annotation 1: keypoints: expected 3 numbers')
    assert lines[1] == f'refused: {bad}'
    assert lines[2].startswith(f'suspicious: {good}: annotation 1: keypoints: expected visibility')
    assert main([good, '--strict']) == 1


@pytest.mark.parametrize(
    'name, reason',
    [
        ('keypoints of six', 'only its author can mend what is refused'),
        ('cut off', 'only its author can mend what is refused'),
        ('nothing', 'nothing is to be mended'),
    ],
)
def test_a_copy_that_is_not_written_is_told_with_the_reason(name, reason, tmp_path, capsys):
    path = mutated(tmp_path / 'a.json', name)
    assert main([path, '--fix', str(tmp_path / 'out')]) == (name != 'nothing')
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f'no mended copy of {path} is written: {reason}'
    assert not (tmp_path / 'out').exists()


def test_nothing_to_check():
    with pytest.raises(SystemExit, match='error: nothing to check: name an annotation file'):
        main([])


def test_names_to_exclude_need_two_folders(tmp_path):
    path, target = mutated(tmp_path / 'a.json', 'nothing'), tmp_path / 'names.json'
    with pytest.raises(SystemExit, match='^error: --exclude is for --overlap A B: name two folde'):
        main([path, '--exclude', str(target)])


@pytest.mark.parametrize('other', ['b/t.json', 'b/t.json.gz', 'a/t.json'])
def test_mended_copies_of_one_name_are_refused_before_one_is_written(other, tmp_path, capsys):
    for folder in 'ab':
        (tmp_path / folder).mkdir()
    mutated(tmp_path / 'a/t.json', 'category has id 9')
    files = [str(tmp_path / 'a/t.json'), str(tmp_path / other)]
    with pytest.raises(SystemExit, match='^error: --fix writes .* several are called t.json: fix'):
        main([*files, '--fix', str(tmp_path / 'out')])
    assert not capsys.readouterr().out and not (tmp_path / 'out').exists()


def test_overlapping_folders(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for folder, name in (('a', 'x.png'), ('a', 'y.png'), ('b', 'z.png')):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(
            tmp_path / folder / name
        )
    (tmp_path / 'b' / 'w.png').write_bytes((tmp_path / 'a' / 'y.png').read_bytes())
    folders, target = [str(tmp_path / 'a'), str(tmp_path / 'b')], str(tmp_path / 'shared.json')
    assert main(['--overlap', *folders, '--exclude', target]) == 1
    assert f'{folders[0]}/y.png is {folders[1]}/w.png (the same)' in capsys.readouterr().out
    assert json.loads(Path(target).read_text()) == ['y.png']
