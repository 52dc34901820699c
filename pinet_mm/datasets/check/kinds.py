"""Every fault of an annotation file that the check knows."""

from .findings import Kind, Level

M, S, R = Level.MENDED, Level.SUSPICIOUS, Level.REFUSED

KINDS = {
    # --- the file --------------------------------------------------------------------------------
    'byte-order-mark': Kind(M, 'file', 'UTF-8 without a byte order mark', 'it is skipped'),
    'compressed': Kind(M, 'file', 'plain JSON', 'gzip is unpacked'),
    'fields-missing': Kind(
        R,
        'file.images, annotations, categories',
        'a list each',
        cure='export as "COCO Keypoints"; other formats of the same tool lack them',
    ),
    'no-annotations': Kind(
        S, 'file.annotations', 'some', 'nobody is annotated', 'is it the right file?', stays=True
    ),
    # --- categories ------------------------------------------------------------------------------
    'categories-ambiguous': Kind(
        R,
        'categories.keypoints',
        'one category with keypoints, or to be told which one counts',
        cure='name it: --category NAME; the people of all of them are checked',
    ),
    'category-unknown': Kind(R, 'categories', 'the category that was asked for'),
    'category-id': Kind(
        M, 'categories.id', '1, as in COCO', 'its id counts as 1; results carry the id of the file'
    ),
    'category-missing': Kind(
        M, 'annotation.category_id', 'the id of a category', 'there is one: it is taken'
    ),
    'category-id-type': Kind(R, 'categories.id', 'an integer'),
    'category-names-type': Kind(R, 'categories.keypoints', 'a list of names'),
    'number-as-text': Kind(
        M, 'annotation.image_id, category_id', 'a number', 'whole numbers written as text are taken'
    ),
    'nobody-left': Kind(
        R,
        'annotation.image_id, category_id',
        'ids of listed images and of the person category',
        cure='none of the annotations has both',
    ),
    'category-undescribed': Kind(
        S, 'annotation.category_id', 'the id of a listed category', 'left out'
    ),
    'other-category': Kind(
        M, 'annotation.category_id', 'the person category', 'other objects are left out'
    ),
    'keypoint-names': Kind(
        S,
        'categories.keypoints',
        'the names of the metainfo',
        'the order of the file is taken for that of the metainfo',
        'give the keypoints in the export the names of the metainfo',
        stays=True,
    ),
    'keypoint-names-moved': Kind(
        R,
        'categories.keypoints',
        'the names of the metainfo',
        cure='some are at other places there, and others are not known: use the same names',
    ),
    'keypoint-order': Kind(
        M, 'categories.keypoints', "the metainfo's order", 'keypoints are reordered by name'
    ),
    'keypoint-count': Kind(
        R,
        'categories.keypoints',
        'as many names as the metainfo has keypoints',
        cure='name a metainfo with the keypoints of this file, or convert them to those of the '
        "model with MMPose's KeypointConverter (docs/custom_dataset.md in the repository, "
        '"Merged datasets")',
    ),
    # --- images ----------------------------------------------------------------------------------
    'image-id-missing': Kind(R, 'image.id', 'an integer'),
    'image-id-type': Kind(
        R, 'image.id', 'an integer', cure='number the images; annotations name the number'
    ),
    'image-id-form': Kind(M, 'image.id', 'an integer', 'whole numbers in another form are taken'),
    'image-id-twice': Kind(R, 'image.id', 'an id of its own', cure='renumber before joining files'),
    'file-name-missing': Kind(R, 'image.file_name', 'a path inside the image folder'),
    'file-name-backslash': Kind(M, 'image.file_name', 'slashes', 'backslashes become slashes'),
    'file-name-outside': Kind(
        R,
        'image.file_name',
        'a path inside the image folder',
        cure='write relative paths, or read from anywhere: --allow-outside',
    ),
    'file-name-twice': Kind(
        S, 'image.file_name', 'a file of its own', 'both are taken', stays=True
    ),
    'image-size': Kind(
        R,
        'image.width, height',
        'positive integers',
        cure='--images reads them from the image files',
    ),
    'image-size-text': Kind(
        M, 'image.width, height', 'integers', 'whole numbers in another form are taken'
    ),
    'image-size-read': Kind(
        M, 'image.width, height', 'positive integers', 'read from the image file'
    ),
    'image-size-swapped': Kind(
        M, 'image.width, height', "the image file's size", 'width and height change places'
    ),
    'image-size-other': Kind(
        R,
        'image.width, height',
        "the image file's size",
        cure='annotations were made on images of another size: export those images',
    ),
    'image-file-missing': Kind(R, 'image.file_name', 'an existing file'),
    'image-file-unreadable': Kind(R, 'image.file_name', 'an image that can be read'),
    'crowd-index': Kind(
        R,
        'image.crowdIndex',
        'a number, which keypoints_crowd sorts images by',
        cure="evaluate with iou_type='keypoints', or compute crowdIndex",
    ),
    # --- annotations -----------------------------------------------------------------------------
    'record-type': Kind(R, 'annotation', 'an object'),
    'annotation-id-missing': Kind(M, 'annotation.id', 'an integer', 'they are numbered'),
    'annotation-id-type': Kind(R, 'annotation.id', 'an integer'),
    'annotation-id-form': Kind(
        M, 'annotation.id', 'an integer', 'whole numbers in another form are taken'
    ),
    'annotation-id-twice': Kind(
        R, 'annotation.id', 'an id of its own', cure='renumber before joining files'
    ),
    'image-unknown': Kind(S, 'annotation.image_id', 'the id of a listed image', 'left out'),
    'iscrowd': Kind(R, 'annotation.iscrowd', '0 or 1'),
    'iscrowd-form': Kind(M, 'annotation.iscrowd', '0 or 1', 'true and false are taken'),
    'keypoints-missing': Kind(
        M, 'annotation.keypoints', '3 numbers per keypoint', 'a person without labels'
    ),
    'keypoints-length': Kind(
        R,
        'annotation.keypoints',
        '3 numbers per keypoint: x, y, visibility',
        cure='export x, y and visibility of all keypoints, 0 0 0 where there is no label',
    ),
    'keypoints-type': Kind(R, 'annotation.keypoints', 'numbers'),
    'keypoints-unlabeled': Kind(
        M,
        'annotation.keypoints',
        'numbers also where visibility is 0',
        'taken as 0 0 0, without a label',
    ),
    'keypoints-not-finite': Kind(
        S, 'annotation.keypoints', 'finite numbers', 'these keypoints count as not labeled'
    ),
    'labels-lost': Kind(
        R,
        'annotation.keypoints',
        'finite numbers',
        cure='none of the labeled keypoints of the file has them',
    ),
    'no-labels': Kind(
        S,
        'file.annotations',
        'labeled keypoints: visibility above 0',
        'nobody has one',
        stays=True,
    ),
    'keypoints-normalized': Kind(
        R,
        'annotation.keypoints',
        'pixels',
        cure='all lie between 0 and 1: multiply x by the width and y by the height of the image',
    ),
    'visibility': Kind(
        S,
        'annotation.keypoints',
        'visibility 0, 1 or 2',
        'positive numbers count as labeled, others as not',
    ),
    'keypoints-outside': Kind(
        S,
        'annotation.keypoints',
        'labeled keypoints in or near the image',
        'they stay as they are',
        'a tenth of the side or more hints at annotations made on another image size',
        stays=True,
    ),
    'num-keypoints': Kind(
        M,
        'annotation.num_keypoints',
        'the number of labeled keypoints',
        'counted anew; 0 would make evaluation ignore the person',
    ),
    'num-keypoints-visible': Kind(
        M,
        'annotation.num_keypoints',
        'the number of labeled keypoints',
        "it stays: the file counts visible ones, as CrowdPose's do; keypoints_crowd ignores people "
        'of 0',
        stays=True,
    ),
    'box-missing': Kind(
        M,
        'annotation.bbox',
        'x, y, width, height',
        'the box around the labeled keypoints, or else the region, is taken',
    ),
    'box-empty': Kind(
        M,
        'annotation.bbox',
        'positive width and height',
        'the box around the labeled keypoints, or else the region, is taken',
    ),
    'box-type': Kind(R, 'annotation.bbox', '4 numbers'),
    'box-corners': Kind(
        S,
        'annotation.bbox',
        'x, y, width, height',
        'they stay as they are',
        'most boxes end outside their image: are they x1, y1, x2, y2?',
        stays=True,
    ),
    'box-normalized': Kind(
        R,
        'annotation.bbox',
        'pixels',
        cure='all lie between 0 and 1: multiply x, w by the width and y, h by the height',
    ),
    'nothing-there': Kind(S, 'annotation', 'a box, a region or a labeled keypoint', 'left out'),
    'area': Kind(
        M, 'annotation.area', 'a positive number', '0.53 of the box is taken, as MMPose does'
    ),
    'area-of-more': Kind(
        S,
        'annotation.area',
        'no more than the box',
        'it stays: the person counts as larger than the box says',
        'remove "area" to have 0.53 of the box',
        stays=True,
    ),
    'area-type': Kind(R, 'annotation.area', 'a number'),
    'region-form': Kind(
        M,
        'annotation.segmentation',
        'a list of polygons [x1, y1, x2, y2, ...]',
        'a flat list or a list of points is one polygon',
    ),
    'region-empty': Kind(
        M,
        'annotation.segmentation',
        'polygons of at least three points',
        'points, lines and empty lists are an empty region',
    ),
    'region-missing': Kind(
        M,
        'annotation.segmentation',
        'a region of everybody in an image, or of nobody',
        'an empty region is taken, without which MMPose cannot load the image',
    ),
    'region-type': Kind(
        R, 'annotation.segmentation', 'polygons, or a run-length code with size and counts'
    ),
    'region-size': Kind(
        R, 'annotation.segmentation', "a run-length code of the image's height and width"
    ),
}
