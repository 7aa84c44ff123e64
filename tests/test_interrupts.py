"""A program that is told to stop does so soon, even where threads or C code are at work."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from mvrecon.interrupts import ended_by_signals

def wait_in_c():
    print("begun", flush=True)
    time.sleep(60)

def clean_up():
    try:
        wait_in_c()
    finally:
        print("cleaned up", flush=True)

with ended_by_signals("how to go on"):
    if sys.argv[1] == "threads":
        with ThreadPoolExecutor(2) as pool:
            pool.submit(wait_in_c)
            pool.submit(time.sleep, 60)
    else:
        clean_up()
"""
# Of the test's own patience; the program ends after one second.
PATIENCE_S = 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", ["threads", "main"])
def test_it_ends_with_a_word_on_how_to_go_on(number: signal.Signals, work: str) -> None:
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, work],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, earlier)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.send_signal(number)
    output, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert error == "how to go on\n"
    assert (output == "cleaned up\n") == (work == "main")


def test_what_it_was_started_to_ignore_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from mvrecon.interrupts import ended_by_signals\n"
        "import os\n"
        "with ended_by_signals('x'):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "still here\n")
