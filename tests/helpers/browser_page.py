"""The page "Try it in the browser" and its modules, run by node or by a headless Chromium."""

import importlib.util
import json
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.method.fusion import pairwise_oks

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / 'browser'
NODE = shutil.which('node')
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
SECONDS = 400  # on a machine that has much else to do

needs_node = pytest.mark.skipif(not NODE, reason='needs node')


def load_hooks():
    """docs/hooks.py, which is in no package."""
    pytest.importorskip('mkdocs', reason="the docs need pip install '.[docs]'")
    spec = importlib.util.spec_from_file_location('docs_hooks', ROOT / 'docs' / 'hooks.py')
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return hooks


def need_runtime():
    """The folder of ONNX Runtime Web that `make docs` has fetched; tests fetch nothing."""
    hooks = load_hooks()
    if not all((hooks.CACHE / name).is_file() for name in hooks.RUNTIME_FILES):
        pytest.skip(f'needs {hooks.RUNTIME}, which make docs fetches into {hooks.CACHE.parent}')
    return hooks.CACHE


def need_browser():
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip(f'needs a browser: {", ".join(BROWSERS)}')


def draw_people(size, index=0):
    """A drawn crowd (h, w, 3), BGR, in which the shipped model finds somebody."""
    return draw_crowd(CrowdSettings(size=size, persons=(4, 6)), seed=0, index=index)[0]


def run_node(script, *arguments, lines=''):
    """Run one of the scripts and parse the lines of JSON that it prints."""
    done = subprocess.run(
        [NODE, SCRIPTS / script, *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_rgba(path, image):
    """Write an image (h, w, 3), BGR, as the bytes of a canvas."""
    opaque = np.full((*image.shape[:2], 1), 255, np.uint8)
    np.concatenate((image[..., ::-1], opaque), axis=-1).tofile(path)
    return path


def compare(persons, wanted, sigmas, least=0.1):
    """Compare persons of the page with an answer of `OnnxPoses`.

    Returns the OKS and the difference of scores of everybody in the answer who scores `least`.
    """
    found = np.array([person['keypoints'] for person in persons]).reshape(len(persons), -1, 3)
    clear = wanted['scores'] >= least
    oks = pairwise_oks(
        torch.from_numpy(wanted['keypoints'][clear]).double(),
        torch.tensor(sigmas, dtype=torch.double),
        torch.from_numpy(found[..., :2]),
    ).numpy()
    scores = np.array([person['score'] for person in persons])
    best = oks.argmax(axis=1)
    return oks.max(axis=1), np.abs(scores[best] - wanted['scores'][clear])


# --- a browser -----------------------------------------------------------------------------------


def build_page(folder, images):
    """Write the page, without its theme, the files that it needs and the images to find."""
    hooks = load_hooks()
    added, facts = hooks.added_files()
    shutil.copytree(ROOT / 'docs' / 'assets', folder / 'assets')
    for place, source in added.items():
        (folder / hooks.PLACE / place).parent.mkdir(exist_ok=True)
        shutil.copy(source, folder / hooks.PLACE / place)
    (folder / hooks.PLACE / 'site.json').write_text(json.dumps(facts))
    text = (ROOT / 'docs' / hooks.PAGE).read_text()
    (controls,) = re.findall(r'^<link.*</script>$', text, flags=re.S | re.M)
    (folder / 'try.html').write_text(f'<!doctype html>\n<meta charset="utf-8">\n{controls}')
    for name in ('watch.html', 'troubles.html'):
        shutil.copy(SCRIPTS / name, folder)
    (folder / 'images.json').write_text(json.dumps(images))


class _Watched(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.server.found = self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(204)
        self.end_headers()
        self.server.answered.set()


def watch(browser, folder, profile, page='watch.html'):
    """Open a page of `build_page`'s folder in a headless browser, and return what it posts.

    The browser finds no other host than the one that serves the folder.
    """
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(_Watched, directory=folder))
    server.answered = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [
        browser,
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--remote-debugging-port=0',
        f'--user-data-dir={profile}',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
        f'http://127.0.0.1:{server.server_port}/{page}',
    ]
    with open(profile / 'said.txt', 'w') as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        if not server.answered.wait(SECONDS):
            pytest.fail(f'no answer of {browser}: {(profile / "said.txt").read_text()[-2000:]}')
    finally:
        process.terminate()
        process.wait()
        server.shutdown()
        server.server_close()
    return json.loads(server.found)
