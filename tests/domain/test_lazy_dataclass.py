"""`lazy_dataclass` does what the standard decorator does, at the first use of a class."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Barrier
from types import ModuleType
from typing import Any, ClassVar

import pytest

import bot
import commands
from bot.domain.core import frozen, lazy_dataclass

Decorator = Callable[..., Any]
BOTH = pytest.mark.parametrize("dataclass", [dataclasses.dataclass, lazy_dataclass.dataclass])


def family(dataclass: Decorator) -> tuple[type[Any], type[Any], type[Any]]:
    """A frozen class, one that inherits from it, and a plain subclass of that."""

    @dataclass(frozen=True)
    class Point:
        """A point."""

        KIND: ClassVar[str] = "point"
        x: int
        y: int = 2
        names: list[str] = dataclasses.field(default_factory=list, compare=False)

        @cached_property
        def total(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True)
    class Named(Point):
        """A point with a name."""

        name: str = dataclasses.field(default="n", repr=False)

    class Plain(Named):
        def __init__(self) -> None:
            super().__init__(7, name="plain")

    return Point, Named, Plain


@BOTH
def test_a_class_behaves_as_the_standard_one(dataclass: Decorator) -> None:
    point, named, plain = family(dataclass)
    assert named(1, name="a") == named(1, 2, ["not compared"], "a") != named(1, name="b")
    assert named(1) != point(1)
    assert repr(point(1)).endswith("Point(x=1, y=2, names=[])")
    assert repr(named(1)).endswith("Named(x=1, y=2, names=[])")
    assert len({point(1), point(1, 2), point(2)}) == 2
    assert point(1).names is not point(1).names
    assert point(1, 4).total == 5
    assert plain().x == 7
    assert plain().name == "plain"
    assert [f.name for f in dataclasses.fields(named)] == ["x", "y", "names", "name"]
    assert dataclasses.is_dataclass(plain)
    assert dataclasses.replace(named(1), x=9) == named(9)
    assert dataclasses.asdict(point(1)) == {"x": 1, "y": 2, "names": []}
    with pytest.raises(dataclasses.FrozenInstanceError):
        point(1).x = 2
    match named(1, 3):
        case named(x, y):
            assert (x, y) == (1, 3)
        case _:
            pytest.fail("a class pattern did not match")


@BOTH
@pytest.mark.parametrize(
    ("args", "values", "words"),
    [
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((1, 2, 3, 4), {}, "takes from 2 to 4 positional arguments but 5 were given"),
        ((1,), {"z": 1}, "got an unexpected keyword argument 'z'"),
    ],
)
def test_wrong_arguments_get_the_standard_error(
    dataclass: Decorator, args: tuple[int, ...], values: dict[str, int], words: str
) -> None:
    point, _, _ = family(dataclass)
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) ") as error:
        point(*args, **values)
    assert words in str(error.value)


@BOTH
@pytest.mark.parametrize("kind", [0, 1])
def test_the_signature_is_the_generated_one(dataclass: Decorator, kind: int) -> None:
    names = ["x", "y", "names", "name"][: 3 + kind]
    assert list(inspect.signature(family(dataclass)[kind]).parameters) == names


@BOTH
def test_options_and_hooks_are_kept(dataclass: Decorator) -> None:
    @dataclass(order=True, kw_only=True)
    class Version:
        """A version."""

        major: int
        seen: dataclasses.InitVar[list[int]]

        def __post_init__(self, seen: list[int]) -> None:
            seen.append(self.major)

    seen: list[int] = []
    assert Version(major=1, seen=seen) < Version(major=2, seen=seen)
    assert seen == [1, 2]
    with pytest.raises(TypeError, match="positional"):
        Version(1, seen)

    @dataclass(eq=False)
    class Own:
        """It has an ``__init__`` of its own."""

        value: int

        def __init__(self) -> None:
            self.value = 3

    assert Own().value == 3
    assert Own() != Own()
    assert repr(Own()).endswith("Own(value=3)")


def test_nothing_is_generated_before_the_first_use() -> None:
    point, named, _ = family(lazy_dataclass.dataclass)
    assert "__eq__" not in vars(point)
    assert "__eq__" not in vars(named)
    point(1)
    assert "__eq__" in vars(point)
    assert "__eq__" not in vars(named)


def test_slots_are_refused() -> None:
    with pytest.raises(TypeError, match=r"use dataclasses\.dataclass"):
        lazy_dataclass.dataclass(slots=True)(type("Some", (), {}))


def test_an_instance_made_without_init_is_whole() -> None:
    _, named, _ = family(lazy_dataclass.dataclass)
    made = frozen.make(named, x=1, names=[])
    assert made.name == "n"
    assert made == named(1)


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns after a microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_two_threads_may_use_a_class_for_the_first_time_at_once() -> None:
    for _ in range(50):
        _, named, _ = family(lazy_dataclass.dataclass)
        threads = 4
        start = Barrier(threads)

        def make(kind: type[Any] = named, start: Barrier = start) -> Any:
            start.wait()
            return kind(1, name="same")

        with ThreadPoolExecutor(threads) as pool:
            made = [future.result() for future in [pool.submit(make) for _ in range(threads)]]
        assert len(set(made)) == 1


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def test_the_fields_of_every_class_are_valid() -> None:
    stub = type(vars(lazy_dataclass.dataclass(type("Some", (), {})))["__dataclass_fields__"])
    modules = [m for package in (bot, commands) for m in _modules(package)]
    classes = {c for m in modules for c in vars(m).values() if isinstance(c, type) and c.__module__ == m.__name__}
    for found in classes:
        if "__dataclass_fields__" in vars(found):
            assert dataclasses.fields(found) is not None
            assert not isinstance(vars(found)["__dataclass_fields__"], stub)
    assert sys.modules["bot.domain.core.workload"] in modules
