"""Annotation files that lead elsewhere or that no reader expects: each is one line."""

import json

from pinet_mm.datasets.check import KINDS, AnnotationError, Expected, check_file
from pinet_mm.datasets.check.findings import Findings
from pinet_mm.datasets.check.image_files import check_image_files

import pytest

from tests.helpers.changes import NAMES, valid


@pytest.mark.parametrize(
    'name, reason',
    [
        ('http://127.0.0.1:9/1.png', 'a path inside the image folder'),
        ('s3://bucket/1.png', 'a path inside the image folder'),
        ('1\0.png', 'a path inside the image folder'),
    ],
)
def test_names_that_are_no_paths_are_refused(name, reason, tmp_path):
    data = valid()
    data['images'][0]['file_name'] = name
    (tmp_path / 'a.json').write_text(json.dumps(data))
    report = check_file(tmp_path / 'a.json', Expected(NAMES))
    with pytest.raises(AnnotationError, match=f'image 1: file_name: expected {reason}, found'):
        report.require()


def test_names_with_nul_are_no_files(tmp_path):
    looked = check_image_files([dict(id=1, file_name='1\0.png')], tmp_path, Findings(KINDS))
    assert looked.read == looked.cached == 0


def test_a_number_of_thousands_of_digits_is_said(tmp_path):
    (tmp_path / 'a.json').write_text('9' * 5000)
    with pytest.raises(AnnotationError, match='a.json holds a number of thousands of digits'):
        check_file(tmp_path / 'a.json', Expected(NAMES))
