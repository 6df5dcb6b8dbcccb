"""Cells that take what neighbours need, for some seconds, and an honest one that needs all of it."""

HOLDS = 1.5

_START = """
import array, ctypes, fcntl, glob, os, signal, socket, threading, time
end = time.monotonic() + HOLDS
def forks(number):
    for _ in range(number):
        try:
            if os.fork() == 0:
                return True
        except OSError:
            break
    return False
def hold():
    while time.monotonic() < end:
        time.sleep(0.05)
"""

_SOURCES = {
    "processes": """
if forks(200):
    hold()
    os._exit(0)
hold()
""",
    "threads": """
try:
    while True:
        threading.Thread(target=hold, daemon=True).start()
except RuntimeError:
    hold()
""",
    "processors": """
if forks(60):
    os.setsid()
    while time.monotonic() < end:
        pass
    os._exit(0)
hold()
""",
    "memory": """
if forks(60):
    taken = [bytearray(b"1" * 2**20) for _ in range(45)]
    hold()
    os._exit(0)
hold()
""",
    "disk": """
kept = []
try:
    while True:
        kept.append(os.open("large", os.O_CREAT | os.O_RDWR))
        os.unlink("large")
        for _ in range(8):
            os.write(kept[-1], bytes(2**20))
except OSError:
    hold()
""",
    "pipes": """
inner = forks(20)
kept = []
try:
    while True:
        kept += os.pipe()
        fcntl.fcntl(kept[-1], fcntl.F_SETPIPE_SZ, 2**20)
except OSError:
    pass
try:
    while True:
        kept += os.pipe()
except OSError:
    hold()
if inner:
    os._exit(0)
""",
    "files in flight": """
inner = forks(20)
pairs = [socket.socketpair() for _ in range(50)]
opened = array.array("i", [0] * 250)
while time.monotonic() < end:
    for one, _ in pairs:
        try:
            one.setblocking(False)
            one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, opened)])
        except OSError:
            pass
if inner:
    os._exit(0)
""",
    "watches": """
libc = ctypes.CDLL(None)
while libc.inotify_init1(0) >= 0:
    pass
hold()
""",
    "signals": """
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
while libc.sigqueue(os.getpid(), signal.SIGRTMIN, ctypes.c_void_p()) == 0:
    pass
hold()
""",
    "locks": """
kept = []
for name in glob.glob(os.path.dirname(os.__file__) + "/*.py")[:200]:
    kept.append(os.open(name, os.O_RDONLY))
    for take in (lambda: fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB),
                 lambda: fcntl.fcntl(kept[-1], fcntl.F_SETLEASE, fcntl.F_WRLCK)):
        try:
            take()
        except OSError:
            pass
hold()
""",
}

HOGS = {name: _START.replace("HOLDS", str(HOLDS)) + source for name, source in _SOURCES.items()}

HONEST = """
import concurrent.futures, os, time
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(abs, range(9))) == 36
for number in range(6):
    with open(f"own{number}", "wb") as file:
        file.write(bytes(2**20))
memory = bytearray(60_000_000)
memory[::4096] = b"1" * len(memory[::4096])
pid = os.fork()
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
ends = os.pipe()
os.write(ends[1], bytes(60_000))
assert len(os.read(ends[0], 60_000)) == 60_000
import wave, sqlite3, numpy.testing
begun = time.process_time()
while time.process_time() < begun + 0.3:
    pass
NEEDS = True
"""
"""Memory, processes, threads, files, a pipe with much in it, libraries that were not loaded yet, and a processor."""
