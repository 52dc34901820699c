# PINet-2: what was measured to pay beyond the paper, docs/pinet2.md. A leaf adds it to its head.
oks = dict(type='SmoothOKSLoss')
pinet2 = dict(refinement=dict(num_passes=2, context=(2, 4)), offset_loss=oks, refine_loss=oks)
