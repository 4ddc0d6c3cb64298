"""Processes that do the same work: started, started again if they die, and ended together."""

import ctypes
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from service.contract.errors import SetupError

# A process that dies again and again is waited for twice as long each time, up to a limit.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
# One that lived so long did not die of how it was started.
_SETTLED_S = 60.0
_TO_END = frozenset({signal.SIGTERM, signal.SIGINT})
_HEARD = _TO_END | {signal.SIGCHLD}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_logger = logging.getLogger("convscope")


@dataclass
class _Member:
    """One of the processes. due: when it is to be started, where it does not run."""

    number: int
    starts: int = 0
    began: float = 0.0
    due: float = 0.0
    wait_s: float = 0.0


class Supervisor:
    """Keeps so many processes at work. It must be alone in its own: no threads, no event loop.

    work: what each does, told its number; raises SetupError if it cannot.
    folder: where each leaves `<number>.sock` as soon as it is ready.
    """

    def __init__(self, count: int, work: Callable[[int], None], folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._idle = [_Member(number) for number in range(count)]
        self._running: dict[int, _Member] = {}
        self._ending = False
        self._all_well = True
        self._failure: str | None = None

    def run(self) -> bool:
        """Work until told to end by SIGTERM or SIGINT; return whether all then ended well.

        Raises: SetupError if one ends before it was ever ready, when the others have ended too.
        """
        # Blocked, they wait until they are asked for: none is missed, and none interrupts. Of the
        # first process of a container the system would not even deliver them otherwise.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        while self._running or not self._ending:
            if not self._ending:
                self._start_due()
            heard = self._listen()
            if heard in _TO_END:
                self._end(heard)
            for pid, code in _ended():
                if member := self._running.pop(pid, None):  # a container's first has others too
                    self._note_end(member, code)
        if self._failure:
            raise SetupError(self._failure)
        return self._all_well

    def _listen(self) -> int | None:
        """Return the next signal, or None if it is time to start somebody."""
        if self._ending or not self._idle:
            return signal.sigwaitinfo(_HEARD).si_signo
        left = min(member.due for member in self._idle) - time.monotonic()
        info = signal.sigtimedwait(_HEARD, max(0.0, left))
        return info and info.si_signo

    def _start_due(self) -> None:
        now = time.monotonic()
        for member in [member for member in self._idle if member.due <= now]:
            self._idle.remove(member)
            member.starts, member.began = member.starts + 1, now
            parent = os.getpid()
            try:
                pid = os.fork()
            except OSError as error:  # the system has no room for another process now
                self._start_later(member, f"cannot be started: {error}")
                continue
            if not pid:
                self._be(member.number, parent)
            self._running[pid] = member

    def _be(self, number: int, parent: int) -> NoReturn:
        """Do the work, in a process of its own, and never return to what the parent was doing."""
        code = 1
        try:
            _end_with(parent)
            os.setsid()  # Ctrl-C is for the parent, which passes it on
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            self._work(number)
            code = 0
        except SetupError as error:
            self._last_words(number).write_text(str(error))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _end(self, told: int) -> None:
        self._ending = True
        for pid in self._running:
            os.kill(pid, told)

    def _note_end(self, member: _Member, code: int) -> None:
        manner, words = _manner(code), self._take_last_words(member.number)
        if self._ending:
            # who has not begun to answer may be ended by the signal itself
            if code != 0 and -code not in _TO_END:
                self._all_well = False
                _report(member, manner)
        elif member.starts == 1 and not (self._folder / f"{member.number}.sock").exists():
            self._failure = words or f"Process {member.number} {manner} before it was ready."
            self._end(signal.SIGTERM)
        else:
            self._start_later(member, f"cannot start: {words}" if words else manner)

    def _start_later(self, member: _Member, why: str) -> None:
        now = time.monotonic()
        before = 0.0 if now - member.began > _SETTLED_S else member.wait_s
        member.wait_s = min(max(_FIRST_WAIT_S, 2 * before), _LONGEST_WAIT_S)
        member.due = now + member.wait_s
        _report(member, f"{why}; it is started again in {member.wait_s:g} s")
        self._idle.append(member)

    def _take_last_words(self, number: int) -> str:
        words = ""
        with suppress(FileNotFoundError):
            words = self._last_words(number).read_text()
            self._last_words(number).unlink()
        return words

    def _last_words(self, number: int) -> Path:
        return self._folder / f"{number}.error"


def _end_with(parent: int) -> None:
    """Have the system kill this process when its parent dies, even if nobody could prepare it.

    Source: PR_SET_PDEATHSIG(2const).
    """
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)):
        raise OSError("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it was too late to ask
        os._exit(1)


def _ended() -> Iterator[tuple[int, int]]:
    """Yield id and exit code, negative for a signal, of every process that has ended."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _manner(code: int) -> str:
    if code < 0:
        return f"was killed by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with exit code {code}"


def _report(member: _Member, what: str) -> None:
    fields = {"process": member.number}
    _logger.error("process %d %s", member.number, what, extra={"fields": fields})
