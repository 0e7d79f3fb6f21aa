"""The functions and classes that grading relies on: what they were, whether any has been replaced, and back to what they were.

A course's drivers hold tens of thousands of methods, and they are looked at around every check cell. So all of them are first
compared at once, by loops that run in C; only when something differs is each looked at by itself.
"""

import gc

# Whatever a learner replaces:
from builtins import all, delattr, dict, getattr, isinstance, list, map, set, setattr, type, vars  # noqa: UP029
from collections.abc import Iterable
from itertools import chain
from operator import attrgetter, is_, itemgetter
from types import BuiltinFunctionType, FunctionType, ModuleType

NOT_GUARDED = {"input", "_", "__annotations__", "__doc__"}      # ipykernel swaps `input` around every cell
DESCRIPTORS = FunctionType | BuiltinFunctionType | classmethod | staticmethod | property
PARTS = ("__code__", "__defaults__", "__kwdefaults__")          # of a function
END = object()
IMMUTABLE = 1 << 8                                               # Py_TPFLAGS_IMMUTABLETYPE



class Guarded:
    """What `modules` (name → module) hold at this moment."""

    def __init__(self, modules: dict[str, ModuleType]):
        self.places = [place for module in modules.values() for place in _places(module)]
        classes = {owner: None for owner, *_ in self.places if isinstance(owner, type)}
        self.added = [(owner, set(vars(owner))) for owner in classes]
        self._tables = [gc.get_referents(vars(owner))[0] for owner in classes]      # the dict behind a class's mappingproxy
        number = {owner: i for i, owner in enumerate(classes)}
        self._members = [(number[owner], attribute, value) for owner, attribute, value, _ in self.places if owner in number]
        self._functions = list({id(owner): owner for owner, *_ in self.places if isinstance(owner, FunctionType)}.values())
        names: dict[int, tuple[dict, list[str]]] = {}
        for owner, attribute, *_ in self.places:
            if isinstance(owner, ModuleType):
                names.setdefault(id(owner), (vars(owner), []))[1].append(attribute)
        self._modules = [(table, itemgetter(*them, them[0])) for table, them in names.values()]     # two at least: a tuple
        self._of_classes, self._of_others = list(_contents(self._tables)), list(self._others())

    def restore(self) -> list[str]:
        """Put back what was replaced, take out what was added; returns the names of it."""
        if all(map(is_, chain(_contents(self._tables), self._others()), chain(self._of_classes, self._of_others))):
            return []
        found = [name for owner, attribute, value, name in self.places if _put_back(owner, attribute, value)]
        for owner, names in self.added:
            found += [_remove(owner, name) for name in set(vars(owner)) - names if isinstance(vars(owner)[name], DESCRIPTORS)]
        # A class may keep a count or a cache, which is no harm: that is noted anew. A thread may be replacing things at this
        # moment, so it is noted from copies, and only if these hold what they must.
        copies = [dict(table) for table in self._tables]
        if all(copies[i].get(attribute) is value for i, attribute, value in self._members):
            self._of_classes = list(_contents(copies))
        return found

    def _others(self) -> Iterable:
        """What else could be replaced, in the same order each time, then END: one more or less shows too."""
        return chain(chain.from_iterable(map(attrgetter(part), self._functions) for part in PARTS),
                     chain.from_iterable(map(_values, self._modules)), (END,))


def _contents(tables: list[dict]) -> Iterable:
    """The names and values in some dicts."""
    return chain(chain.from_iterable(tables), chain.from_iterable(map(dict.values, tables)))


def _values(module: tuple[dict, itemgetter]) -> tuple:
    """A module's guarded functions and classes; nothing if one was deleted."""
    try:
        return module[1](module[0])
    except KeyError:
        return ()


def _places(module: ModuleType):
    """(owner, attribute, value, name): a module's functions and classes, the classes' methods, and the code of all of these."""
    for attribute, value in list(vars(module).items()):
        if attribute in NOT_GUARDED or not isinstance(value, FunctionType | BuiltinFunctionType | type):
            continue
        name = f"{module.__name__}.{attribute}"
        yield module, attribute, value, name
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if not isinstance(value, type):
            yield from _code(value, name)
        elif not value.__flags__ & IMMUTABLE:
            for part, member in list(vars(value).items()):
                if isinstance(member, DESCRIPTORS):
                    yield value, part, member, f"{name}.{part}"
                    yield from _code(_function(member), f"{name}.{part}")


def _code(function, name: str):
    if isinstance(function, FunctionType):
        for part in PARTS:
            yield function, part, getattr(function, part), name


def _function(member):
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def _put_back(owner, attribute: str, value) -> bool:
    """Make `owner.attribute` be `value` again; was it something else?"""
    try:
        if (vars(owner).get(attribute) if isinstance(owner, type | ModuleType) else getattr(owner, attribute)) is value:
            return False
        if isinstance(owner, ModuleType):
            vars(owner)[attribute] = value
        else:
            setattr(owner, attribute, value)
        return True
    except (AttributeError, TypeError):       # a class that allows no changes had none
        return False


def _remove(owner: type, name: str) -> str:
    delattr(owner, name)
    return f"{owner.__module__}.{owner.__qualname__}.{name}"
