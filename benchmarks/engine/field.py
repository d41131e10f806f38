"""The workers of one number of threads, told to take turns."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.children import Child, Children

from .cases import Case
from .libraries import LIBRARIES

__all__ = ["Field", "Runner", "Solver"]

_START_SECONDS = 120.0
_ANSWER_SECONDS = 300.0


class Runner:
    """A worker.

    Args:
        library: a module of `libraries`.
        threads: how many it may use.
    """

    def __init__(self, library: str, threads: int) -> None:
        self.library = library
        self.child = Child(
            f"{__package__}.worker",
            [library, str(threads)],
            {"CONVOLVED_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)},
        )

    def greet(self) -> str:
        """Wait until it is ready; the reason if it cannot be."""
        return str(json.loads(self.child.receive(_START_SECONDS)).get("absent", ""))

    def ask(self, do: str, **arguments: Any) -> Any:
        """Tell it what to do; return its answer.

        Raises:
            RuntimeError: with what went wrong there.
        """
        self.child.send(json.dumps({"do": do, **arguments}))
        answer = json.loads(self.child.receive(_ANSWER_SECONDS))
        if "error" in answer:
            raise RuntimeError(f"{self.library}, {do} {arguments}: {answer['error']}")
        return answer["answer"]


class Solver:
    """One manner in which a contender solves a case.

    Attributes:
        contender: its name.
        manner: how.
        first: seconds of its first call.
        error: its greatest, relative to the greatest output.
    """

    def __init__(self, runner: Runner, solution: str) -> None:
        self.contender, _, self.manner = solution.partition("|")
        self._runner, self._solution = runner, solution
        self.first, self.error = runner.ask("check", solution=solution)

    def visit(self, seconds: float) -> float:
        """The median time of calls for about so many seconds."""
        return float(self._runner.ask("visit", solution=self._solution, seconds=seconds))


class Field:
    """All workers with one number of threads; a context manager.

    Args:
        threads: of each.

    Attributes:
        threads: of each.
        ours: the worker that runs this project's engine.
        absent: libraries that are not there, and why.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.absent: dict[str, str] = {}
        self._children = Children()
        self._folder = tempfile.TemporaryDirectory()
        self._runners: list[Runner] = []

    def __enter__(self) -> Field:
        for library in LIBRARIES:
            runner = Runner(library, self.threads)
            self._children.add(runner.child)
            self._runners.append(runner)
        for runner in tuple(self._runners):
            reason = runner.greet()
            if reason:
                self.absent[runner.library.removesuffix("_here")] = reason
                self._runners.remove(runner)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._children.__exit__(kind, error, trace)
        self._folder.cleanup()

    @property
    def ours(self) -> Runner:
        return self._runners[0]

    def prepare(self, case: Case) -> tuple[list[Solver], dict[str, str]]:
        """Every solution of a case, called once; and who has none, with the reason."""
        path = str(Path(self._folder.name) / "wanted.npy")
        self.ours.ask("reference", case=case.name, path=path)
        solvers: list[Solver] = []
        reasons: dict[str, str] = {}
        for runner in self._runners:
            for contender, told in runner.ask("prepare", case=case.name, path=path).items():
                if "reason" in told:
                    reasons[contender] = told["reason"]
                solvers += [Solver(runner, each) for each in told.get("solutions", ())]
        return solvers, reasons
