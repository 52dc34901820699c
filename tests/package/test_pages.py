"""README and docs: every file, command, option, setting and function that they name exists."""

import ast
import inspect
import json
import re
from dataclasses import fields as fields_of
from pathlib import Path

from pinet_mm import PINetCodec
from pinet_mm.models.test_cfg import TestSettings

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / 'pinet_mm'
DOCS = ROOT / 'docs'
PAGES = [*sorted(ROOT.glob('*.md')), *sorted(DOCS.rglob('*.md'))]
README = (ROOT / 'README.md').read_text()
# Options of pip, docker, mim and argparse; all others must be ours.
OTHERS = {'--no-deps', '--shm-size', '--checkpoint', '--help', '--gpus', '--ipc', '--rm', '--user'}

every_page = pytest.mark.parametrize(
    'page', PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES]
)


def blocks(text, language):
    """Code blocks of one language in a page."""
    return re.findall(rf'```{language}\n(.*?)```', text, flags=re.S)


def made_targets(text):
    """Targets that a page makes, in its commands and in `code`; no options, no variables."""
    shell = '\n'.join((*blocks(text, 'shell'), *blocks(text, 'bash')))
    lines = re.findall(r'(?:^|&&|;)[ ]*make((?: [^\s#;&]+)+)', shell, flags=re.M)
    lines += re.findall(r'`make ([^`]+)`', text)
    words = [word for line in lines for word in line.split()]
    return {word for word in words if re.fullmatch(r'[a-z][a-z-]*', word)}


def targets_of(makefile):
    """Names of the targets that a Makefile has."""
    return set(re.findall(r'^([a-z][a-z-]*):', makefile, flags=re.M))


@every_page
def test_files_that_a_page_names_exist(page):
    text = page.read_text()
    folders = 'configs|tools|pinet_mm|docs|tests|checkpoints'
    named = set(re.findall(rf'`((?:{folders})/[\w./-]+)`', text))
    # A folder of the package may stand without its name.
    found = [name for name in named if (ROOT / name).exists() or (PACKAGE / name).exists()]
    assert not named.difference(found)


@every_page
def test_links_of_a_page_lead_to_files(page):
    for link in re.findall(r'\]\(((?!http|#)[^)#]+)', page.read_text()):
        assert (page.parent / link).exists(), link


@every_page
def test_commands_of_a_page_name_real_tools_configs_and_targets(page):
    text = page.read_text()
    shell = '\n'.join(blocks(text, 'shell'))
    named = set(re.findall(r'(?<![\w/.-])(?:tools|configs)/[\w.-]+', shell))
    written = set(re.findall(r'^# (configs/[\w.-]+)$', text, flags=re.M))  # by the page itself
    assert not [path for path in named - written if not (ROOT / path).exists()]
    for module in re.findall(r'python -m (pinet_mm[\w.]*)', text):
        assert (ROOT / f'{module.replace(".", "/")}.py').exists(), module
    assert made_targets(text) <= targets_of((ROOT / 'Makefile').read_text())


def test_a_target_is_read_whole():
    page = (
        'Run `make bench` or\n```shell\nmake demo-train  # minutes\nmake PYTHON=/a/b -j 2 lint\n'
        'cd x && make wheel && make clean\n```\nand make do.\n'
    )
    assert made_targets(page) == {'bench', 'demo-train', 'lint', 'wheel', 'clean'}
    # demo-train went, demo stays.
    makefile = 'PYTHON := python3\ndemo: setup\n\tmake it\nbench lint:\nwheel:\nclean: ; rm x\n'
    assert targets_of(makefile) == {'demo', 'wheel', 'clean'}
    assert 'demo-train' in made_targets(page) - targets_of(makefile)
    assert made_targets(README) >= {'demo', 'demo-train', 'test'}


@every_page
def test_options_that_a_page_names_exist(page):
    code = ''.join(
        path.read_text()
        for name in ('tools', 'pinet_mm', 'tests/helpers')
        for path in (ROOT / name).rglob('*.py')
    )
    for option in set(re.findall(r'(?<![\w-])--[a-z][\w-]+', page.read_text())) - OTHERS:
        # tools/ablation.py makes some of its options from names of fields.
        field = option.removeprefix('--').replace('-', '_')
        assert f"'{option}'" in code or f"('{field}', " in code, option


@every_page
def test_settings_that_a_page_names_exist(page):
    text = page.read_text()
    settings = {field.name for field in fields_of(TestSettings)}
    assert set(re.findall(r'\btest_cfg\.(\w+)', text)) <= settings
    codec = set(inspect.signature(PINetCodec).parameters)
    assert set(re.findall(r'\bcodec\.(\w+)(?!\w*\.py)', text)) - {'py'} <= codec


@every_page
def test_rows_of_a_page_belong_to_a_table(page):
    text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.S | re.M)
    for table in re.findall(r'(?:^\|.*\n?)+', text, flags=re.M):
        rows = table.splitlines()
        assert len(rows) > 2 and re.fullmatch(r'[|:-]+', rows[1]), table
        assert len({row.count('|') for row in rows}) == 1, table


@every_page
def test_python_of_a_page_parses(page):
    for code in blocks(page.read_text(), 'python'):
        ast.parse(code)


def test_functions_that_the_readme_names_are_where_it_says():
    rows = re.findall(r'^\| .*? \| (`.*?`) \| (`\w+/.*?`) \|$', README, flags=re.M)
    assert len(rows) >= 9
    for names, files in rows:
        known = {name for file in quoted(files) for name in defined(PACKAGE / file)}
        assert set(quoted(names)) <= known, names


def quoted(text):
    """What stands between backticks."""
    return re.findall(r'`(.*?)`', text)


def test_every_module_is_in_the_map():
    text = (DOCS / 'method.md').read_text()
    modules = {
        path.name + ('/' if path.is_dir() else '')
        for path in PACKAGE.iterdir()
        if not path.name.startswith(('_', '.')) and path.name != 'py.typed'
    }
    assert not [name for name in modules if f'`{name}`' not in text]
    named = set(re.findall(r'(?<=[|,] )`(\w+/|\w+\.py)`', text.split('## The package')[1]))
    assert not [name for name in named if not (PACKAGE / name).exists()]


def test_every_page_is_in_the_navigation_and_every_module_of_the_api_exists():
    site = (ROOT / 'mkdocs.yml').read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob('*.md')}
    listed = set(re.findall(r'^ +- .*: ([\w/]+\.md)$', site, flags=re.M))
    assert listed == {page for page in pages if not page.startswith('ablation/')}
    modules = {
        module
        for page in (DOCS / 'api').glob('*.md')
        for module in re.findall(r'^::: (\S+)$', page.read_text(), flags=re.M)
    }
    assert len(modules) >= 20
    for module in modules:
        path = ROOT / module.replace('.', '/')
        assert path.with_suffix('.py').exists() or (path / '__init__.py').exists(), module


def test_the_example_of_own_keypoints_builds(tmp_path, monkeypatch):
    (code,) = re.findall(
        r'```python\n(# besides.*?)```', (DOCS / 'custom_dataset.md').read_text(), flags=re.S
    )
    names = ['nose', 'left_ear', 'right_ear', 'neck', 'tail']
    swaps = ['', 'right_ear', 'left_ear', '', '']
    info = dict(
        dataset_name='mouse',
        paper_info={},
        skeleton_info={},
        joint_weights=[1.0] * 5,
        sigmas=[0.05] * 5,
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap=swap)
            for i, (name, swap) in enumerate(zip(names, swaps))
        },
    )
    (tmp_path / 'data' / 'mouse').mkdir(parents=True)
    (tmp_path / 'data' / 'mouse' / 'metainfo.py').write_text(f'dataset_info = {info}')
    monkeypatch.chdir(tmp_path)
    settings = {}
    exec(code, settings)
    codec = PINetCodec((64, 64), (16, 16), layout=settings['layout'])
    assert codec.layout.parts == ((0, 1, 2), (3, 4))
    assert codec.layout.part_flip_indices == (0, 1)


def example_of(title):
    """The config in training.md whose first line is a comment that begins so."""
    text = (DOCS / 'training.md').read_text()
    (code,) = re.findall(rf'```python\n# {title}.*?\n(.*?)```', text, flags=re.S)
    return code


def test_the_example_of_any_backbone_builds(tmp_path):
    code = example_of('any backbone')
    (tmp_path / 'config.py').write_text(code.replace("['", f"['{ROOT}/configs/"))
    config = Config.fromfile(tmp_path / 'config.py')
    config.model.backbone.init_cfg = None  # nothing is downloaded
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)  # checks channels and strides
    assert model.backbone.strides == (4, 8, 16, 32)
    assert model.head.codec.stride == 4


def test_the_example_of_pinet_2_builds(tmp_path):
    code = example_of('PINet-2 of my model')
    mine = f'{ROOT}/configs/pinet_hrnet-slim_ablation.py'
    code = code.replace('my_config.py', mine).replace(
        "'pinet2.py", f"'{ROOT}/configs/_base_/pinet2.py"
    )
    (tmp_path / 'config.py').write_text(code)
    with DefaultScope.overwrite_default_scope('mmpose'):
        head = MODELS.build(Config.fromfile(tmp_path / 'config.py').model).head
    assert (head.refinement.num_passes, head.refinement.context) == (2, (2, 4))
    assert type(head.offset_loss).__name__ == type(head.refine_loss).__name__ == 'SmoothOKSLoss'


def test_the_example_of_a_score_builds(tmp_path):
    code = example_of('a score for my model')
    mine = f'{ROOT}/configs/pinet_hrnet-slim_crowdsynth.py'
    (tmp_path / 'config.py').write_text(code.replace('my_config.py', mine))
    config = Config.fromfile(tmp_path / 'config.py')
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)
        sample = DATASETS.build(config.train_dataloader.dataset)[0]
    assert model.head.refinement.score is not None
    assert 'area' in sample['data_samples'].metainfo
    assert config.optim_wrapper.optimizer == dict(type='AdamW', lr=2e-3, weight_decay=0.3)
    assert [each.type for each in config.param_scheduler] == ['LinearLR', 'CosineAnnealingLR']
    assert (config.train_cfg.max_epochs, config.train_dataloader.batch_size) == (1, 1)


# --- docs/conventions.md, docs/method.md ---------------------------------------------------------


def defined(path):
    """Names of a module's functions, classes, and their methods and fields as Class.name."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
            for child in node.body if isinstance(node, ast.ClassDef) else ():
                name = getattr(child, 'name', None) or getattr(
                    getattr(child, 'target', None), 'id', ''
                )
                yield f'{node.name}.{name}'


@pytest.mark.parametrize('page', ['conventions.md', 'method.md'])
def test_code_that_the_tables_name_exists(page):
    named = re.findall(r'`([\w/]+\.py):([\w.]+)`', (DOCS / page).read_text())
    assert len(set(named)) >= 20
    assert not [(file, name) for file, name in named if name not in defined(PACKAGE / file)]


# --- docs/model_card.md, docs/photos_coco_ids.json -----------------------------------------------


def test_the_card_counts_the_listed_images_of_coco():
    listed = json.loads((ROOT / 'docs' / 'photos_coco_ids.json').read_text())
    trained, validation = listed['train'], listed['validation']
    assert {name: len(ids) for name, ids in trained.items()} == dict(
        train2017=160, val2017=427, split_not_recorded=367
    )
    assert {name: len(ids) for name, ids in validation.items()} == dict(train2017=84, val2017=36)
    flat = [[number for ids in part.values() for number in ids] for part in (trained, validation)]
    assert len({*flat[0], *flat[1]}) == 954 + 120, 'no image is in both, and none twice'
    card = ' '.join((ROOT / 'docs' / 'model_card.md').read_text().split())
    assert '| COCO train2017 and val2017 | 452 |' in card and 452 + 502 == 954
    assert '| COCO, without labeled keypoints | 502, 36 of them with people' in card
    for text in (
        'COCO val2017: at least 427 of its images were trained on',
        '36 validation images are of it too',
        'the 120 of validation',
        'for 367 of those without labeled keypoints it is not recorded',
    ):
        assert text in card, text
