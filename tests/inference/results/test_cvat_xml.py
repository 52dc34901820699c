"""Skeletons in `CVAT for images 1.1`, in the form that CVAT's page on it shows."""

from xml.etree import ElementTree

from pinet_mm.errors import InputError
from pinet_mm.inference.results import PoseResult
from pinet_mm.inference.results.cvat_xml import from_cvat_xml, to_cvat_xml
from pinet_mm.inference.results.exchange import to_cvat

import numpy as np
import pytest

from tests.helpers.videos import META, found_in

EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id>
      <name>street</name>
      <mode>annotation</mode>
      <labels>
        <label><name>car</name><type>bbox</type><attributes></attributes></label>
        <label><name>s1</name><type>skeleton</type><attributes></attributes>
          <svg>&lt;circle r="1.5" data-label-name="1"&gt;&lt;/circle&gt;</svg></label>
        <label><name>2</name><type>points</type><attributes></attributes>
          <parent>s1</parent></label>
        <label><name>1</name><type>points</type><attributes></attributes>
          <parent>s1</parent></label>
        <label><name>3</name><type>points</type><attributes></attributes>
          <parent>s1</parent></label>
      </labels>
    </task>
    <dumped>2018-09-25 11:38:28.799808+03:00</dumped>
  </meta>
  <image id="0" name="a/filename000.jpg" width="1600" height="1200">
    <box label="car" xtl="797.33" ytl="870.92" xbr="965.52" ybr="928.94" occluded="0" z_order="4">
    </box>
    <points label="wheel" points="574.90,939.48;1170.16,907.90" occluded="0" z_order="5">
    </points>
    <skeleton label="s1" source="manual" z_order="0">
      <points label="1" occluded="0" source="manual" outside="0" points="54.47,94.81">
      </points>
      <points label="2" occluded="1" source="manual" outside="0" points="68.02,162.34">
      </points>
      <points label="3" occluded="0" source="manual" outside="1" points="125.87,62.85">
      </points>
    </skeleton>
  </image>
  <image id="1" name="empty.jpg" width="64" height="48">
  </image>
</annotations>
"""


def test_an_export_as_cvats_page_shows_it_becomes_annotations():
    document = from_cvat_xml(EXPORT)
    assert document['categories'][0]['keypoints'] == ['2', '1', '3'], 'as the labels are listed'
    assert document['categories'][0]['name'] == 's1'
    first, empty = document['images']
    assert first == dict(id=1, file_name='a/filename000.jpg', width=1600, height=1200)
    assert empty == dict(id=2, file_name='empty.jpg', width=64, height=48)
    (person,) = document['annotations']
    assert person['keypoints'] == [68.02, 162.34, 1, 54.47, 94.81, 2, 0, 0, 0]
    assert person['bbox'] == [54.47, 94.81, 13.55, 67.53]
    assert person['area'] == pytest.approx(13.55 * 67.53, abs=0.01)
    assert (person['image_id'], person['num_keypoints'], person['iscrowd']) == (1, 2, 0)


def test_the_order_of_keypoints_can_be_given():
    document = from_cvat_xml(EXPORT.encode(), ['1', '2', '3', '4'])
    (person,) = document['annotations']
    assert person['keypoints'] == [54.47, 94.81, 2, 68.02, 162.34, 1, *[0] * 6]


def result(file='images/street.jpg'):
    """A person with keypoints at (9.5, 20), (21, 21) ... (24, 24) in an image of 200×100."""
    found = PoseResult.of(found_in(np.full((100, 200, 3), 9, np.uint8)), META)
    found.pred_instances.keypoints[0, 0, 0] = 9.5
    found.pred_instances.keypoint_scores[0, 4] = 0.1  # of a mean of 0.42
    found.set_metainfo(dict(img_path=file))
    return found


def test_poses_have_the_form_of_that_page():
    root = ElementTree.fromstring(to_cvat_xml([result(), result('b.jpg')]))
    assert root.tag == 'annotations' and root.findtext('version') == '1.1'
    street, other = root.findall('image')
    assert street.attrib == dict(id='0', name='street.jpg', width='200', height='100')
    assert other.attrib['id'] == '1'
    (skeleton,) = street.findall('skeleton')
    assert skeleton.attrib == dict(label='person', source='auto', z_order='0')
    points = skeleton.findall('points')
    assert [each.attrib['label'] for each in points] == result().names
    assert [each.attrib['points'] for each in points][:2] == ['9.50,20.00', '21.00,21.00']
    assert [each.attrib['occluded'] for each in points] == ['0', '0', '0', '0', '1']
    assert {each.attrib['outside'] for each in points} == {'0'}


def test_poses_come_back_as_they_went():
    back = from_cvat_xml(to_cvat_xml([result()]))
    wanted = to_cvat([result()])
    assert back['categories'][0]['keypoints'] == wanted['categories'][0]['keypoints']
    assert back['images'] == wanted['images']
    keypoints = [each['annotations'][0]['keypoints'] for each in (back, wanted)]
    assert keypoints[0] == keypoints[1]


@pytest.mark.parametrize(
    'old, new, problem',
    [
        ('</annotations>', '', 'it is not as CVAT exports its images: ParseError'),
        (' width="64"', '', "empty.jpg: sides must be .* at least 1; found {'width': ''"),
        (
            'width="64"',
            'width="-64"',
            "empty.jpg: sides must be .* at least 1; found .*width.: '-64'",
        ),
        ('54.47,94.81', '54.47', 'it is not as CVAT exports its images: ValueError'),
        ('54.47,94.81', 'nan,1', "it is not as CVAT exports its images: ValueError..nan,1'"),
        ('54.47,94.81', '1,1e999', "it is not as CVAT exports its images: ValueError..1,1e999'"),
        ('54.47,94.81', 'x,y', 'it is not as CVAT exports its images: ValueError'),
        ('<version>', '<track id="0" label="s1"/><version>', 'it has tracks: export it as `CVAT f'),
        ('skeleton', 'tag', r'its people must be skeletons of one label; found \[\]'),
        ('  </image>\n</', '<skeleton label="t"/></image></', r"one label; found \['s1', 't'\]"),
        (
            'points label="3"',
            'points label="1"',
            'a/filename000.jpg: .* the point 1 more than once',
        ),
        ('<name>3<', '<name>4<', 'a/filename000.jpg: a point must be one of 2, 1, 4; found 3'),
    ],
)
def test_what_is_no_such_export_is_one_sentence(old, new, problem):
    assert old in EXPORT
    with pytest.raises(InputError, match=problem):
        from_cvat_xml(EXPORT.replace(old, new))


@pytest.mark.parametrize('encoding', ['foo', 'hex', 'shift_jis'])
def test_an_encoding_that_xml_does_not_have_is_one_sentence(encoding):
    with pytest.raises(InputError, match='^it is not as CVAT exports its images: '):
        from_cvat_xml(EXPORT.replace('utf-8', encoding).encode())
