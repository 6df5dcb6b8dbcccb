"""Each limit of a submission: that it holds, and what the student is told."""

import textwrap

import pytest

from autograder.base import Stopped
from autograder.course import Limits
from autograder.grading import Grader
from autograder.sandbox import Worker, protocol
from autograder.submission import read_submission
from tests.courses import cell, make_course, untouched, write

pytestmark = pytest.mark.sandbox

LIMITS = Limits(
    cell_seconds=10, call_seconds=2, submission_seconds=60, memory_mb=256, processes=12, file_mb=4, output_kb=4
)


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def worker(request):
    with Worker(request.param, ("numpy",)) as worker:
        yield worker


@pytest.fixture
def session(worker):
    with worker.session(LIMITS) as session:
        yield session


def error_of(session, source: str) -> str:
    """The exception that a cell ends in, with its text."""
    (run,) = session.run([textwrap.dedent(source)])
    (output,) = [output for output in run.outputs if output["output_type"] == "error"]
    return f"{output['ename']}: {output['evalue']}"


def test_memory_is_bounded_and_the_student_gets_a_memory_error(session):
    assert error_of(session, "x = [bytearray(2**26) for _ in range(8)]").startswith("MemoryError")


def test_memory_is_bounded_in_a_call_too(session):
    session.run(["def take(): return len(bytearray(2**30))"])
    with session.row() as row:
        reply = row.exchange(protocol.Call("take", (), {}), "take")
    assert isinstance(reply, protocol.Raised)
    assert reply.type == "MemoryError"


def test_processes_are_bounded(session):
    source = """
        import os, time
        for _ in range(64):
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
    """
    assert error_of(session, source) == "BlockingIOError: [Errno 11] Resource temporarily unavailable"


def test_threads_are_bounded(session):
    source = """
        import threading, time
        for _ in range(64):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    """
    assert error_of(session, source) == "RuntimeError: can't start new thread"


def test_processor_time_is_bounded_and_the_student_is_told(session):
    """The bound is the whole submission's; the cell sets itself a lower one, so that the test need not wait for it."""
    source = """
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
        while True:
            pass
    """
    assert error_of(session, source) == "Python ended: It used more processor time than the whole submission may."


def test_a_bound_cannot_be_raised(session):
    source = "import resource; resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)"
    assert error_of(session, source).startswith("ValueError: not allowed to raise maximum limit")


def test_the_size_of_a_file_is_bounded(session):
    assert error_of(session, "open('large', 'wb').write(bytes(5 * 2**20))") == "OSError: [Errno 27] File too large"


def test_open_files_are_bounded(session):
    assert error_of(session, "kept = [open('/dev/null') for _ in range(1000)]").startswith("OSError: [Errno 24]")


def fresh() -> Worker:
    return Worker("bubblewrap", ("numpy",))


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_all_files_together_are_bounded(folder):
    source = f"for i in range(9):\n    with open(f'{folder}/{{i}}', 'wb') as file: file.write(bytes(2**20))"
    with fresh() as worker, worker.session(LIMITS) as session:
        assert error_of(session, source) == "OSError: [Errno 28] No space left on device"


def test_the_number_of_files_is_bounded():
    with fresh() as worker, worker.session(LIMITS) as session:
        source = "for i in range(100_000): open(f'/tmp/{i}', 'w').close()"
        assert error_of(session, source).startswith("OSError: [Errno 28] No space left on device")


@pytest.mark.parametrize("fill", ["open(str(i), 'wb').write(bytes(2**20))", "open(str(i), 'w').close()"])
def test_without_a_file_system_of_its_own_a_submission_that_writes_too_much_is_ended(fill):
    with Worker("landlock", ("numpy",)) as worker, worker.session(LIMITS) as session:
        (run, after) = session.run([f"for i in range(10**6): {fill}", "import os; print(os.listdir('.'))"])
    assert run.status == "died"
    assert after.outputs[0]["text"] == "[]\n"


@pytest.mark.parametrize(
    "result",
    ["np.zeros(2**24)", "[np.zeros(2**20)] * 20", "list(range(300_000))", "'x' * 2**27"],
    ids=["array", "arrays", "parts", "text"],
)
def test_what_a_call_gives_back_is_bounded_in_bytes_and_parts(worker, result):
    with worker.session(Limits(memory_mb=1024)) as session:
        session.run([f"import numpy as np\ndef give(): return {result}"])
        with session.row() as row:
            assert isinstance(row.exchange(protocol.Call("give", (), {}), "give"), protocol.TooLarge)


def test_what_a_call_gives_back_is_bounded_in_depth(session):
    session.run(["def give():\n    tree = []\n    for _ in range(100): tree = [tree]\n    return tree"])
    with session.row() as row:
        assert isinstance(row.exchange(protocol.Call("give", (), {}), "give"), protocol.TooLarge)


def test_a_process_that_sleeps_in_a_call_is_stopped_by_the_clock(session):
    session.run(["import time\ndef rest(): time.sleep(60)"])
    with session.row() as row, pytest.raises(Stopped, match="did not finish within 2 seconds"):
        row.exchange(protocol.Call("rest", (), {}), "rest")


def test_a_submission_that_hangs_wherever_it_can_costs_no_more_than_its_limit(tmp_path):
    """Every cell and every function hangs, in ways that cannot be interrupted: the limit, and a constant, is all."""
    root = make_course(tmp_path)
    config = root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("submission_seconds: 20", "submission_seconds: 6"))
    hang = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    tree = untouched()
    for each in tree["cells"]:
        if each["id"] in ("scale", "centre"):
            each["source"] = f"def {each['id']}(*arguments):\n    while True: pass"
    tree["cells"] += [cell(f"{hang}  # {number}") for number in range(50)]
    from autograder.course import load_course

    assignment = load_course(root).assignment("warmup")
    with Grader() as grader:
        grader.prepare(assignment)
        report = grader.grade(read_submission(write(tmp_path / "hang.ipynb", tree), assignment), assignment)
    assert (report.errored, report.score) == (False, 0)
    # Of 6 seconds, cells of 2 seconds use three, or a fourth that begins just before the end.
    hung = [run.status for run in report.cells if run.status in ("timeout", "skipped")]
    assert 1 <= hung.count("timeout") <= 4
    assert hung[-1] == "skipped"
