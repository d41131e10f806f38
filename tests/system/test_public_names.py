"""What a user can import says what it is: every argument, every error, an example that runs.

`make types` holds the types of the same names; the examples run with the doctests.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

import convolved
import convolved_engine
import convolved_vocabulary
from convolved import AsyncClient, Client, ConvolvedError
from convolved.functions import Functions

PACKAGES = (convolved, convolved_vocabulary, convolved_engine)

# Names without an example of their own, each with the reason.
NO_EXAMPLE = {
    "AsyncStream": "the example of AsyncClient shows one",
    "Candidate": "part of a Plan, whose maker shows it",
    "FilterInfo": "Client.get_filter shows it",
    "Gradients": "Client.gradients and convolved_engine.gradients show it",
    "LayerPlan": "part of a Plan, whose maker shows it",
    "Layout": "arrange and layout_of show it",
    "Limits": "part of a ServerInfo",
    "Plan": "Client.plan and convolved_engine.plan show it",
    "RegisteredFilter": "Client.register shows it",
    "ResumeEvent": "comes when a server is lost; docs/quickstart-realtime.md shows it",
    "ServerInfo": "Client.info shows it",
    "SignalType": "its methods show it",
    "warm_up": "takes nothing, gives nothing, and may take seconds",
}


@dataclass(frozen=True)
class Public:
    """Something that users can name: a class, a function, or a member of a class."""

    path: str
    value: Any
    owner: type | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.value) or ""

    @property
    def docs(self) -> list[str]:
        """Its docstring, and those of what it overrides."""
        if self.owner is None:
            return [self.doc]
        found = [getattr(base, self.name, None) for base in self.owner.__mro__]
        return [self.doc, *(inspect.getdoc(each) or "" for each in found if each is not None)]

    @property
    def parameters(self) -> list[str]:
        found = inspect.signature(self.value).parameters
        return [name for name in found if name not in ("self", "cls")]

    @property
    def function(self) -> Callable[..., Any] | None:
        """What runs when it is called, if it was written by hand."""
        called = self.value.__init__ if inspect.isclass(self.value) else self.value
        called = getattr(called, "__func__", called)
        written = inspect.isfunction(called) and called.__code__.co_filename != "<string>"
        return called if written and ours(called) else None


def ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0].startswith("convolved")


def exported(package: ModuleType) -> Iterator[Public]:
    for name in package.__all__:
        yield Public(f"{package.__name__}.{name}", getattr(package, name))


def members(public: Public) -> Iterator[Public]:
    if not inspect.isclass(public.value):
        return
    for name, value in inspect.getmembers(public.value):
        static = inspect.getattr_static(public.value, name)
        documented = isinstance(static, property) or type(static).__name__ == "cached_property"
        if name[0] != "_" and (documented or (inspect.isroutine(value) and ours(value))):
            yield Public(f"{public.path}.{name}", static if documented else value, public.value)


def is_error(public: Public) -> bool:
    return inspect.isclass(public.value) and issubclass(public.value, ConvolvedError)


# A name that the vocabulary defines and the client hands on is looked at once.
NAMED = list({id(p.value): p for package in PACKAGES for p in exported(package)}.values())
EVERY = [*NAMED, *(member for public in NAMED for member in members(public))]
CALLED = [public for public in EVERY if callable(public.value)]
OF_CLIENTS = [p for p in EVERY if p.owner in (Client, AsyncClient) and callable(p.value)]


def each(several: list[Public]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("public", several, ids=lambda public: public.path)


def section(doc: str, title: str) -> dict[str, str]:
    """The entries of a section of a docstring, by name."""
    text = re.search(rf"^{title}:\n((?:(?:    .*)?\n?)*)", doc, re.MULTILINE)
    return dict(re.findall(r"^    (\w+): (.+)$", text[1], re.MULTILINE)) if text else {}


def raised(function: Callable[..., Any]) -> set[str]:
    """The errors that a function raises by name, itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = {ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)}
    return {name.rpartition(".")[2] for name in names} & set(convolved.__all__)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_package_lists_its_names_once_and_in_order(package: ModuleType) -> None:
    constants = [name for name in package.__all__ if name.isupper()]
    words = [name for name in package.__all__ if not name.isupper()]
    assert package.__all__ == constants + sorted(set(words))


@each(EVERY)
def test_a_name_says_in_a_sentence_what_it_is(public: Public) -> None:
    first = public.doc.partition("\n\n")[0]
    assert first, "no docstring"
    assert first[0].isupper() or first[0] in "(`"
    assert first[-1] in ".:"


@each(CALLED)
def test_every_argument_is_named_and_no_other(public: Public) -> None:
    told = section(public.doc, "Args") or (
        section(public.doc, "Attributes") if inspect.isclass(public.value) else {}
    )
    if is_error(public) or "; made by `" in public.doc.partition("\n\n")[0]:
        return
    if told:
        assert list(told) == public.parameters
        return
    backquoted = set(re.findall(r"`(\w+)`", " ".join(public.docs)))
    for name in public.parameters:
        plain = len(public.parameters) == 1 and any(
            re.search(rf"\b{name}\b", doc) for doc in public.docs
        )
        assert name in backquoted or plain, name


@each([public for public in NAMED if dataclasses.is_dataclass(public.value)])
def test_every_field_is_explained(public: Public) -> None:
    told = section(public.doc, "Args") | section(public.doc, "Attributes")
    arguments = {"pads": "padding"}
    for field in dataclasses.fields(public.value):
        assert arguments.get(field.name, field.name) in told or field.name in told, field.name


@each(EVERY)
def test_every_error_that_is_told_is_one(public: Public) -> None:
    for name in section(public.doc, "Raises"):
        found = getattr(convolved, name, None) or getattr(builtins, name)
        assert issubclass(found, BaseException), name


@each([public for public in CALLED if public.function is not None])
def test_every_error_that_is_raised_is_told(public: Public) -> None:
    assert public.function is not None
    told = {name for doc in public.docs for name in section(doc, "Raises")}
    assert raised(public.function) <= told


@each([public for public in NAMED if callable(public.value) and not is_error(public)])
def test_a_name_shows_by_an_example_what_it_does_or_is_listed(public: Public) -> None:
    assert (">>> " in public.doc) != (public.name in NO_EXAMPLE)


@each([p for p in OF_CLIENTS if p.owner is Client and p.name != "close"])
def test_every_call_of_the_client_shows_an_example(public: Public) -> None:
    shown = inspect.getdoc(Client) or ""
    assert ">>> " in public.doc or f".{public.name}(" in shown


@each([public for public in OF_CLIENTS if public.owner is AsyncClient])
def test_the_async_client_tells_the_arguments_and_errors_of_the_client(public: Public) -> None:
    twin = inspect.getdoc(getattr(Client, public.name)) or ""
    assert list(section(public.doc, "Args")) == list(section(twin, "Args"))
    assert set(section(public.doc, "Raises")) >= set(section(twin, "Raises"))
    told_for_both = public.name in vars(Functions)
    assert told_for_both or ">>> client." not in public.doc


def test_errors_are_one_tree_below_one_root() -> None:
    errors = [public.value for public in NAMED if is_error(public)]
    assert len(errors) > 10
    tree = inspect.getmodule(ConvolvedError).__doc__ or ""
    for error in errors:
        assert re.search(rf"\b{error.__name__}\b", tree), error.__name__


class Faulty:
    """Something that is said badly.

    Args:
        first: the first.
    """

    def __init__(self, first: int, second: int) -> None:
        raise convolved.NotFound(f"{first} {second}")

    def work(self, amount: int, unit: str) -> None:
        """Work a certain amount."""
        raise NotImplementedError


@pytest.mark.parametrize(
    "public", [Public("Faulty", Faulty), Public("Faulty.work", Faulty.work, Faulty)]
)
def test_an_argument_that_is_not_told_is_found(public: Public) -> None:
    with pytest.raises(AssertionError):
        test_every_argument_is_named_and_no_other(public)


def test_an_error_that_is_not_told_is_found() -> None:
    with pytest.raises(AssertionError):
        test_every_error_that_is_raised_is_told(Public("Faulty", Faulty))
