# COCO for a light network: crops of 320×320, whole images tested with a short side of 320.
_base_ = ['./coco.py']

input_size = (320, 320)
codec = dict(_base_.codec, input_size=input_size, heatmap_size=(80, 80), min_area=0)
train_pipeline = _base_.train_pipeline
train_pipeline[1]['input_size'] = input_size
train_pipeline[3]['encoder'] = codec
test_pipeline = _base_.test_pipeline
test_pipeline[1]['input_size'] = input_size
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
