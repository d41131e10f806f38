"""The workers of one number of threads, told to take turns."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.asking import Asked
from benchmarks.children import Children

from .cases import Case
from .libraries import LIBRARIES

__all__ = ["Field", "Runner", "Solver"]


class Runner(Asked):
    """A worker.

    Args:
        library: a module of `libraries`.
        threads: how many it may use.
    """

    def __init__(self, library: str, threads: int) -> None:
        self.library = library
        super().__init__(
            f"{__package__}.worker",
            [library, str(threads)],
            {"CONVOLVED_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)},
        )


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
            self._runners.append(self._children.add(Runner(library, self.threads)))
        for runner in tuple(self._runners):
            reason = runner.greet()
            if reason:
                self.absent[runner.library.removesuffix("_here")] = reason
                self._runners.remove(runner)
        return self

    def __exit__(self, *_: object) -> None:
        self._children.close()
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
