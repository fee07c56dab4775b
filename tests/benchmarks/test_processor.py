import os
import subprocess
import sys
import time

from benchmarks import processor


def test_time_spent_by_children_counts_while_they_run_and_after() -> None:
    before = processor.seconds_of_tree(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint('burnt', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while_running = processor.seconds_of_tree(os.getpid()) - before
        assert processor.resident_bytes_of_tree(child.pid) > 1_000_000
        child.communicate(b"\n")

    afterwards = processor.seconds_of_tree(os.getpid()) - before
    assert while_running >= 0.25
    assert afterwards >= while_running - 0.02, "the kernel counts in hundredths, user and system time apart"


def test_time_spent_is_of_the_process_itself_too() -> None:
    before = processor.times(os.getpid()).own
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass

    assert processor.times(os.getpid()).own - before >= 0.15


def test_what_has_ended_has_no_descendants_but_itself() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert list(processor.descendants(child.pid)) == [child.pid]
    assert processor.seconds_of_tree(child.pid) == 0
