"""Files of exporters, built as they write them: recognized, with the cure for what is wrong."""

from pinet_mm.datasets.check import KINDS, Expected, check_data
from pinet_mm.datasets.check.exporters import CURES, recognize

import pytest

from tests.helpers.changes import NAMES, valid

NOTHING = dict.fromkeys(
    ('contributor', 'date_created', 'description', 'url', 'version', 'year'), ''
)


def cvat(data):
    data.update(info=NOTHING, licenses=[dict(name='', id=0, url='')])
    for each in data['annotations']:
        each['attributes'] = dict(occluded=False)


def label_studio(data):
    data['info'] = dict(year=2023, version='1.0', contributor='Label Studio')


def roboflow(data):
    data['info'] = dict(description='Exported from roboflow.com', contributor='')


def coco_annotator(data):
    for each in data['images']:
        each.update(dataset_id=5, path=f'/datasets/a/{each["file_name"]}')


def supervisely(data):
    data['info'] = dict(description='', url='None', contributor='somebody')
    data['licenses'] = [dict(url='None', id=0, name='None')]


def v7(data):
    data['info'] = dict(description='Exported from Darwin', url='n/a')


WRITERS = {
    'CVAT': cvat,
    'Label Studio': label_studio,
    'Roboflow': roboflow,
    'COCO Annotator': coco_annotator,
    'Supervisely': supervisely,
    'V7': v7,
}


@pytest.mark.parametrize('tool', WRITERS)
def test_a_tool_is_recognized(tool):
    data = valid()
    WRITERS[tool](data)
    assert recognize(data) == tool
    assert not check_data(data, Expected(NAMES)).findings


def test_other_files_are_of_no_tool():
    data = valid()
    assert recognize(data) is None
    data['info'] = dict(description='COCO 2017 Dataset', url='http://cocodataset.org')
    data['licenses'] = [dict(url='http://creativecommons.org', id=1, name='a license')]
    assert recognize(data) is None
    for value in (None, [], 5, 'text'):
        assert recognize(dict(data, info=value, licenses=value, annotations=[])) is None


def test_an_empty_file_of_cvat_is_recognized():
    data = valid()
    cvat(data)
    data['annotations'] = []
    (finding,) = check_data(data, Expected(NAMES)).findings
    assert 'CVAT: draw skeletons, not points' in str(finding)


@pytest.mark.parametrize(
    'tool, change, cure',
    [
        ('CVAT', dict(keypoints=[], bbox=[0, 0, 0, 0]), 'CVAT: older versions write tracked'),
        ('COCO Annotator', dict(bbox=[0, 0, 0, 0]), 'COCO Annotator: draw a box or region of each'),
        ('Supervisely', dict(area=5000), 'Supervisely: absent keypoints count as (0, 0)'),
        (
            'V7',
            dict(segmentation=dict(size=[100, 80], counts=[8000])),
            'V7: it writes width before height',
        ),
        (
            'Label Studio',
            dict(keypoints=[1, 2, 2] * 4),
            'Label Studio: labels without a',
        ),
    ],
)
def test_the_cure_is_that_of_the_tool(tool, change, cure):
    data = valid()
    WRITERS[tool](data)
    data['annotations'][0].update(change)
    text = ' '.join(map(str, check_data(data, Expected(NAMES)).findings))
    assert cure in text
    assert 'if from' not in text


def test_without_a_tool_all_that_write_the_fault_are_named():
    data = valid()
    data['annotations'][0]['keypoints'] = []
    (finding, *_) = check_data(data, Expected(NAMES)).findings
    for tool in ('CVAT', 'COCO Annotator', 'V7'):
        assert f'if from {tool}: ' in str(finding)


def test_cures_are_of_faults_and_tools_that_exist():
    assert CURES.keys() <= KINDS.keys()
    assert {tool for cures in CURES.values() for tool in cures} == WRITERS.keys()
