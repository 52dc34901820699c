"""The page "Try it in the browser" finds whom the runner in Python finds."""

import json
import re
import shutil
from pathlib import Path

from pinet_mm.cli.demo import find_photographs
from pinet_mm.onnx_runner import SHIPPED, OnnxPoses, describe, fit, read_image

import cv2
import numpy as np
import pytest

from tests.helpers.browser_page import (
    ROOT,
    build_page,
    compare,
    draw_people,
    need_browser,
    need_runtime,
    needs_node,
    run_node,
    watch,
    write_rgba,
)

KINDS = (('BottomupResize', (320, 320), 64), ('WholeCentreResize', (128, 128), 64))


@pytest.fixture
def opened(tmp_path):
    """Return a browser, and folders for the site and for the browser's profile."""
    browser = need_browser()
    need_runtime()
    folders = tmp_path / 'site', tmp_path / 'profile'
    for folder in folders:
        folder.mkdir()
    return browser, *folders


@needs_node
def test_the_page_resizes_as_opencv_does(tmp_path):
    # Larger and smaller than the input, of all shapes; noise, since it shows a shift of 1/32 pixel.
    sizes = [(640, 480), (317, 211), (90, 141), (501, 500), (128, 128), (300, 40)]
    draw = np.random.default_rng(0).integers
    lines, wanted = [], []
    for i, (w, h) in enumerate(sizes):
        image = draw(0, 256, (h, w, 3)).astype(np.uint8)
        for kind, size, multiple in KINDS:
            file = write_rgba(tmp_path / f'{kind}{i}', image)
            resize = dict(kind=kind, size=size, multiple=multiple)
            lines.append(json.dumps([resize, w, h, str(file)]))
            frame, warp = fit((w, h), **resize)
            warped = cv2.warpAffine(image, warp, frame.size_in, flags=cv2.INTER_LINEAR)
            wanted.append((file, frame.size_in, warped[..., ::-1].transpose(2, 0, 1)))
    sides = run_node('cut.mjs', lines='\n'.join(lines))
    for (file, size_in, expected), found in zip(wanted, sides):
        assert tuple(found) == size_in, file
        cut = np.fromfile(f'{file}.input', np.float32).reshape(expected.shape)
        # OpenCV's matrix has a rounding error, which moves a position to the next 1/32 pixel.
        assert (cut != expected).mean() < 1e-3, file
        assert np.abs(cut - expected).max() <= 16, file


@needs_node
def test_the_page_reads_onnx_files_and_declares_outputs(tmp_path):
    onnx = pytest.importorskip('onnx')
    file = tmp_path / 'model.onnx'
    shutil.copy(SHIPPED, file)
    written = onnx.load(file)
    name = written.graph.node[30].output[0]
    ((facts, values),) = run_node('onnx.mjs', file, name, 'ü')
    assert facts == {each.key: each.value for each in written.metadata_props}
    assert set(values) == {output for node in written.graph.node for output in node.output}
    longer = onnx.load(f'{file}.more')
    assert [each.name for each in longer.graph.output][4:] == [name, 'ü']
    del longer.graph.output[4:]
    assert longer == written


@needs_node
def test_the_tag_stands_above_the_forehead():
    def pose(height):
        return dict(score=0.5, keypoints=[[200, 150, 1], [210, 150 + height, 1], [200, 0, 0]])

    small, large = run_node('tag.mjs', lines='\n'.join(json.dumps(pose(h)) for h in (50, 200)))
    assert small[1] - large[1] == pytest.approx(0.1 * (200 - 50)), 'a tenth of the person'
    assert large[1] + large[3] < 150 - 0.1 * 200


@needs_node
def test_the_modules_find_whom_the_runner_finds(tmp_path):
    runtime, runner, answers = need_runtime(), OnnxPoses(SHIPPED, threads=1), []
    files = []
    for i, size in enumerate([(160, 128), (128, 200)]):
        image = draw_people(size, i)
        answers.append(runner(image))
        files.append(write_rgba(tmp_path / f'{i}.rgba', image))
        Path(f'{files[-1]}.json').write_text(json.dumps(dict(width=size[0], height=size[1])))
    clear = 0
    for found, wanted in zip(run_node('find.mjs', runtime, SHIPPED, *files), answers):
        assert len(found['people']) == len(wanted['scores'])
        oks, differences = compare(found['people'], wanted, runner.dataset_meta['sigmas'])
        assert (oks > 0.9999).all() and (differences < 1e-4).all()
        clear += len(oks)
        check_proposals(found)
    assert clear >= 3


def check_proposals(found):
    """Check that every keypoint of a person is one of a proposal: fusion takes the best."""
    people, proposals = (
        np.array([each['keypoints'] for each in found[name]])[..., :2]
        for name in ('people', 'proposals')
    )
    apart = np.abs(people[:, None] - proposals[None]).max(axis=-1).min(axis=1)
    assert (apart < 1e-2).all()
    assert len(proposals) > len(people)
    assert {pose['part'] for pose in found['proposals']} == {0, 1, 2}


def with_margin(image):
    """Return a portrait on gray, where the person is as small as those whom the model knows."""
    margin = round(0.67 * min(image.shape[:2]))
    return cv2.copyMakeBorder(image, *[margin] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127))


def test_a_browser_finds_whom_the_runner_finds(opened):
    browser, site, profile = opened
    photographs = find_photographs()
    images = [*(f'{file.stem}.png' for file in photographs), 'crowd.png']
    build_page(site, images)
    for file in photographs:
        cv2.imwrite(str(site / f'{file.stem}.png'), with_margin(cv2.imread(str(file))))
    cv2.imwrite(str(site / 'crowd.png'), draw_people((320, 240)))
    answers = watch(browser, site, profile)
    assert 'error' not in answers, answers
    assert answers['model'] == f'{describe(SHIPPED)[0].replace("model", "Model", 1)}.'
    runner, clear = OnnxPoses(SHIPPED), 0
    for name in images:
        wanted, answer = runner(read_image(site / name)), answers[name]
        sigmas = runner.dataset_meta['sigmas']
        # Those who are hardly found agree as well.
        for least in (0.1, 0.02):
            oks, differences = compare(answer['found']['persons'], wanted, sigmas, least)
            assert (oks >= 0.98).all() and (differences <= 0.02).all(), (name, oks, differences)
        count = int((wanted['scores'] >= 0.4).sum())
        people = '1 person' if count == 1 else f'{count} people'
        assert answer['said'].startswith(f'{people} with a score of at least 0.4; '), answer['said']
        assert re.match(r'\d+ poses before fusion with a score', answer['before']), answer['before']
        clear += count
    assert clear >= 2 + len(photographs)


def test_the_page_tells_what_is_missing_and_goes_on(opened):
    browser, site, profile = opened
    build_page(site, [])
    cv2.imwrite(str(site / 'crowd.png'), draw_people((160, 128)))
    answers = watch(browser, site, profile, 'troubles.html')
    assert 'error' not in answers, answers
    assert re.fullmatch(r'Error: this site has no \S+\.\w+', answers['noExample']), answers
    assert answers['noServer'] == 'Error: Failed to fetch'
    assert answers['noModel'] == 'Error: the site has no model' and answers['terminated']
    assert 'in this browser' in answers['again'], 'the next image loads the model again'
    # The camera comes too late: its tracks are stopped, and the image stays.
    assert answers['pending'] and 'in this browser' in answers['chosen'] and answers['still']
    assert answers['tracks'] == ['ended'] and answers['button'] == 'Use the camera'


def test_nothing_on_the_page_names_another_site():
    for file in (ROOT / 'docs' / 'assets' / 'try').iterdir():
        assert '//' not in file.read_text().replace('// ', ''), file.name
