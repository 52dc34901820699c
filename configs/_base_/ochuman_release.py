# OCHuman by the rules of the authors' release: the codec's convention, which the head shares,
# persons' areas, where the keypoints of a mirrored training picture lie, and test pictures: resized
# about a whole pixel. Pictures are read as they are stored, whatever orientation their EXIF tells.
_base_ = ['./ochuman.py']

train_pipeline = _base_.train_pipeline
train_pipeline[0]['color_type'] = 'color_ignore_orientation'
train_pipeline[2]['keypoint_stride'] = 4
codec = train_pipeline[3]['encoder']
codec['convention'] = 'release'
train_pipeline.insert(1, dict(type='BoxArea'))

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

test_pipeline = _base_.test_pipeline
test_pipeline[0]['color_type'] = 'color_ignore_orientation'
test_pipeline[1] = dict(type='WholeCentreResize', input_size=_base_.input_size)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
