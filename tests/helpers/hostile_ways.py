"""The tools, each as a function of a hostile file, in a sandbox that they may write into."""

import functools
import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pinet_mm import api, onnx_runner

import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer
from mmpose.datasets.datasets import CocoDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS

from tests.helpers import toys
from tests.helpers.bad_images import encoded
from tests.helpers.changes import write_images
from tests.helpers.doors import METAINFO, perfect_poses
from tests.helpers.served import address_of, serve
from tests.helpers.tools import ROOT
from tests.helpers.toy_runs import write_config


class Tools:
    """The tools, as functions of a hostile file, in a sandbox.

    Args:
        root: an empty folder; `out` in it is where they may write.
    """

    def __init__(self, root: Path):
        self.root, self.out = root, root / 'out'
        for name in ('out', 'images', 'toy', 'home'):
            (root / name).mkdir()
        self.server = serve(root / 'hostile_urls')
        write_images(root / 'images')
        (root / 'image.png').write_bytes(encoded('.png'))
        (root / 'metainfo.py').write_text(f'dataset_info = {METAINFO!r}')
        (root / 'poses.json').write_text(json.dumps(perfect_poses()))
        self.toy = write_config(root / 'toy')
        self.config, self.weights = self._write_model()

    def _write_model(self) -> tuple[Path, Path]:
        config = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py')
        config.model = toys.model_config('coco', test_cfg=dict(max_per_part=3))
        config.model.head.decoder = config.codec
        config.dump(self.root / 'config.py')
        model = toys.build_in_mmpose(MODELS, config.model).eval()
        content = dict(state_dict=model.state_dict(), meta=dict(epoch=1))
        torch.save(content, self.root / 'weights.pth')
        return self.root / 'config.py', self.root / 'weights.pth'

    @functools.cached_property
    def keypoints(self) -> list[str]:
        """The names of the model's keypoints."""
        names = parse_pose_metainfo(CocoDataset.METAINFO)['keypoint_id2name']
        return [names[k] for k in sorted(names)]

    @functools.cached_property
    def light(self):
        """The model of the package that runs without PyTorch."""
        return api.load_onnx(threads=1)

    def tool(self, name: str, *words: object) -> Callable:
        main = importlib.import_module(f'pinet_mm.cli.{name}').main
        return lambda: main([str(word) for word in words])

    def checkpoints_ways(self, file: Path | str) -> dict[str, Callable]:
        """Return the ways in which weights are loaded."""
        out, work = self.out, ('--work-dir', self.out / 'work')
        resumed = self.out / 'resumed'
        return dict(
            test=self.tool('test', self.toy, file, *work),
            infer=self.tool(
                'infer', self.root / 'image.png', '--config', self.config, '--checkpoint', file,
                '--out', out, '--device', 'cpu'
            ),  # fmt: skip
            load=lambda: api.load(self.config, file, 'cpu') and None,
            compare=self.tool(
                'compare', self.root / 'images', '--model', self.config, file, '--model',
                self.config, self.weights, '--out', out, '--device', 'cpu'
            ),  # fmt: skip
            export=self.tool('export', self.config, file, out / 'a.onnx', '--size', 64, 64),
            convert=self.tool('convert', file, out / 'a.pth'),
            load_from=self.tool(
                'train', self.toy, *work, '--cfg-options', f'load_from={file}'
            ),
            resume=self._resume(file, resumed),
            resume_path=self.tool('train', self.toy, *work, '--resume', file),
            init_cfg=self.tool(
                'train', self.toy, *work, '--cfg-options',
                'model.backbone.init_cfg.type=Pretrained',
                f'model.backbone.init_cfg.checkpoint={file}',
            ),  # fmt: skip
            inferencer=lambda: MMPoseInferencer(
                pose2d=str(self.config), pose2d_weights=str(file), device='cpu'
            )
            and None,
        )  # fmt: skip

    def urls_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which weights are downloaded."""
        ways = self.checkpoints_ways(f'{address_of(self.server)}/{file.name}')
        del ways['resume']  # looks into a folder
        return ways

    def _resume(self, file: Path | str, folder: Path) -> Callable:
        run = self.tool('train', self.toy, '--work-dir', folder, '--resume')

        def call() -> int | None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            os.symlink(file, folder / 'epoch_1.pth')
            return run()

        return call

    def configs_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which configs are read."""
        work = ('--work-dir', self.out / 'work')
        return dict(
            train=self.tool('train', file, *work),
            test=self.tool('test', file, self.weights, *work),
            infer=self.tool(
                'infer', self.root / 'image.png', '--config', file, '--checkpoint', self.weights,
                '--out', self.out, '--device', 'cpu'
            ),  # fmt: skip
            load=lambda: api.load(file, self.weights, 'cpu') and None,
            compare=self.tool(
                'compare', self.root / 'images', '--model', file, self.weights, '--model',
                self.config, self.weights, '--out', self.out
            ),  # fmt: skip
            export=self.tool('export', file, self.weights, self.out / 'a.onnx'),
            browse=self.tool('browse', file, '--out', self.out),
        )  # fmt: skip

    def annotations_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which annotations are read."""
        images, info = self.root / 'images', ('--metainfo', self.root / 'metainfo.py')
        of_model = file.parent / 'coco' / file.name  # with the keypoints of the model
        return dict(
            check=self.tool('check_dataset', file, '--images', images, *info),
            outside=self.tool('check_dataset', file, '--images', images, *info, '--allow-outside'),
            fix=self.tool('check_dataset', file, '--images', images, *info, '--fix', self.out),
            fuse=self.tool(
                'fuse', self.root / 'poses.json', '--annotations', file, *info, '--out',
                self.out / 'fused.json'
            ),  # fmt: skip
            fused=self.tool('fuse', file, *info, '--out', self.out / 'fused.json'),
            compare=self.tool(
                'compare', images, '--annotations', of_model, '--model', self.config, self.weights,
                '--model', self.config, self.weights, 'model.test_cfg.part_thr=0.5', '--out',
                self.out, '--device', 'cpu'
            ),  # fmt: skip
            test=self.tool(
                'test', self.config, self.weights, '--ann', of_model, '--img', images,
                '--work-dir', self.out / 'work', '--cfg-options', 'test_dataloader.num_workers=0',
                'test_dataloader.persistent_workers=False',
            ),  # fmt: skip
        )  # fmt: skip

    def exports_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which exports of annotation tools are read."""
        out, good = self.out / 'a.json', file.parent / 'plain.xml'
        return dict(
            back=self.tool('convert_data', file, out),
            names=self.tool('convert_data', good, out, '--predictions', file),
        )

    def onnx_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which exported models are run."""
        image, out = self.root / 'image.png', ('--out', self.out)
        return dict(
            predict=self.tool('predict', image, '--model', file, *out, '--threads', 1),
            infer=self.tool('infer', image, '--onnx', file, *out, '--threads', 1),
            load=lambda: api.load_onnx(file, threads=1) and None,
            runner=lambda: onnx_runner.main(str(file), str(image)),
        )

    def images_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which images are read."""
        out = ('--out', self.out)
        data = dict(images=[dict(id=1, file_name=file.name, width=60, height=40)])
        data.update(annotations=[], categories=[dict(id=1, name='person')])

        def check() -> int | None:
            (self.out / 'a.json').write_text(json.dumps(data))
            return self.tool('check_dataset', self.out / 'a.json', '--images', file.parent)()

        return dict(
            predict=self.tool('predict', file, *out, '--threads', 1),
            api=lambda: list(api.predict(self.light, str(file))) and None,
            check=check,
        )  # fmt: skip

    def videos_ways(self, file: Path) -> dict[str, Callable]:
        """Return the ways in which videos are read."""
        return dict(predict=self.tool('predict', file, '--out', self.out, '--threads', 1))
