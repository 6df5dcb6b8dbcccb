"""One bound on the memory of a whole submission, where control groups are delegated.

Most machines that run tests delegate none, so the test brings a kernel that does: User Mode Linux (Debian's package
``user-mode-linux``), a Linux that runs as a program, on this machine's own files.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import Limits
from autograder.sandbox import Worker, cgroup, processes

pytestmark = pytest.mark.sandbox

SECONDS = 240

BOOT = """\
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
script=$(cat {script})
mount -t proc proc /proc
mount -t sysfs sys /sys
# Not on /tmp: this repository may lie there.
mount -t tmpfs tmp /mnt && export TMPDIR=/mnt
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
echo +memory +pids > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/delegated
cd {folder}
(echo $BASHPID > /sys/fs/cgroup/delegated/cgroup.procs; exec {python} -c "$script")
halt -f -p
"""

SCRIPT = """
import json
from autograder.course import Limits
from autograder.sandbox import cgroup
from autograder.sandbox.worker import Worker

fork = '''
import os, time
for _ in range(6):
    if os.fork() == 0:
        taken = bytearray(b"1" * 60_000_000)
        time.sleep(60)
        os._exit(0)
ended = []
while len(ended) < 2:
    ended.append(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
print(ended)
'''
take = "x = bytearray(b'1' * 50_000_000)"
limits = Limits(memory_mb=200, cell_seconds=60, call_seconds=30, submission_seconds=200)
with Worker("bubblewrap", ("numpy",)) as worker:
    with worker.session(limits) as session:
        honest = session.run([take])
        kept = session.group is not None and session.group.exists()
    group = session.group
    with worker.session(limits) as session:
        greedy = session.run([fork])
        events = dict(line.split() for line in (session.group / "memory.events").read_text().splitlines())
    print("RESULT", json.dumps({
        "kept": kept,
        "removed": not group.exists(),
        "honest": honest[0].status,
        "ended": greedy[0].outputs[0]["text"],
        "kills": int(events["oom_kill"]),
    }))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a submission within its memory and one beyond it come to, on a kernel that delegates a control group."""
    kernel = shutil.which("linux.uml")
    if kernel is None:
        message = "needs User Mode Linux: `apt-get install user-mode-linux`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("uml")
    (folder / "script.py").write_text(SCRIPT)
    boot = folder / "boot"
    boot.write_text(BOOT.format(script=folder / "script.py", folder=Path(__file__).parents[2], python=sys.executable))
    boot.chmod(0o755)
    system = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "mem=1G", f"init={boot}"]
    done = subprocess.run(
        [kernel, *system, "con=null", "con0=fd:0,fd:1", "quiet", "loglevel=0", f"uml_dir={folder}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    if not done.stdout.strip() and " amx_tile " in Path("/proc/cpuinfo").read_text():
        # Nothing that CI could install: the first program ends while its registers are put back.
        pytest.skip("NEEDS A PROCESSOR WITHOUT AMX: User Mode Linux 6.1 cannot hold the registers of this one")
    raise AssertionError(done.stdout[-5000:] + done.stderr[-2000:])


def test_a_submission_within_its_memory_runs_in_a_group_that_goes_with_it(seen):
    assert (seen["honest"], seen["kept"], seen["removed"]) == ("ok", True, True)


def test_processes_that_take_more_memory_together_than_a_submission_may_are_killed(seen):
    assert seen["ended"] == "[-9, -9]\n"
    assert seen["kills"] >= 2


LEAVES = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
into_a_group = (ctypes.c_uint64 * 11)(0x2_0000_0000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
assert libc.syscall(435, into_a_group, 88) == -1
assert libc.mount(b"none", b".", b"cgroup2", 0, None) == -1
for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"):
    try:
        open(path, "w").write("0")
    except OSError:
        pass
try:
    while True:
        if os.fork() == 0:
            os.setsid()
            try:
                os.fork()
            finally:
                time.sleep(60)
except OSError:
    print("as many as it may")
"""


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
def test_a_submission_leaves_its_group_in_no_way_and_all_of_it_ends_with_it(kind):
    """Any hierarchy of version 2 that this process may write to will do, also one that bounds nothing."""
    mounts = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    places = [Path(before.split()[4]) for before, after in mounts if after.startswith("cgroup2 ")]
    writable = [place for place in places if os.access(place / "cgroup.procs", os.W_OK)]
    if os.geteuid() != 0 or not writable:
        pytest.skip("NOT TESTED: needs root and a control group (version 2) that it may write to")
    group = writable[0] / f"tests-{os.getpid()}-{kind}"
    with Worker(kind, ("numpy",)) as worker:
        with worker.session(Limits(cell_seconds=10)) as session:
            group.mkdir()
            session.group = group
            (run,) = session.run([LEAVES])
            assert run.outputs[0].get("text") == "as many as it may\n"
            theirs = processes.below(session.keeper)
            held = set(map(int, (group / "cgroup.procs").read_text().split()))
            assert theirs <= held
            assert session.keeper not in held
        assert not group.exists()


def test_without_a_delegated_group_none_is_made(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.cgroup._own_group", lambda: None)
    cgroup.delegated.cache_clear()
    assert cgroup.delegated() is None
    cgroup.delegated.cache_clear()
