"""Notebooks that try to get marks, to break the grader, or to look around: each a source with the effect it seeks."""

from tests.hostile.attack import RIGHT_CENTRE, RIGHT_SCALE, Attack

# What gives full marks with nbgrader and otter-grader (see docs/security.md): none of it solves anything here.

KNOWN = (
    Attack(
        "ast-transformer",
        "empty the cells that check",
        first="""
import ast

class Emptied(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = []
        return node

get_ipython().ast_transformers.append(Emptied())
""",
    ),
    Attack(
        "input-transformer",
        "empty the cells that check, before they are parsed",
        first="get_ipython().input_transformers_cleanup.append(lambda lines: [])",
    ),
    Attack(
        "run-ast-nodes",
        "let every later cell succeed without running it",
        first="""
async def nothing(*arguments, **keywords):
    return False

get_ipython().run_ast_nodes = nothing
type(get_ipython()).run_ast_nodes = nothing
""",
    ),
    Attack(
        "run-cell",
        "report every cell as a success",
        first="""
import sys, types

cells = sys.modules["inside.cells"]
cells.Notebook.run = lambda self, source, size: ("ok", [])
""",
    ),
    Attack(
        "displayhook",
        "pass for a score that nbgrader reads from an output",
        scale="import sys\nsys.displayhook(4.0)\ndef scale(x, factor): return 4.0",
        centre="6.0",
    ),
    Attack(
        "numpy-testing",
        "let every comparison succeed",
        first="""
import numpy as np
import numpy.testing

for name in dir(numpy.testing):
    if name.startswith("assert"):
        setattr(numpy.testing, name, lambda *a, **k: None)
for name in ("allclose", "isclose", "array_equal", "array_equiv", "all", "any", "isfinite"):
    setattr(np, name, lambda *a, **k: True)
""",
        scale="def scale(x, factor): return x * 0",
        centre="def centre(x): return x",
    ),
    Attack(
        "own-numpy",
        "put a numpy.py in the way of the grader's",
        first="""
import os, sys

for folder in ("/tmp", "/dev/shm", "."):
    for name in ("numpy", "autograder", "pytest", "sitecustomize", "usercustomize", "inside"):
        with open(os.path.join(folder, name + ".py"), "w") as file:
            file.write("def allclose(*a, **k): return True\\nassert_allclose = allclose\\n")
sys.path.insert(0, "/tmp")
for name in [name for name in sys.modules if name.startswith("numpy")]:
    del sys.modules[name]
""",
        scale="import numpy as np\ndef scale(x, factor): return np.zeros(5)",
    ),
    Attack(
        "array-steals-desired",
        "take the reference's array from the other side of a comparison",
        first="""
import numpy as np

class Thief(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        for each in inputs:
            if not isinstance(each, Thief):
                np.copyto(self.view(np.ndarray), each)
        return np.zeros(self.shape, bool)

    def __array_function__(self, function, types, arguments, keywords):
        return True

    def __array_finalize__(self, other):
        pass
""",
        scale="def scale(x, factor): return np.zeros(x.shape).view(Thief)",
        centre="def centre(x): return np.zeros(x.shape).view(Thief)",
    ),
    Attack(
        "object-equals-everything",
        "be equal to whatever it is compared with",
        first="""
class Same:
    shape, dtype, ndim, size = (5,), "float64", 1, 5
    __array_priority__ = 1e9
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __sub__
    def __bool__(self): return True
    def __float__(self): return 0.0
    def __hash__(self): return 0
    def __array__(self, *a, **k): raise KeyError("no")
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
""",
        scale="scale = Same()",
        centre="centre = Same()",
    ),
    Attack(
        "walks-the-frames",
        "find the expected values in the frames and objects of the process",
        scale="""
import gc, sys

def scale(x, factor):
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if name in ("desired", "expected", "wanted", "reference"):
                return value
        frame = frame.f_back
    found = [each for each in gc.get_objects() if type(each).__name__ in ("Reference", "Check", "Suite", "Bench")]
    return found[0]
""",
    ),
    Attack(
        "overwrites-tests",
        "overwrite every test file in reach",
        first="""
import os

for folder, _, names in os.walk("/"):
    for name in names:
        if name.startswith("test_") or name in ("conftest.py", "pytest.ini", "calls.py", "wire.py"):
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write("def test_nothing(): pass")
            except OSError:
                pass
""",
    ),
    Attack(
        "forged-results",
        "leave results where a grader may look for them",
        first="""
import json, os

result = {"score": 10.0, "tests": [{"score": 10, "max_score": 10, "status": "passed"}], "rows": [], "passed": True}
for name in ("results.json", "autograder-result.json", ".OTTER_LOG", "warmup.json", "gradebook.db"):
    for folder in ("/tmp", "/dev/shm", "/", "/autograder/results"):
        try:
            with open(os.path.join(folder, name), "w") as file:
                json.dump(result, file)
        except OSError:
            pass
print(json.dumps(result))
print("===== 10 passed in 0.01s =====")
""",
    ),
    Attack(
        "pickles",
        "have code run where an answer is read",
        first="""
class Bomb:
    def __reduce__(self):
        return (eval, ("__import__('os').system('touch /tmp/hostile-was-unpickled')",))
""",
        scale="import pickle\ndef scale(x, factor): return pickle.dumps(Bomb())",
        centre="import numpy as np\ndef centre(x): return np.array([Bomb()] * len(x), dtype=object)",
    ),
    Attack(
        "history",
        "read the checks from the history of inputs",
        first="""
ip = get_ipython()
print(In, _ih, ip.history_manager.input_hist_raw, list(ip.history_manager.get_range()))
print(dir(), globals().keys())
""",
        last="print(In, _ih)",
    ),
    Attack(
        "own-pytest",
        "be the plugin that decides what passes",
        first="""
import sys, types

for name in ("pytest", "_pytest", "autograder", "autograder.checking", "scipy", "scipy.special"):
    fake = types.ModuleType(name)
    fake.matches = fake.agree = fake.check = lambda *a, **k: None
    sys.modules[name] = fake
""",
        scale="def scale(x, factor): return None",
    ),
)

# Forging what the process says to the grader.

FORGED = (
    Attack(
        "forged-replies",
        "reply with verdicts in place of results",
        first="""
import sys

calls = sys.modules["inside.calls"]
replies = [("passed",), ("result", 1, True), ("ok", []), {"outcome": "passed"}, ("result",), None, 1, [], ()]
calls.RowFork.reply = lambda self, message: replies.pop(0) if replies else ("passed",)
calls.RowFork.send = lambda self, reply: calls.wire.send(self.channel, calls.wire.encode(reply))
""",
        scale=RIGHT_SCALE,
    ),
    Attack(
        "frames-on-every-descriptor",
        "write forged results on the channel, ahead of the real ones",
        first="""
import os, sys

wire = sys.modules["inside.wire"]

def spray():
    frame = wire.encode(("result", 1, 1.0))
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, len(frame).to_bytes(4, "little") + frame)
        except OSError:
            pass
""",
        scale="def scale(x, factor):\n    spray()\n    return 0",
    ),
    Attack(
        "garbage",
        "break the decoder with bytes that are no frame",
        first="import os",
        scale="""
def scale(x, factor):
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, os.urandom(4096))
        except OSError:
            pass
""",
    ),
    Attack(
        "half-a-frame",
        "keep the grader waiting for the rest of a frame",
        first="import os, time",
        scale="""
def scale(x, factor):
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, (1000).to_bytes(4, "little") + b"l")
        except OSError:
            pass
    time.sleep(60)
""",
    ),
    Attack(
        "slow-drip",
        "keep the grader busy with a frame that comes byte by byte",
        first="import os, time",
        scale="""
def scale(x, factor):
    message = (2**20).to_bytes(4, "little") + bytes(2**20)
    for byte in message:
        for descriptor in range(3, 16):
            try:
                os.write(descriptor, bytes([byte]))
            except OSError:
                pass
        time.sleep(0.05)
""",
    ),
    Attack(
        "giant-frame",
        "have the grader take 4 GB for a frame",
        first="import os",
        scale="""
def scale(x, factor):
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, b"\\xff\\xff\\xff\\xff" + b"a" * 100)
        except OSError:
            pass
""",
    ),
    Attack(
        "asks-unasked",
        "ask the reference where nothing was replaced",
        first="""
import sys

calls, wire = sys.modules["inside.calls"], sys.modules["inside.wire"]
serve = calls.RowFork.serve

def served(self):
    global row
    row = self
    serve(self)

calls.RowFork.serve = served

def ask(name, *arguments):
    calls.wire.send(row.channel, calls.wire.encode(("ask", name, arguments, {})))
    kind, *rest = calls.wire.receive(row.channel)
    return rest[0] if kind == "answer" else None
""",
        scale="def scale(x, factor): return ask('scale', x, factor)",
        centre="def centre(x): return ask('centre', x)",
    ),
    Attack(
        "asks-for-its-own-row",
        "ask for its own row, or a later one, while an earlier one is answered",
        first="""
import sys

calls = sys.modules["inside.calls"]
serve = calls.RowFork.serve

def served(self):
    global row
    row = self
    serve(self)

calls.RowFork.serve = served

def ask(name, *arguments):
    calls.wire.send(row.channel, calls.wire.encode(("ask", name, arguments, {})))
    kind, *rest = calls.wire.receive(row.channel)
    return rest[0] if kind == "answer" else None
""",
        scale="def scale(x, factor): return ask('centre', x)",
        centre="""
def centre(x):
    for name in ("centre", "Centre", "centre ", "__class__", "expected", "_module", "np"):
        found = ask(name, x)
        if found is not None:
            return found
""",
    ),
    Attack(
        "asks-for-ever",
        "keep the reference answering",
        first="import sys\ncalls = sys.modules['inside.calls']",
        scale=RIGHT_SCALE + " + 1",
        centre="""
def centre(x):
    while True:
        scale(x, 1.0)
""",
    ),
    Attack(
        "replayed-answers",
        "answer a check with what an earlier one gave",
        first="""
import sys

calls, kept = sys.modules["inside.calls"], []
resolve = calls.RowFork.resolve

def remembered(self, tree):
    found = resolve(self, tree)
    kept.append(found)
    return found

calls.RowFork.resolve = remembered
""",
        scale="def scale(x, factor): return kept[-2]",
        centre="def centre(x): return kept[0]",
    ),
    Attack(
        "changes-on-second-read",
        "be another value each time it is looked at",
        first="""
import numpy as np

class Fickle(list):
    reads = 0
    def __iter__(self):
        Fickle.reads += 1
        return iter([float(Fickle.reads)] * 5)
    def __len__(self):
        return Fickle.reads * 1000
    def __getitem__(self, key):
        return Fickle.reads

class Entries(dict):
    def items(self):
        yield from ((str(n), n) for n in range(10**9))
    def __len__(self):
        return 1
""",
        scale="def scale(x, factor): return Fickle([1.0])",
        centre="def centre(x): return Entries(a=1)",
    ),
    Attack(
        "lies-about-pids",
        "have the keeper kill what it should not",
        first="""
import sys

protocol = sys.modules["inside.protocol"]
forked = protocol.Forked
protocol.Forked = lambda pid: forked(1)
""",
        scale=RIGHT_SCALE,
    ),
)

# Values that a comparison may take for right, or stumble over.

VALUES = {
    "nan": "float('nan')",
    "nans": "x * float('nan')",
    "infinities": "x / 0",
    "negative-zero": "-0.0 * x",
    "true": "True",
    "booleans": "x == x",
    "complex": "x * factor + 0j",
    "huge-integer": "2 ** 500",
    "larger-integer": "2 ** 100_000",
    "object-array": "x.astype(object) * factor",
    "long-double": "np.full(5, np.nan, dtype=np.longdouble)",
    "strings": "x.astype(str)",
    "structured": "np.zeros(5, dtype=[('a', 'f8')])",
    "dates": "np.zeros(5, dtype='M8[s]')",
    "masked": "np.ma.masked_all(5)",
    "matrix": "np.asmatrix(x * factor)",
    "broadcasts": "np.broadcast_to(0.0, (10**6, 10**6))",
    "empty": "np.zeros((0, 5))",
    "scalar": "np.float64(3)",
    "zero-dimensional": "np.array(3.0)",
    "deep": "__import__('functools').reduce(lambda tree, _: [tree], range(10**5), [])",
    "recursive": "(lambda tree: tree.append(tree) or tree)([])",
    "recursive-dict": "(lambda tree: tree.update(me=tree) or tree)({})",
    "odd-keys": "{1.5: 1, float('nan'): 2, None: 3, True: 4, (1, 2): 5, b'y': 6}",
    "many-parts": "[0] * 10**6",
    "large-array": "np.zeros(60 * 2**17)",
    "too-large-array": "np.zeros(70 * 2**17)",
    "large-string": "'x' * (60 * 2**20)",
    "a-generator": "(each for each in x)",
    "endless-generator": "__import__('itertools').count()",
    "a-module": "np",
    "a-class": "int",
    "a-lambda": "lambda *a: x * factor",
    "lone-surrogate": "'\\udc80'",
    "nothing": "None",
}

ANSWERS = tuple(
    Attack(
        f"answers-{name}",
        "be taken for right, or be an error of ours",
        scale=f"import numpy as np\ndef scale(x, factor): return {value}",
    )
    for name, value in VALUES.items()
)

RAISES = {
    "endless-text": "class E(Exception):\n    def __str__(self): return 'x' * 10**8",
    "text-that-raises": "class E(Exception):\n    def __str__(self): raise SystemExit(3)",
    "text-that-hangs": "class E(Exception):\n    def __str__(self):\n        while True: pass",
    "text-of-another-type": "class E(Exception):\n    def __str__(self): return 3",
    "a-name-of-markup": "E = type('<script>alert(1)</script>' * 1000, (Exception,), {})",
    "base-exception": "class E(BaseException): pass",
    "system-exit": "E = SystemExit",
    "keyboard-interrupt": "E = KeyboardInterrupt",
    "generator-exit": "E = GeneratorExit",
    "group": "E = lambda: ExceptionGroup('g', [ValueError(n) for n in range(10**5)])",
    "says-it-is-unwritten": "E = NotImplementedError",
    "stop-iteration": "E = StopIteration",
    "memory-error": "E = MemoryError",
}

EXCEPTIONS = tuple(
    Attack(
        f"raises-{name}",
        "break what shows the exception",
        scale=f"{source}\ndef scale(x, factor): raise E()",
    )
    for name, source in RAISES.items()
)

# Breaking, exhausting, outliving.

RESOURCES = (
    Attack(
        "endless-loop-in-a-cell",
        "keep the grader for ever",
        first="while True: pass",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "endless-loop-that-holds-on",
        "keep the grader for ever, deaf to interrupts",
        first="""
while True:
    try:
        while True: pass
    except BaseException:
        pass
""",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "endless-calls", "keep the grader for ever", scale="def scale(x, factor):\n    while True: pass", centre="0"
    ),
    Attack(
        "prints-20-mb",
        "make a notebook of 20 MB a call",
        first="print('x' * 20_000_000)\nimport sys\nprint('y' * 20_000_000, file=sys.stderr)",
        scale="def scale(x, factor):\n    print('x' * 20_000_000)\n    return x * factor",
        earned=4,
    ),
    Attack(
        "displays-without-end",
        "make a notebook of a million outputs",
        first="for n in range(100_000):\n    display(n)",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "forged-outputs",
        "send outputs past the bounds that hold inside",
        first="""
import sys

text = "x" * 2**20
output = {"output_type": "stream", "name": "stdout", "text": text}
html = {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>", "image/svg+xml": "<svg/>"}}
sys.modules["inside.cells"].Notebook.run = lambda self, source, size: ("ok", [output] * 40 + [html, None, 3, {}, []])
""",
    ),
    Attack(
        "standard-error",
        "nothing: warnings and standard error must cost nothing",
        first="import sys, warnings\nwarnings.warn('deprecated')\nprint('oops', file=sys.stderr)",
        scale="def scale(x, factor):\n    warnings.warn('slow')\n    sys.stderr.write('oops')\n    return x * factor",
        centre=RIGHT_CENTRE,
        earned=10,
    ),
    Attack(
        "memory",
        "take all memory",
        first="held = [bytearray(2**28) for _ in range(64)]",
        scale="def scale(x, factor): return [bytearray(2**28) for _ in range(64)]",
    ),
    Attack(
        "recursion",
        "overflow the stack",
        scale="import sys\nsys.setrecursionlimit(10**9)\ndef scale(x, factor): return scale(x, factor)",
    ),
    Attack(
        "fork-bomb",
        "take all processes",
        scale="""
import os

def scale(x, factor):
    while True:
        os.fork()
""",
    ),
    Attack(
        "threads",
        "take all threads",
        first="""
import threading, time

try:
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except RuntimeError:
    pass
""",
    ),
    Attack(
        "disk",
        "fill the disk",
        first="""
import itertools

for folder in ("/tmp", "/dev/shm"):
    try:
        for n in itertools.count():
            with open(f"{folder}/{n}", "wb") as file:
                file.write(bytes(2**22))
    except OSError as error:
        print(error.strerror)
""",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "crash",
        "take the grader along",
        scale="import ctypes\ndef scale(x, factor): return ctypes.string_at(0)",
        centre=RIGHT_CENTRE,
        earned=6,
    ),
)

ENDINGS = {
    "exit": "exit()",
    "quit": "quit()",
    "sys-exit": "import sys\nsys.exit(0)",
    "os-exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "kill-itself": "import os\nos.kill(os.getpid(), 9)",
    "stop-itself": "import os\nos.kill(os.getpid(), 19)",
    "kill-everything": "import os\nos.kill(-1, 9)",
    "close-everything": "import os\nos.closerange(0, 256)",
    "raise-interrupt": "raise KeyboardInterrupt",
}

ENDS = tuple(
    Attack(
        f"ends-by-{name}",
        "leave no result at all",
        first=source,
        scale=RIGHT_SCALE,
        centre=RIGHT_CENTRE,
        earned=10,
    )
    for name, source in ENDINGS.items()
)

# What a row must not do to the next, and what a submission must not do to anything.

BEYOND = (
    Attack(
        "state-in-files",
        "carry inputs and answers from row to row and from a check to its second run",
        first="import os, pickle, numpy as np",
        scale="""
def scale(x, factor):
    for folder in ("/tmp", "/dev/shm"):
        with open(folder + "/kept", "wb") as file:
            pickle.dump(x, file)
    return x
""",
        centre="""
def centre(x):
    try:
        with open("/tmp/kept", "rb") as file:
            return pickle.load(file)
    finally:
        with open("/tmp/kept", "wb") as file:
            pickle.dump(scale(x, 1.0), file)
""",
    ),
    Attack(
        "state-in-a-process",
        "ask a process that outlives the row for what it saw",
        first="""
import os, socket

if os.fork() == 0:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind("\\0kept")
    while True:
        data, who = server.recvfrom(2**16)
        server.sendto(data, who)
""",
        scale="""
import numpy as np

def scale(x, factor):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.bind("")
    client.settimeout(0.5)
    client.sendto(x.tobytes(), "\\0kept")
    return np.frombuffer(client.recv(2**16))
""",
    ),
    Attack(
        "row-kills-its-parent",
        "take the other rows along, as an error of ours",
        scale="import os, signal\ndef scale(x, factor): os.kill(os.getppid(), signal.SIGKILL)",
        centre=RIGHT_CENTRE,
        earned=6.0,
    ),
    Attack(
        "row-stops-its-parent",
        "hang what forks the rows",
        scale="import os, signal\ndef scale(x, factor): os.kill(os.getppid(), signal.SIGSTOP)",
        centre=RIGHT_CENTRE,
        earned=6.0,
    ),
    Attack(
        "keeper",
        "end, stop, slow down or trace the process that keeps the submission",
        first="""
import ctypes, os, resource

libc = ctypes.CDLL(None)
for number in range(1, 65):
    try:
        os.kill(1, number)
    except OSError:
        pass
priority = (ctypes.c_int * 1)(0)
reached = [libc.ptrace(16, 1, 0, 0) == 0, libc.sched_setscheduler(1, 5, priority) == 0,
           libc.setpriority(0, 1, 19) == 0, libc.prctl(4, 1) == -1]
try:
    resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))
    reached.append(True)
except (OSError, PermissionError):
    pass
assert not any(reached), reached
""",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "detached",
        "leave a process that changes the gradebook later",
        first="""
import ctypes, os

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"hostile-left", 0, 0, 0)
            ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
            while True:
                ctypes.CDLL(None).usleep(100_000)
        os._exit(0)
""",
    ),
    Attack(
        "unreadable-names",
        "break what prints the names",
        first="globals().update({'\\udc80': 1, '\\x1b[2J': 2})",
        scale="scale = type('\\x1b[2J', (), {})()",
    ),
)

ATTACKS = (*KNOWN, *FORGED, *ANSWERS, *EXCEPTIONS, *RESOURCES, *ENDS, *BEYOND)
