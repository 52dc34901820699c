"""The commands of the light runtime: none of them imports torch, and help needs nothing at all."""

import json
import subprocess
import sys
from fractions import Fraction

from pinet_mm import cli, onnx_runner
from pinet_mm.cli import finding, fuse, install_mmpose, options, predict
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.datasets.evaluation import STATISTICS
from pinet_mm.datasets.matching import MAX_POSES
from pinet_mm.environment import installing
from pinet_mm.inference.runs.video_files import VideoWriter
from pinet_mm.inference.sources.videos import video_facts

import cv2
import numpy as np
import pytest

from tests.helpers.light import BLOCKED, run_fresh, run_light

MAIN = 'import sys\nfrom pinet_mm.cli import main\n'
# What `import cv2` finds from OpenCV 5 on: the level of the log is in a module of its own.
OPENCV_5 = (
    'import cv2, types\n'
    'if hasattr(cv2, "setLogLevel"):\n'
    '    cv2.utils.logging = types.SimpleNamespace(setLogLevel=cv2.setLogLevel)\n'
    '    del cv2.setLogLevel, cv2.getLogLevel\n'
)


def test_help_of_no_command_imports_torch_or_mmpose():
    done = run_fresh(
        f'{MAIN}from pinet_mm.cli import COMMANDS\n'
        'for words in ["--help", *(f"{name} --help" for name in COMMANDS)]:\n'
        '    try:\n'
        '        main(words.split())\n'
        '    except SystemExit as ended:\n'
        '        assert ended.code == 0, words\n'
        f'assert not {set(BLOCKED)!r} & set(sys.modules), sorted(sys.modules)\n'
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('usage: pinet-mm') == 1 + len(cli.COMMANDS)


def test_help_of_predict_imports_not_even_opencv():
    done = run_fresh(
        f'{MAIN}try:\n    main(["predict", "--help"])\nexcept SystemExit:\n'
        '    print({"numpy", "cv2", "onnxruntime"} & set(sys.modules))\n'
    )
    assert done.stdout.splitlines()[-1] == 'set()', done.stderr


def test_what_help_says_is_what_the_package_has():
    assert onnx_runner.SHIPPED.name == f'{options.SHIPPED}.onnx'
    assert options.POSE_THR_HELP == (
        'by the model: {1:g} for {0}, {3:g} for {2}s'.format(
            *sum(reversed(onnx_runner.POSE_THRS.items()), ())
        )
    )
    assert tuple(STATISTICS) == fuse.IOU_TYPES and MAX_POSES == fuse.MAX_POSES


# --- predict, demo, data check -------------------------------------------------------------------


@pytest.mark.parametrize('before', ['', OPENCV_5], ids=['OpenCV of here', 'OpenCV 5'])
def test_predict_needs_no_torch(before, tmp_path):
    pytest.importorskip('onnxruntime')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((64, 96, 3), np.uint8))
    (tmp_path / 'b.png').write_bytes(b'\x89PNG')
    words = ['predict', tmp_path / 'a.png', tmp_path / 'b.png', '--threads', 1, '--all-poses']
    done = run_light(f'{before}{MAIN}main(sys.argv[1:])', *words, '--out', 'out', cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (f'error: 1 input cannot be read: {tmp_path / "b.png"}')
    assert done.stdout.startswith('model: pinet_lite_photos (photographs; ')
    assert 'overlays and predictions.json are in out' in done.stdout
    document = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    (record,) = document['images']
    assert (record['width'], record['height'], record['overlay']) == (96, 64, 'a.jpg')
    assert document['unreadable'] == [str(tmp_path / 'b.png')]
    assert len(document['keypoint_names']) == len(record['persons'][0]['keypoints']) == 17


@pytest.mark.parametrize(
    'words, message',
    [
        (['gone.jpg'], 'gone.jpg does not exist'),
        (['a.png', '--model', 'gone.onnx'], 'gone.onnx does not exist: name a file that pinet-mm'),
        (['film.mp4'], '1 input cannot be read: film.mp4'),
        (['0', '--resume'], '--resume needs files'),
        (['a.png', '--track-start', '0.4'], '--track-start is for --track'),
        (['a.png', '--model', 'a.png'], 'a.png is no ONNX file that can be run'),
    ],
)
def test_what_predict_cannot_use_is_one_sentence(words, message, tmp_path, monkeypatch):
    pytest.importorskip('onnxruntime')
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((64, 96, 3), np.uint8))
    (tmp_path / 'film.mp4').touch()
    with pytest.raises(SystemExit, match=f'^error: {message}'):
        cli.main(['predict', *words])


@pytest.mark.parametrize(
    'words, said',
    [
        ('demo --images 0', '--images: expected a number from 1 on; found 0'),
        ('demo --images=-1', '--images: expected a number from 1 on; found -1'),
        ('data browse c.py --count 0', '--count: expected a number from 1 on; found 0'),
        ('data browse c.py --seed=-1', '--seed: expected a whole number from 0 to 4294967295; fou'),
        ('data browse c.py --seed 4294967296', 'from 0 to 4294967295; found 4294967296'),
    ],
)
def test_numbers_that_make_no_sense_are_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and said in line


def test_the_largest_seed_is_one_of_numpy():
    np.random.seed([options.to_seed('4294967295'), 0])


@pytest.fixture(scope='module')
def film(tmp_path_factory):
    """A drawn crowd that stands still for six frames."""
    path = tmp_path_factory.mktemp('film') / 'film.mp4'
    crowd, *_ = draw_crowd(CrowdSettings(size=(256, 192), persons=(2, 2), height=(0.7, 0.9)), 0, 3)
    writer = VideoWriter(path, Fraction(10))
    for i in range(6):
        writer.write(crowd, i / 10)
    writer.close()
    return path


@pytest.mark.parametrize('words', [('predict', '--track'), ('track',)], ids=lambda words: words[0])
def test_videos_are_read_tracked_and_written_without_torch(film, words, tmp_path):
    words = [*words, film, '--every', 2, '--end', '0:0.5', '--pose-thr', 0.05, '--threads', 1]
    done = run_light(f'{MAIN}main(sys.argv[1:])', *words, '--out', 'out', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert [each['frame'] for each in document['images']] == [0, 2, 4]
    ids = [[person['id'] for person in each['persons']] for each in document['images']]
    assert ids[0] and ids == [sorted(ids[0])] * 3, 'the best is the first to get an id'
    assert document['videos'] == [dict(file=str(film), frames=3, overlay='film.mp4')]
    assert video_facts(tmp_path / 'out' / 'film.mp4') == (5, 3)


def test_a_video_without_pyav_is_one_line_that_names_the_extra(film, tmp_path):
    code = f'import sys\nsys.modules["av"] = None\n{MAIN}main(sys.argv[1:])'
    done = run_light(code, 'predict', film, '--threads', 1, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: videos and streams need PyAV: pip install '{installing.ROOT}[video]'"
    )
    assert 'Traceback' not in done.stderr


def test_threads_are_those_of_the_environment(monkeypatch):
    for value, threads in (('3', 3), ('2,4', 2), ('', 0), ('many', 0)):
        monkeypatch.setenv('OMP_NUM_THREADS', value)
        assert predict.make_parser().parse_args(['a.png']).threads == threads
    assert predict.make_parser().parse_args(['a.png', '--threads', '5']).threads == 5


def test_a_track_begins_at_the_score_that_is_asked_for():
    def settings(*words, score_kind='mean keypoint score'):
        args = predict.make_parser().parse_args(['a.mp4', '--track', *words])
        found = finding.make_options(args, '').tracker().settings.for_scores(score_kind)
        return found.start, found.keep

    assert settings() == (0.1, 0.05)
    assert settings(score_kind='expected OKS') == (0.4, 0.2)
    assert settings('--track-start', '0.4') == (0.4, 0.05)
    assert settings('--pose-thr', '0.3', score_kind='expected OKS') == (0.3, 0.15)
    assert settings('--pose-thr', '0.3') == (0.3, 0.15)
    assert settings('--pose-thr', '0.3', '--track-start', '0.2') == (0.2, 0.1)


def test_the_demo_needs_no_torch(tmp_path):
    pytest.importorskip('onnxruntime')
    words = ['demo', '--images', 1, '--out', 'demo', '--threads', 1]
    done = run_light(f'{MAIN}main(sys.argv[1:])', *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'now open demo/poses/overview.jpg'
    images = json.loads((tmp_path / 'demo' / 'poses' / 'predictions.json').read_text())['images']
    assert images[-1]['file'] == 'demo/crowds/images/test/000000.jpg'
    assert (tmp_path / 'demo' / 'poses' / 'overview.jpg').is_file()


def test_data_check_needs_no_torch(tmp_path):
    data = dict(images=[], annotations=[], categories=[dict(id=1, name='person')])
    (tmp_path / 'a.json').write_text(json.dumps(data))
    outputs = [
        run_light(f'{MAIN}sys.exit(main(sys.argv[1:]))', *words, 'a.json', cwd=tmp_path)
        for words in (['data', 'check'], ['check-dataset'])
    ]
    assert outputs[0].stdout and 'a.json' in outputs[0].stdout
    assert outputs[0].stdout == outputs[1].stdout and outputs[0].stderr == ''


# --- install-mmpose ------------------------------------------------------------------------------


@pytest.fixture
def ran(monkeypatch):
    """Record what would be run; it succeeds unless told otherwise."""
    ran = []

    def run(words, **_):
        ran.append(words)
        return subprocess.CompletedProcess(words, int('fails' in words))

    monkeypatch.setattr(install_mmpose.subprocess, 'run', run)
    monkeypatch.setattr(install_mmpose.shutil, 'which', lambda name: None)
    return ran


def test_mmpose_is_installed_by_a_plain_command_that_is_shown(ran, capsys):
    cli.main(['install-mmpose'])
    words = [sys.executable, '-m', 'pip', 'install', '--no-deps', 'mmpose==1.3.2']
    assert ran == [words]
    assert capsys.readouterr().out == ' '.join(words) + '\n'


def test_a_dry_run_only_shows_it(ran, capsys):
    cli.main(['install-mmpose', '--dry-run'])
    assert ran == []
    assert capsys.readouterr().out.endswith(
        f'-m pip install --no-deps mmpose=={installing.MMPOSE}\n'
    )


def test_uv_stands_in_where_there_is_no_pip(ran, monkeypatch):
    monkeypatch.setattr(install_mmpose.shutil, 'which', lambda name: '/bin/uv')
    monkeypatch.setattr(install_mmpose, '_has_pip', lambda: False)
    assert install_mmpose.install_command() == (
        ['/bin/uv', 'pip', 'install', '--python', sys.executable, '--no-deps', 'mmpose==1.3.2']
    )


def test_its_failure_is_one_sentence(ran, monkeypatch):
    monkeypatch.setattr(install_mmpose, 'install_command', lambda: ['fails'])
    with pytest.raises(SystemExit, match='^error: this command ended with status 1$'):
        cli.main(['install-mmpose'])
