"""The four ways through the code in CONTRIBUTING: what they name is there, and on the way."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / 'pinet_mm'
FRAMES = ('_img', '_in', '_hm')  # endings of what a keypoint is called on its way


def section(text):
    return text.partition('## Four ways through the code\n')[2].partition('\n## ')[0]


WALKS = section((ROOT / 'CONTRIBUTING.md').read_text())
ROWS = re.findall(r'^\| ([^|]+) \| ([^|]+) \|$', WALKS, flags=re.M)
ROWS = [row for row in ROWS if row[0] not in ('room', '---')]
PROSE = '\n'.join(line for line in WALKS.splitlines() if not line.startswith('|'))


def quoted(text):
    return re.findall(r'`([^`]+)`', text)


def files_in(text):
    """Files and folders that a text quotes; one without a folder lies where the one before does."""
    found = []
    for name in quoted(text):
        if not (re.fullmatch(r'[\w./]+', name) and ('/' in name or name.endswith('.py'))):
            continue
        places = [PACKAGE / name, ROOT / name, *(file.parent / name for file in found[-1:])]
        found.append(next((place for place in places if place.exists()), Path(name)))
    return found


def names_in(text):
    """Names of functions, classes and settings that a text quotes, the last word of each."""
    calls = [re.sub(r'\(\w*\)$', '', name) for name in quoted(text)]
    names = [name for name in calls if re.fullmatch(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)*', name)]
    names = [name for name in names if not (PACKAGE / name).is_dir() and not name.endswith(FRAMES)]
    return [name.rpartition('.')[2] for name in names if not name.endswith('.py')]


def words_of(files):
    return set(re.findall(r'\w+', ' '.join(file.read_text() for file in files if file.is_file())))


def missing_in(row, before=()):
    """What a row names that is neither in its files nor in those of the row before."""
    text = ' '.join(row)
    files = files_in(text)
    words = words_of([*files, *files_in(' '.join(before))] if files else PACKAGE.rglob('*.py'))
    gone = [str(file) for file in files if not file.exists()]
    return gone + [name for name in names_in(text) if name not in words and not gone]


def test_there_are_four_walks_of_several_rooms():
    assert len(re.findall(r'^\*\*.*\*\*$', WALKS, flags=re.M)) == 4
    assert len(ROWS) > 20


@pytest.mark.parametrize('number', range(len(ROWS)), ids=[row[0][:40] for row in ROWS])
def test_a_room_has_what_the_walk_finds_there(number):
    before = ROWS[number - 1] if number else ()
    assert missing_in(ROWS[number], before) == []


def test_what_the_text_between_names_is_in_the_package():
    gone = [file for file in files_in(PROSE) if not file.exists()]
    assert [file for file in gone if not [*PACKAGE.rglob(str(file))]] == []
    assert set(names_in(PROSE)) <= words_of(PACKAGE.rglob('*.py'))


def test_a_room_that_is_gone_and_a_name_that_moved_are_seen():
    assert missing_in(('`models/head.py`', '`no_such_name`')) == ['no_such_name']
    assert missing_in(('`models/head.py`', '`share_codec` is elsewhere')) == ['share_codec']
    assert missing_in(('`models/heads.py`', 'renamed')) == ['models/heads.py']
    assert missing_in(('`method/fusion.py`, `proposals.py`', '`PoseFusion.forward`')) == []
