"""What MMPose imports of xtcocotools, which has no wheels from Python 3.12 on.

pycocotools reads annotations and masks; faster-coco-eval computes AP or, where it is missing and
the protocol is COCO's, pycocotools does.
"""
