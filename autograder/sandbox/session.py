"""One submission inside the sandbox: its cells run in order, then a fork of what they have left for each row.

Whatever comes back from a session may have been written by a hostile process. It is decoded within bounds, and its form
is checked; anything else ends in ``Stopped``, a failure of the student's, and never in an error of ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from autograder.base import SandboxError
from autograder.course import Limits
from autograder.sandbox import cgroup, processes, seccomp
from autograder.sandbox.budget import Budget
from autograder.sandbox.hangs import LATER, Hangs
from autograder.sandbox.inside import protocol, wire
from autograder.sandbox.inside.protocol import (
    CHECKPOINT,
    ENDED,
    KEEP,
    PACKET,
    RESTORE,
    ROWS,
    SHOWN,
    SIGNAL,
    START,
    CellRan,
    Fork,
    NotIsolated,
    RunCell,
    Started,
)
from autograder.sandbox.kind import Kind
from autograder.sandbox.outputs import Allowance, passive
from autograder.sandbox.row_calls import Answerer, RowCalls
from autograder.sandbox.runs import CellRun, Role
from autograder.sandbox.shortages import is_idle, tells_shortage
from autograder.sandbox.stretching import stretched_deadline
from autograder.sandbox.student_process import StudentProcess, forked

CREDENTIALS = struct.Struct("=3i")
REPLY_SECONDS = 20.0
INTERRUPT_GRACE = 1.0
MAX_RESTARTS = 2
END_SECONDS = 10.0
CHECKPOINT_SECONDS = 0.25
"""How long cells may have run since the last checkpoint until another is made: as much is done again after a death."""
FORK_ENDS_SECONDS = 1.0
"""How long a row's fork that was killed may take to be gone."""


LEFT = "It left by itself, as with `os._exit`."
ENDINGS: dict[int, str] = {
    signal.SIGKILL: "It was killed, as where it takes more memory than the whole submission may.",
    signal.SIGSEGV: "It crashed: something wrote where no memory was.",
    signal.SIGABRT: "It aborted, as where a library finds itself in a state that cannot be.",
    signal.SIGBUS: "It crashed, as where its files or its memory had no room left.",
    signal.SIGFPE: "It crashed in an arithmetic operation.",
    signal.SIGXCPU: "It used more processor time than the whole submission may.",
    signal.SIGXFSZ: "It wrote a larger file than it may.",
    signal.SIGSYS: "It asked the system for what a submission may not have.",
}
"""How a student's process may end, by the signal that ended it, for the student."""

OWN_ENDINGS = frozenset(
    {LEFT, *(ENDINGS[each] for each in (signal.SIGFPE, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS))}
)
"""Those of its own doing. Others may come of what somebody else has taken, memory above all."""


def _process_limit(kind: Kind, allowed: int) -> int:
    """The limit on processes to set for the user that a submission runs as, which counts all processes of that user."""
    if kind == "none":
        return 10_000
    if kind == "landlock":
        # Others of that user count as well: the worker and the keeper, or whatever an ordinary user runs.
        return allowed + (8 if os.geteuid() == 0 else processes.threads_of(os.geteuid()) + 8)
    return allowed


class WarmWorker(Protocol):
    """What a session needs of the worker that it is forked from."""

    kind: Kind
    allowed: tuple[str, ...]
    groups: Path | None
    keepers: set[int]
    control: socket.socket

    def end_orphans(self) -> None:
        """End processes that have outlived their keeper."""


@dataclass(frozen=True)
class _Checkpoint:
    """A process that waits with the state before a cell, and that cell's place."""

    process: StudentProcess
    place: int


class Session:
    """One submission inside the sandbox, from its first cell to its last row."""

    def __init__(
        self,
        worker: WarmWorker,
        limits: Limits,
        seed: int,
        files: Mapping[str, bytes],
        printed_limit: int,
        states: int = 0,
    ) -> None:
        """Have the worker fork a keeper for the submission, and wait until that is isolated from the machine.

        ``states`` is how many states will be kept: each is a process of the submission's.

        Raises:
            SandboxError: The worker is gone, or the submission could not be isolated.
        """
        self.limits = limits
        self.printed_limit = printed_limit
        self.most_states = states
        # Where nothing can be mounted, the files lie in a folder of the host's.
        self.folder = tempfile.mkdtemp(prefix="autograder-") if files and worker.kind == "none" else ""
        self.seed, self.files = seed, files
        self.budget = Budget(limits.submission_seconds)
        self.deadline = self.budget.end
        self.again_until: float | None = None
        self.again: Session | None = None
        self.left_running: set[int] | None = None
        self.may_call: Callable[[str], Collection[str]] | None = None
        self.hangs = Hangs()
        self.disturbed = False
        self.waited = 0.0
        self.group: Path | None = None
        self.student: StudentProcess | None = None
        self.checkpoint: _Checkpoint | None = None
        self.kept_before: frozenset[int] = frozenset()
        self.states: dict[int, StudentProcess] = {}
        self.sources: tuple[str, ...] = ()
        self.roles: tuple[Role, ...] = ()
        self.watched: tuple[str, ...] = ()
        self.kept_whole = True
        self.left_out: set[int] = set()
        self.hung: set[int] = set()
        self.restarts = 0
        self.kind = worker.kind
        self.worker, self.keeper = worker, 0
        allowed = " and ".join(filter(None, ["Python's standard library", ", ".join(worker.allowed)]))
        self.importable = f"This assignment allows {allowed}; nothing else can be imported."
        settings = {
            "filter": b"" if worker.kind == "none" else seccomp.program(worker.kind),
            "memory_mb": limits.memory_mb,
            "processes": _process_limit(worker.kind, limits.processes + states),
            "file_mb": limits.file_mb,
            "cpu_seconds": limits.submission_seconds,
            "output_bytes": limits.output_kb * 1024,
            "files": [(name, len(content)) for name, content in files.items()],
            "folder": self.folder,
            "seed": seed,
        }
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(REPLY_SECONDS)
        # The kernel says who sends the first packet: that is the keeper, by its number outside.
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs, tempfile.TemporaryFile() as bundle:
            try:
                bundle.write(b"".join(files.values()))
                bundle.flush()
                socket.send_fds(worker.control, [wire.encode(settings)], [theirs.fileno(), bundle.fileno()])
            except OSError as error:
                self.close()
                raise SandboxError(f"the warm worker is gone: {error}") from error
        try:
            packet, self.keeper = self._first_packet()
            self.worker.keepers.add(self.keeper)
            match protocol.read(wire.decode(packet)):
                case Started():
                    pass
                case NotIsolated(why):
                    raise SandboxError(f"a submission could not be isolated: {why}")
                case other:
                    raise SandboxError(f"a submission could not be isolated: {other}")
            if worker.groups is not None:
                self.group = cgroup.make(worker.groups, memory_mb=limits.memory_mb, processes=limits.processes + states)
        except SandboxError:
            self.close()
            raise

    def run(
        self,
        sources: Sequence[str],
        roles: Sequence[Role] = (),
        *,
        watched: Sequence[str] = (),
        may_call: Callable[[str], Collection[str]] | None = None,
        kept_before: Collection[int] = (),
    ) -> list[CellRun]:
        """Run the cells in order; one that fails or hangs does not stop the next.

        A cell that ends its process, or that cannot be interrupted, is left out, and what follows goes on from a
        checkpoint before it. A cell that only shows something runs in a fork at its place: nothing of what it does, but
        its outputs, reaches another. ``Budget`` says how much of ``submission_seconds`` is for whom.

        Args:
            sources: The cells' code.
            roles: What each is for; where empty, rows may need each of them.
            watched: Names of which each result says whether its cell bound or removed them.
            may_call: The functions that a function of the notebook may call, by its name, where that is known. Where
                one of these hangs, so may the function, and it is given less time.
            kept_before: Cells before which the state is kept, for rows that are checked as of there.

        Returns:
            One result for each cell, in order; the indices are those of ``sources``.
        """
        self.sources = tuple(sources)
        self.roles = tuple(roles) or tuple("needed" for _ in self.sources)
        self.watched = tuple(watched)
        self.kept_before = frozenset(kept_before)
        self.may_call = may_call
        self.hangs = Hangs(may_call or (lambda _: ()))
        self.budget = Budget(self.limits.submission_seconds)
        self.deadline = self.budget.end
        return self._run(shown=True)

    @contextlib.contextmanager
    def anew(self) -> Iterator[Session]:
        """Another session of the same notebook, in which its cells have run again.

        It has processes, files and namespaces of its own, as another submission would: nothing that a row has written
        here, wherever that was, is there, and nothing of it comes back. It is kept for the next time where its rows
        cannot leave one another anything; otherwise the next time there is yet another. All of them together have half
        of the time that is left when the first is made.

        Raises:
            SandboxError: The worker is gone.
        """
        if self.again_until is None:
            self.again_until = (time.monotonic() + self.deadline) / 2
        if self.again is None:
            self.again = Session(self.worker, self.limits, self.seed, self.files, self.printed_limit, self.most_states)
            self.again._run_as_before(self)
            self.again.deadline = self.again_until
        before, ended, left = self.again.student, self.again.restarts, self.again.left_by_rows()
        try:
            yield self.again
        finally:
            again = self.again
            self.disturbed = self.disturbed or again.disturbed
            self.waited += again.waited
            same = again.student is before and again.restarts == ended
            if not (same and again.rows_are_apart() and again.left_by_rows() == left):
                again.close()
                self.again = None

    def rows_are_apart(self) -> bool:
        """Whether the processes that rows are forked from share nothing with them but files: ``processes.shares``."""
        known = self._sources_of_rows()
        if self.student is None or None in known:
            return False
        own = {pid for pid in known if pid is not None}
        # The row's fork has been killed, and may take a moment to be gone.
        latest = time.monotonic() + FORK_ENDS_SECONDS
        while any(set(processes.children(pid)) - own for pid in own) and time.monotonic() < latest:
            time.sleep(0.002)
        return self.kept_whole and not any(map(processes.shares, own))

    def left_by_rows(self) -> str:
        """What rows may have left in the processes that they were forked from: see ``processes.left_in``."""
        return "".join("" if pid is None else processes.left_in(pid) for pid in self._sources_of_rows())

    def _sources_of_rows(self) -> list[int | None]:
        """The processes that rows are forked from, by their numbers outside; None for one that is not known there."""
        of = [*([self.student] if self.student else []), *(self.states[place] for place in sorted(self.states))]
        return [each.outside for each in of]

    def restore(self) -> None:
        """End what an earlier row has left running, and put files back as they were after the notebook.

        Raises:
            SandboxError: The keeper does not answer.
        """
        if self.student is not None and self.left_running is not None:
            self._end_all_but(self.left_running)
            self._files(RESTORE, ROWS)

    @property
    def may_run_again(self) -> bool:
        """Whether there is time left for another session of the same notebook."""
        return self.again_until is None or time.monotonic() < self.again_until

    def _run(self, *, shown: bool) -> list[CellRun]:
        """Run the cells from the first on, but for those that have ended Python.

        What only shows something is run where ``shown`` is true.
        """
        runs: dict[int, CellRun] = {}
        left = Allowance()
        self._start()
        place, since_checkpoint, after_shown = 0, 0.0, False
        while place < len(self.sources):
            role = self.roles[place]
            if place in self.kept_before and place not in self.states and self.student is not None:
                self._keep_state(place)
            done = place in self.left_out or (role == "shows" and (place in runs or not shown))
            if role in ("unrun", "later"):
                runs[place] = CellRun(place, "unrun", (), 0.0)
            elif done or self.budget.left(role) <= 0:
                if not done:
                    self.note_out_of_time()
                runs.setdefault(place, CellRun(place, "skipped", (), 0.0))
            elif role == "shows":
                runs[place], after_shown = self._show(place, left), True
                if self.student is None:
                    place, since_checkpoint = self._go_back(), 0.0
                    continue
            else:
                if since_checkpoint >= CHECKPOINT_SECONDS:
                    self._make_checkpoint(place)
                    since_checkpoint = 0.0
                run, alive = self._cell(place, self.student, left)
                since_checkpoint += run.seconds
                self.budget.spent[role] += run.seconds
                if run.status == "timeout":
                    self.hung.add(place)
                if not alive:
                    # What only shows something may have ended the process from which it was forked: then once more.
                    if run.status != "died" or not after_shown:
                        runs[place] = run
                        self.left_out.add(place)
                    after_shown = False
                    place, since_checkpoint = self._go_back(), 0.0
                    continue
                runs.setdefault(place, run)
                after_shown = False
            place += 1
        self._end_checkpoint()
        if self.kind != "none" and self.student is not None:
            self.left_running = self._running()
            self.kept_whole = bool(self._files(KEEP, ROWS))
        return [runs[place] for place in range(len(self.sources))]

    def _run_as_before(self, first: Session) -> None:
        """Run the cells that count of another session, without those that ended Python there."""
        self.sources, self.roles, self.hangs = first.sources, first.roles, first.hangs
        self.kept_before = first.kept_before
        self.left_out, self.hung = set(first.left_out), set(first.hung)
        self.budget = Budget(max(0.0, (first.again_until or 0.0) - time.monotonic()))
        self._run(shown=False)

    def _make_checkpoint(self, place: int) -> None:
        """Have a fork of the student's process wait, to go on from here where a later cell ends that process."""
        self._end_checkpoint()
        process = None if self.student is None else self._forked(self.student)
        if process is not None:
            self.checkpoint = _Checkpoint(process, place)
            self._files(KEEP, CHECKPOINT)

    def _keep_state(self, place: int) -> None:
        """Have a fork of the student's process wait with the state before a cell."""
        assert self.student is not None
        if len(self.states) < self.most_states and (kept := self._forked(self.student)) is not None:
            self.states[place] = kept
            if self.group is not None:
                cgroup.enter(self.group, kept.outside)

    def _go_back(self) -> int:
        """Go on from the last checkpoint, or from the first cell where there is none.

        Returns:
            The place of the cell to go on with.
        """
        checkpoint, self.checkpoint = self.checkpoint, None
        if checkpoint is not None and (waiting := self._forked(checkpoint.process)) is not None:
            self.give_up()
            self.student = checkpoint.process
            self.checkpoint = _Checkpoint(waiting, checkpoint.place)
            self._end_all_but(self._own_processes())
            self._files(RESTORE, CHECKPOINT)
            return checkpoint.place
        if checkpoint is not None:
            self._end(checkpoint.process)
        self._start()
        return 0

    def _end_checkpoint(self) -> None:
        if self.checkpoint is not None:
            self._end(self.checkpoint.process)
            self.checkpoint = None

    def show(self, place: int, *, before: int | None) -> CellRun:
        """Run a cell that only shows something, once the rows have been checked; ``before`` is as for ``row``."""
        if self.process(before) is None or self.budget.left("shows") <= 0:
            return CellRun(place, "skipped", (), 0.0)
        self.roles = (*self.roles[:place], "shows", *self.roles[place + 1 :])
        return self._show(place, Allowance(), before)

    def _show(self, place: int, left: Allowance, state: int | None = None) -> CellRun:
        """Run a cell that only shows something, in a fork that is ended with all that it has started and written."""
        process = self.process(state)
        assert process is not None
        before = self._running()
        self._files(KEEP, SHOWN)
        fork = self._forked(process)
        if fork is None:
            self.give_up(state)
            return CellRun(place, "died", (), 0.0)
        run, _ = self._cell(place, fork, left)
        self._end(fork)
        self._end_all_but(before)
        self._files(RESTORE, SHOWN)
        if process.outside is not None and not processes.is_running(process.outside):
            self.give_up(state)  # the cell has stopped or ended the process that it was forked from
        self.budget.spent["shows"] += run.seconds
        if run.status == "timeout":
            self.hung.add(place)
        return replace(run, bound=(), gone=())

    def _forked(self, process: StudentProcess) -> StudentProcess | None:
        return forked(process, Fork(), self.limits.call_seconds)

    def _running(self) -> set[int]:
        """The submission's processes, by their numbers outside; none where these are not known."""
        return processes.below(self.keeper) if self.keeper and self.kind != "none" else set()

    def _own_processes(self) -> set[int]:
        """The student's process, the checkpoint and the states that are kept, by their numbers outside."""
        known = (self.student, self.checkpoint.process if self.checkpoint else None, *self.states.values())
        return {each.outside for each in known if each is not None and each.outside is not None}

    def _end_all_but(self, known: set[int]) -> None:
        """End what a cell or a row has left running."""
        if not known:
            return
        for pid in self._running() - known:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _files(self, command: bytes, place: int) -> int:
        """Have the keeper keep or restore the files of the submission, and give the number that it replies.

        Raises:
            SandboxError: The keeper does not answer.
        """
        try:
            self.control.send(PACKET.pack(command, 0, place))
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from error
        try:
            return int(PACKET.unpack(self._packet())[2])
        except struct.error as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from error

    def _cell_seconds(self, place: int) -> float:
        """How long a cell may run.

        One that only shows something has half of the time, and much less once such a cell has hung, since it probably
        calls the same function; so has a cell that runs again after it has hung.
        """
        full = self.limits.cell_seconds
        if self.roles[place] != "shows":
            return LATER * full if place in self.hung else full
        return LATER * full if any(self.roles[each] == "shows" for each in self.hung) else full / 2

    @contextlib.contextmanager
    def row(
        self, answers: Answerer | None = None, replaced: Sequence[str] = (), *, before: int | None = None
    ) -> Iterator[RowCalls]:
        """A fork of the state after the notebook, for one row.

        Args:
            answers: Answers calls of the functions that are replaced.
            replaced: Names of functions that are answered from outside, by ``answers``.
            before: The cell, one of those that ``run`` was given, before which the state is meant.
        """
        self.restore()
        calls = RowCalls(self, answers, tuple(replaced), before)
        try:
            yield calls
        finally:
            calls.close()

    def restart(self) -> bool:
        """Run the notebook again after a row has ended the student's process, so that this costs no other row.

        Returns:
            Whether there is a process again.
        """
        if not self.sources or self.restarts >= MAX_RESTARTS or time.monotonic() >= self.deadline:
            return False
        self.restarts += 1
        self.budget = Budget(self.deadline - time.monotonic())
        self._run(shown=False)
        return self.student is not None

    def note_out_of_time(self) -> None:
        """Note that the time of the submission was used up, and whether others may have taken it.

        ``waited`` is what forks of rows have waited for a processor.
        """
        lost = self.waited + self.budget.idle
        self.disturbed = self.disturbed or lost > self.limits.submission_seconds / 4

    def process(self, before: int | None) -> StudentProcess | None:
        """The process with the state after the notebook, or with the one that was kept before a cell."""
        return self.student if before is None else self.states.get(before)

    def give_up(self, before: int | None = None) -> None:
        """End such a process, which does not answer any more; nothing can be called in it from here on."""
        if before is not None and before in self.states:
            self._end(self.states.pop(before))
        elif before is None and self.student is not None:
            self._end(self.student)
            self.student = None

    def _end(self, process: StudentProcess) -> None:
        """End a process of the student's."""
        process.channel.close()
        self.kill(process.pid)

    def close(self) -> None:
        """End every process of the submission."""
        if self.again is not None:
            self.again.close()
            self.again = None
        self._end_checkpoint()
        for state in (*self.states, None):
            self.give_up(state)
        if self.kind == "landlock":
            # No PID namespace ends what is left. The keeper does, and then closes its end of the socket.
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)
                self.control.settimeout(END_SECONDS)
                while self.control.recv(2**16):
                    pass
            self.worker.keepers.discard(self.keeper)
            self.worker.end_orphans()
        self.control.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.group is not None:
            cgroup.remove(self.group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _first_packet(self) -> tuple[bytes, int]:
        """The keeper's first packet, and its number outside, which the kernel adds; 0 where it does not.

        Raises:
            SandboxError: Nothing came.
        """
        try:
            packet, ancillary, _, _ = self.control.recvmsg(2**16, socket.CMSG_SPACE(CREDENTIALS.size))
        except TimeoutError:
            packet, ancillary = b"", []
        if not packet:
            raise SandboxError("the sandbox ended before a submission was in it")
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        pids = [CREDENTIALS.unpack(data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
        return packet, pids[0] if pids else 0

    def _packet(self) -> bytes:
        """The keeper's next packet.

        Raises:
            SandboxError: Nothing came.
        """
        try:
            packet = self.control.recv(2**16)
        except TimeoutError:
            packet = b""
        if not packet:
            raise SandboxError("the sandbox ended in the middle of a submission")
        return packet

    def _start(self) -> None:
        """Have the keeper start a fresh process for the student's code, in place of the one before.

        Raises:
            SandboxError: The keeper does not answer.
        """
        self._end_checkpoint()
        self.give_up()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [PACKET.pack(START, 0, 0)], [theirs.fileno()])
                _, pid, _ = PACKET.unpack(self._packet())
            except (OSError, struct.error) as error:
                ours.close()
                raise SandboxError(f"the sandbox does not answer: {error}") from error
        self.student = StudentProcess(ours, pid, processes.child(self.keeper, pid))
        self.left_running = None
        if self.group is not None:
            cgroup.enter(self.group, self.student.outside)

    def _how_it_ended(self, process: StudentProcess) -> str:
        """How a process of the student's ended, for the student; empty where that is not known."""
        with contextlib.suppress(OSError, struct.error, SandboxError):
            for _ in range(20):
                # The keeper buries the student's process, and that its own forks.
                self.control.send(PACKET.pack(ENDED, process.pid, 0))
                _, _, status = PACKET.unpack(self._packet())
                if status < 0 and process is not self.student:
                    status = processes.wait_status(process.outside) or -1
                if status >= 0:
                    number = os.waitstatus_to_exitcode(status)
                    return LEFT if number >= 0 else ENDINGS.get(-number, "")
                time.sleep(0.01)
        self.kill(process.pid)
        return ""

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Have the keeper send a signal to a process of the submission."""
        with contextlib.suppress(OSError):
            self.control.send(PACKET.pack(SIGNAL, pid, number))

    def _cell(self, index: int, process: StudentProcess | None, left: Allowance) -> tuple[CellRun, bool]:
        """Run one cell in a process of the student's: its result, and whether that process still answers."""
        if process is None:
            return CellRun(index, "died", (), 0.0), False
        source, channel, begun = self.sources[index], process.channel, time.monotonic()

        def result(
            status: Literal["ok", "raised", "timeout", "died"], outputs: Any = (), bound: Any = (), gone: Any = ()
        ) -> CellRun:
            kept = passive(outputs, self.limits.output_kb, left)
            self.disturbed = self.disturbed or any(
                tells_shortage(output.get("ename"), output.get("evalue")) for output in kept
            )
            if any(output.get("ename") == "ModuleNotFoundError" for output in kept):
                kept = (*kept, {"output_type": "stream", "name": "stderr", "text": f"{self.importable}\n"})
            named = (tuple(name for name in self.watched if name in told) for told in (bound, gone))
            return CellRun(index, status, kept, time.monotonic() - begun, *named)

        latest = begun + self.budget.left(self.roles[index])
        seconds, ran = self._cell_seconds(index), processes.ran(process.outside)
        stretched = stretched_deadline(latest, process.outside, begun, seconds)
        late = False

        def note_idleness() -> None:
            busy = processes.ran(process.outside) - ran
            self.budget.idle += max(0.0, time.monotonic() - begun - busy)
            self.disturbed = self.disturbed or (late and is_idle(busy, seconds))

        try:
            channel.settimeout(REPLY_SECONDS)
            wire.send(channel, wire.encode(protocol.tree(RunCell(source, list(self.watched)))))
            try:
                reply = protocol.read(wire.receive(channel, stretched(), stretched))
            except wire.Late:
                late = True
                note_idleness()
                self.kill(process.pid, signal.SIGINT)
                reply = protocol.read(wire.receive(channel, time.monotonic() + INTERRUPT_GRACE))
        except wire.Late:
            self.kill(process.pid)
            return result("timeout"), False
        except wire.WireError:
            if late:
                self.kill(process.pid)
                return result("timeout"), False
            how = self._how_it_ended(process)
            self.disturbed = self.disturbed or how not in OWN_ENDINGS
            return result(
                "died", [{"output_type": "error", "ename": "Python ended", "evalue": how, "traceback": [how]}]
            ), False
        match reply:
            case CellRan("ok" | "raised" as status, outputs, bound, gone):
                names = ([name for name in told if isinstance(name, str)] for told in (bound, gone))
                if not late:
                    note_idleness()
                return result("timeout" if late else status, outputs, *names), True
        self.kill(process.pid)
        return result("died"), False
