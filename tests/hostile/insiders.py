"""Attacks by somebody who has read this repository: on the channel, its frames, the forks, and what answers."""

from __future__ import annotations

from tests.hostile.attack import RIGHT_CENTRE, RIGHT_SCALE, Attack

CHANNEL = r"""
import os, socket, stat, struct, sys, threading, time

wire, calls, cells = (sys.modules[f"inside.{name}"] for name in ("wire", "calls", "cells"))

def channels():
    found = []
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found.append(socket.socket(fileno=os.dup(number)))
        except OSError:
            pass
    return found

def raw(payload):
    for channel in channels():
        with channel:
            channel.sendall(len(payload).to_bytes(4, "little") + payload)

def reply_with(payload):
    "From here on every reply is this."
    packed = payload if callable(payload) else lambda tree: payload
    calls.packed = packed
"""

ARRAY = 'b"a\\x0b\\x01" + (2).to_bytes(8, "little") + bytes(16)'

FRAMES = {
    "an-array-for-a-kind": f'b"t\\x03\\x00\\x00\\x00" + {ARRAY} + b"i\\x01\\x01" + b"N"',
    "an-array-for-a-text": f'b"t\\x02\\x00\\x00\\x00" + b"s\\x07\\x00\\x00\\x00missing" + {ARRAY}',
    "colliding-keys": (
        '(lambda n: b"t\\x03\\x00\\x00\\x00s\\x06\\x00\\x00\\x00resulti\\x01\\x01d" + n.to_bytes(4, "little")'
        ' + b"".join(b"i\\x20" + (k * (2**61 - 1)).to_bytes(32, "little") + b"N" for k in range(n)))(90_000)'
    ),
    "tiny-arrays": (
        'b"t\\x03\\x00\\x00\\x00s\\x06\\x00\\x00\\x00resulti\\x01\\x01l" + (190_000).to_bytes(4, "little")'
        ' + (b"a\\x0b\\x10" + b"\\x01\\0\\0\\0\\0\\0\\0\\0" * 16 + bytes(8)) * 190_000'
    ),
    "a-wide-text": (
        'b"t\\x03\\x00\\x00\\x00s\\x06\\x00\\x00\\x00resulti\\x01\\x01s" + (60 * 2**20).to_bytes(4, "little")'
        ' + "𝄞".encode() + b"x" * (60 * 2**20 - 4)'
    ),
    "a-reference-for-a-result": 'wire.encode(("result", 1, wire.Ref(2**63, ("x", 0))))',
    "a-question-for-a-result": 'wire.encode(("ask", "centre", (wire.Ref(1),), {"x": wire.Opaque("y")}))',
    "a-flag-for-a-handle": 'wire.encode(("result", True, 1.0))',
    "nothing": 'b""',
    "an-overflowing-shape": 'b"a\\x0b\\x02" + b"\\xff" * 16',
}

RAW = tuple(
    Attack(
        f"sends-{name}",
        "be an error of ours, or hold the grader up",
        first=f"{CHANNEL}\nforged = {frame}",
        scale="def scale(x, factor):\n    reply_with(forged)",
        centre="def centre(x):\n    reply_with(forged)",
    )
    for name, frame in FRAMES.items()
)

OUTPUTS = Attack(
    "outputs-of-arrays",
    "break what keeps the outputs",
    first=f"""{CHANNEL}
import numpy as np
zeros = np.zeros(2)
cells.Notebook.run = lambda self, source, size: ("ok", [
    {{"output_type": zeros}}, {{"output_type": "stream", "name": zeros, "text": "x"}}, {{"output_type": "stream",
        "text": zeros}},
    {{"output_type": "error", "ename": zeros, "evalue": zeros, "traceback": [zeros, 1, None]}}, zeros, None,
    {{"output_type": "execute_result", "data": {{"text/plain": zeros, "image/png": zeros}}, "execution_count": zeros}},
    {{"output_type": "display_data", "data": zeros}}, {{zeros.size: zeros}}, wire.Ref(1), wire.Opaque("x")])
""",
)

STATUS = Attack(
    "status-of-an-array",
    "break what looks at a cell's result",
    first=f"""{CHANNEL}
import numpy as np
cells.Notebook.run = lambda self, source, size: (np.zeros(2), [])
""",
    scale=RIGHT_SCALE,
    centre=RIGHT_CENTRE,
    harms_itself=True,
    earned=10,
)

ACTS_LATER = r"""
import atexit, gc, signal, weakref

forged = wire.encode(("result", 1, 42.0))

def forge(*_):
    for channel in channels():
        try:
            channel.setblocking(False)
            channel.send(len(forged).to_bytes(4, "little") + forged)
        except OSError:
            pass
"""

LATER = tuple(
    Attack(
        f"forges-later-by-{name}",
        "answer a later call, or be an error of ours",
        first=CHANNEL + ACTS_LATER,
        scale=f"def scale(x, factor):\n    {source}\n    return x * factor",
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    )
    for name, source in {
        "a-thread": "[threading.Timer(n / 50, forge).start() for n in range(20)]",
        "a-child": "os.fork() or [(time.sleep(0.02), forge()) for n in range(100)] and os._exit(0)",
        "a-timer": "signal.signal(signal.SIGALRM, forge); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
        "the-garbage-collector": "gc.callbacks.append(forge); gc.set_threshold(1)",
        "its-end": "atexit.register(forge); weakref.finalize(channels, forge)",
        "a-trace": "sys.setprofile(forge); threading.setprofile(forge)",
        "returning-twice": "os.fork()",
    }.items()
)

CELLS_LATER = Attack(
    "floods-its-own-channel",
    "answer for every cell and every fork, ahead of them",
    first=f"""{CHANNEL}
if os.fork() == 0:
    pids = [("forked", pid) for pid in (1, 2, 2**31)]
    frames = [wire.encode(each) for each in (("ran", "ok", [], [], []), *pids, ("result", 1, 1.0), 1)]
    while True:
        for each in frames:
            try:
                raw(each)
            except OSError:
                os._exit(0)
""",
    scale=RIGHT_SCALE,
    centre=RIGHT_CENTRE,
    earned=10,
    harms_itself=True,
)

CHANNELS = (
    Attack(
        "sends-descriptors",
        "fill the grader with open files",
        first=f"""{CHANNEL}
def send(channel, payload):
    frame = len(payload).to_bytes(4, "little") + payload
    held = [os.open("/dev/zero", os.O_RDONLY) for _ in range(100)]
    socket.send_fds(channel, [frame[:1]], held)
    channel.sendall(frame[1:])
    for number in held:
        os.close(number)

wire.send = send
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "sends-byte-by-byte",
        "keep the grader busy with right answers that come slowly",
        first=f"""{CHANNEL}
def send(channel, payload):
    for byte in len(payload).to_bytes(4, "little") + payload:
        channel.sendall(bytes([byte]))

wire.send = send
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "replaces-its-channel",
        "put something else where the channel was",
        first=f"""{CHANNEL}
read, write = os.pipe()
for number in range(3, 64):
    if number not in (read, write):
        try:
            os.fstat(number)
            os.dup2(read, number)
        except OSError:
            pass
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "replaces-the-rows-channel",
        "put something else where the row's channel was",
        first=CHANNEL,
        scale="def scale(x, factor):\n    for number in range(3, 64): os.dup2(0, number)\n    return x * factor",
        centre=RIGHT_CENTRE,
        earned=6,
    ),
    Attack(
        "does-not-read",
        "have the grader wait until it can write",
        first=f"""{CHANNEL}
def receive(channel, deadline=None):
    time.sleep(100)

wire.receive = receive
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
        harms_itself=True,
    ),
    Attack(
        "commands-the-keeper",
        "have the keeper start or kill something",
        first=f"""{CHANNEL}
for channel in channels():
    for what in (b"K", b"S", b"W"):
        for pid in (1, 2, -1, 0):
            channel.sendall(struct.pack("<cii", what, pid, 9))
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "starts-sessions",
        "have the warm worker start another submission, with settings of its own",
        first=f"""{CHANNEL}
settings = wire.encode({{"isolate": False, "filter": b"", "memory_mb": 2**20, "processes": 10**6, "file_mb": 2**20,
                        "cpu_seconds": 10**6, "output_bytes": 2**30}})
for other in channels():
    with other:
        if other.type == socket.SOCK_SEQPACKET:
            socket.send_fds(other, [settings], [1])
            print("sent")
""",
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    ),
)

ANSWERS = (
    Attack(
        "keeps-the-reference's-answers",
        "solve an earlier row with what was answered in a later one",
        first="import os, pickle",
        scale="""
def scale(x, factor):
    try:
        with open("/tmp/kept", "rb") as file:
            return pickle.load(file)(x, factor)
    except (OSError, EOFError, TypeError):
        return x
""",
        centre="""
def centre(x):
    answer = scale(x, 1.0)
    with open("/tmp/kept", "wb") as file:
        pickle.dump(answer, file)
    return x - x.mean()
""",
        earned=6,
    ),
    Attack(
        "asks-by-force",
        "ask the reference for the row's own function, or for a thing that is none",
        first=f"""{CHANNEL}
serve = calls.RowFork.serve

def served(self):
    global row
    row = self
    serve(self)

calls.RowFork.serve = served

def ask(name, *arguments, **keywords):
    wire.send(row.channel, wire.encode(("ask", name, arguments, keywords)))
    kind, *rest = wire.receive(row.channel)
    return rest[0] if kind == "answer" else None
""",
        scale="def scale(x, factor): return x",
        centre="""
def centre(x):
    for name in ("centre", "__class__", "__dict__", "_module", "expected", "__getattr__", "np", "__builtins__", ""):
        found = ask(name, x)
        if found is not None:
            return found
    for arguments in ((2**62,), ({"generator": {}},), (wire.Ref(1),), ([[]] * 1000,), (b"", None)):
        ask("scale", *arguments)
        ask("scale", x, factor=2, out=x, where=False, dtype="object")
    return x
""",
    ),
    Attack(
        "asks-for-much",
        "have the reference take memory and time",
        first="import numpy as np",
        scale="def scale(x, factor): return x",
        centre="""
def centre(x):
    for sizes in (((30_000, 1), (1, 30_000)), ((10**4, 1, 1), (1, 10**4, 50)), ((0, 2**26), (0, 2**26))):
        try:
            scale(np.zeros(sizes[0]), np.ones(sizes[1]))
        except ValueError:
            pass
    return x
""",
    ),
    Attack(
        "many-handles",
        "have the row keep everything that it ever gave",
        first=CHANNEL,
        scale="def scale(x, factor):\n    for _ in range(50_000): calls.itertools.count()\n    return x * factor",
        centre="""
def centre(x):
    kept = [row for row in __import__("gc").get_objects() if isinstance(row, calls.RowFork)]
    for row in kept:
        row.results.clear(); row.arguments.clear(); row.handles = iter([2**70] * 100)
    return x - x.mean()
""",
        earned=4,
    ),
    Attack(
        "poisoned-builtins",
        "have what runs inside do other things",
        first=r"""
import builtins
for name in ("isinstance", "len", "type", "iter", "callable", "repr", "str", "tuple", "list", "dict"):
    setattr(builtins, name, lambda *a, **k: True)
""",
        harms_itself=True,
    ),
    Attack(
        "poisoned-modules",
        "have later imports give other modules",
        first=r"""
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        raise ImportError(name)

sys.meta_path.insert(0, Finder())
for name in list(sys.modules):
    if name.split(".")[0] in ("numpy", "socket", "struct", "inside", "traceback"):
        sys.modules[name] = None
""",
        harms_itself=True,
    ),
)

ATTACKS = (*RAW, OUTPUTS, STATUS, *LATER, CELLS_LATER, *CHANNELS, *ANSWERS)
