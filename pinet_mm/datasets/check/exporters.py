"""Tools that export annotations: how their files are recognized, and what cures their faults.

The faults are those that users of the tools reported, or that the tools' own code shows.
"""

from typing import Any

CVAT, LABEL_STUDIO, ROBOFLOW = 'CVAT', 'Label Studio', 'Roboflow'
COCO_ANNOTATOR, SUPERVISELY, V7 = 'COCO Annotator', 'Supervisely', 'V7'

_SKELETONS = 'draw skeletons, not points, and export "COCO Keypoints 1.0", which holds nothing else'
_PARENT = (
    'draw a RectangleLabels box around each person as parent of its KeyPointLabels, and give every '
    'Label a model_index of its own'
)
_DRAW_FIRST = 'draw a box or region of each person before its keypoints'
_DROPPED = 'its COCO conversion drops skeletons: convert them from Darwin JSON'

# Name of a fault -> tool that is known to write it -> what to change there.
CURES = {
    'fields-missing': {
        CVAT: 'export "COCO Keypoints 1.0"',
        LABEL_STUDIO: 'export "COCO", not "JSON"',
        SUPERVISELY: 'run the app "Export COCO Keypoints"',
        V7: 'convert the export: darwin dataset convert NAME coco',
    },
    'no-annotations': {
        CVAT: _SKELETONS,
        LABEL_STUDIO: _PARENT,
        COCO_ANNOTATOR: _DRAW_FIRST,
        SUPERVISELY: 'run the app "Export COCO Keypoints"; "Export to COCO" leaves keypoints out',
        V7: _DROPPED,
    },
    'no-labels': {CVAT: _SKELETONS, LABEL_STUDIO: _PARENT, V7: _DROPPED},
    'keypoint-order': {
        LABEL_STUDIO: 'model_index must count the labels in the order in which they are listed: '
        'names are written in the one order, values in the other',
    },
    'keypoints-missing': {
        CVAT: 'older versions write tracked skeletons empty: update it',
        COCO_ANNOTATOR: 'delete objects that were never drawn',
        V7: _DROPPED,
    },
    'keypoints-length': {
        CVAT: 'older versions leave out points that were deleted: update it, or mark them as '
        'outside',
        LABEL_STUDIO: 'labels without a model_index of their own are left out: number all',
    },
    'box-empty': {
        CVAT: 'a skeleton with one visible point has no extent',
        COCO_ANNOTATOR: _DRAW_FIRST,
    },
    'box-missing': {SUPERVISELY: 'bind a rectangle to each skeleton'},
    'area-of-more': {
        SUPERVISELY: 'absent keypoints count as (0, 0) in its area: remove "area" from the file',
    },
    'region-size': {V7: 'it writes width before height: exchange the two'},
    'annotation-id-twice': {
        LABEL_STUDIO: 'every export counts from 0',
        ROBOFLOW: 'every split counts from 0',
    },
    'image-id-twice': {
        LABEL_STUDIO: 'every export counts from 0',
        ROBOFLOW: 'every split counts from 0',
    },
    'file-name-outside': {
        LABEL_STUDIO: '"COCO with images" of 1.16 writes paths on its server: export "COCO", or '
        'keep the last part of each path',
    },
    'image-file-missing': {
        LABEL_STUDIO: 'paths begin with images/: --images names the folder above',
        ROBOFLOW: 'it renames images: use those of the same download',
        COCO_ANNOTATOR: 'file_name lacks the subfolder that "path" has',
    },
    'image-size-other': {
        ROBOFLOW: 'its versions may resize images: use those of the same download'
    },
}


def recognize(data: dict) -> str | None:
    """Return the tool that exported the content of a file, None if that is not certain."""
    info, images, annotations = _first(data, 'info'), _first(data, 'images'), data['annotations']
    attributes = _first(data, 'annotations').get('attributes')
    license_url = _first(data, 'licenses').get('url')
    marks = {
        ROBOFLOW: 'roboflow' in str(info.get('description')).lower(),
        LABEL_STUDIO: info.get('contributor') == LABEL_STUDIO,
        SUPERVISELY: info.get('contributor') == SUPERVISELY
        or info.get('url') == license_url == 'None',
        V7: 'darwin_url' in images or info.get('description') == 'Exported from Darwin',
        COCO_ANNOTATOR: {'dataset_id', 'path'} <= images.keys(),
        CVAT: (isinstance(attributes, dict) and 'occluded' in attributes)
        or (not annotations and set(info.values()) == {''} and license_url == ''),
    }
    return next((tool for tool, marked in marks.items() if marked), None)


def _first(data: dict, key: str) -> dict:
    value: Any = data.get(key)
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def cure_of(kind: str, exporter: str | None) -> str:
    """Return what cures a fault where it arises, empty if that is not known.

    Args:
        kind: name of the fault.
        exporter: the tool that wrote the file; None names all that are known to write the fault.
    """
    known = CURES.get(kind, {})
    if exporter is not None:
        return f'{exporter}: {known[exporter]}' if exporter in known else ''
    return '; '.join(f'if from {tool}: {cure}' for tool, cure in known.items())
