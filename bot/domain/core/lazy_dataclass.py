"""`dataclasses.dataclass`, whose methods are generated when a class is first used.

The standard decorator compiles up to seven functions for each class. That takes 0.6 ms, and the modules that the
bot imports at start have 180 classes, most of them without an instance when the bot is ready. Here a class gets a
stub of ``__init__`` and of the attributes that tell its fields and its signature. At the first use of any, the
standard decorator does its work, once, and the stubs are gone. A type checker sees the standard decorator.

Two differences remain. A mistake in the fields, such as a mutable default, is found at the first use. And until
then a default made with `dataclasses.field` can't be read from the class. ``slots=True`` is refused: it makes
another class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from threading import RLock

    _lock = RLock()
    """Held while methods are generated: two threads may use a class for the first time at once."""

    def dataclass(cls=None, /, **options):
        """As `dataclasses.dataclass`, later."""
        if cls is None:
            return lambda kind: dataclass(kind, **options)
        if options.get("slots"):
            raise TypeError("slots=True makes another class: use dataclasses.dataclass")
        if "__init__" in cls.__dict__ or not options.get("init", True):
            return dataclasses.dataclass(cls, **options)
        pending = True

        def generate():
            nonlocal pending
            with _lock:
                if not pending:
                    return
                if "__signature__" in cls.__dict__:
                    del cls.__signature__  # the decorator may read it
                dataclasses.dataclass(cls, **{**options, "init": False})
                cls.__init__ = _generated_init(cls, options)
                pending = False

        def first_init(self, *args, **values):
            generate()
            cls.__init__(self, *args, **values)

        cls.__init__ = first_init
        for name in ("__dataclass_fields__", "__signature__"):
            setattr(cls, name, _Stub(name, generate))
        return cls

    class _Stub:
        """Stands for an attribute of the class until the methods are generated."""

        def __init__(self, name, generate):
            self.name, self.generate = name, generate

        def __get__(self, instance, owner):
            self.generate()
            # A class has no signature of its own: `inspect` then reads that of ``__init__``.
            return getattr(owner, self.name)

    def _generated_init(cls, options):
        """The standard ``__init__`` for the fields of ``cls``, made on a class that inherits them all.

        ``cls`` itself never is without one, which another thread would see.
        """
        made = type(cls)(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": ""})
        dataclasses.dataclass(made, frozen=options.get("frozen", False), eq=False, repr=False)
        made.__init__.__qualname__ = f"{cls.__qualname__}.__init__"
        return made.__init__
