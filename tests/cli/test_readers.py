"""Output that nobody reads, or that has nowhere to go, ends a command as it does other programs."""

import os
import subprocess
import sys

import pytest

from tests.helpers.tools import ROOT

BUFFERED = {**os.environ, 'PYTHONUNBUFFERED': ''}
COMMAND = (
    'import argparse\nfrom pinet_mm.cli import command\n'
    'run = lambda args: [print("line") for _ in range({})] and 3\n'
    'raise SystemExit(command(argparse.ArgumentParser, run)([]))'
)
CLI = 'from pinet_mm.cli import main\nraise SystemExit(main({}))'
DOCTOR = 'from pinet_mm import doctor\nraise SystemExit(doctor.main([]))'
UNREAD = dict(
    line=COMMAND.format(1),
    lines=COMMAND.format(9999),
    help=CLI.format(['--help']),
    help_of_command=CLI.format(['train', '--help']),
    help_of_group=CLI.format(['data', '--help']),
    version=CLI.format(['--version']),
    doctor=CLI.format(['doctor']),
    doctor_alone=DOCTOR,
)


def start(script):
    """Start a script whose reader goes before the first line comes."""
    pipe = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE)
    words = [sys.executable, '-c', f'input()\n{script}']
    process = subprocess.Popen(words, **pipe, env=BUFFERED, cwd=ROOT)
    process.stdout.close()
    process.stdin.write(b'\n')
    process.stdin.close()
    return process


@pytest.mark.parametrize('name', UNREAD)
def test_output_that_nobody_reads_ends_a_command_silently(name):
    unread = start(UNREAD[name])
    assert (unread.stderr.read(), unread.wait()) == (b'', 141)


@pytest.mark.parametrize('lines', [1, 9999])
def test_output_that_is_read_is_whole(lines):
    words = [sys.executable, '-c', COMMAND.format(lines)]
    read = subprocess.run(words, capture_output=True, env=BUFFERED, cwd=ROOT)
    assert (read.returncode, read.stdout.count(b'line')) == (3, lines)


def test_a_name_that_the_encoding_of_the_output_lacks_is_written_out():
    script = COMMAND.replace('"line"', '"é \u732b"').format(1)
    latin = dict(BUFFERED, PYTHONIOENCODING='latin-1', PYTHONUTF8='0')
    read = subprocess.run([sys.executable, '-c', script], capture_output=True, env=latin, cwd=ROOT)
    assert (read.returncode, read.stdout.strip()) == (3, b'\xe9 \\u732b'), read.stderr


def test_what_is_wrong_is_said_where_nobody_reads_the_rest():
    unread = start(CLI.format(['trian']))
    assert b'there is no command trian' in unread.stderr.read() and unread.wait() == 2


def test_a_process_without_an_output_runs_too():
    words = f'exec {sys.executable} -m pinet_mm.cli --help >&-'
    done = subprocess.run(['sh', '-c', words], capture_output=True, cwd=ROOT)
    assert done.returncode == 0 and b'Traceback' not in done.stderr
