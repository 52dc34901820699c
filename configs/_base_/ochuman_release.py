# OCHuman by the rules of the authors' release: the codec's convention, which the head shares,
# persons' areas, and where the keypoints of a mirrored training picture lie.
_base_ = ['./ochuman.py']

train_pipeline = _base_.train_pipeline
train_pipeline[2]['keypoint_stride'] = 4
codec = train_pipeline[3]['encoder']
codec['convention'] = 'release'
train_pipeline.insert(1, dict(type='BoxArea'))

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
