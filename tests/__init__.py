"""How tests check the types written in the library, shapes of arrays included."""

import dataclasses
import inspect
from functools import partial, update_wrapper, wraps
from types import CellType, FunctionType
from typing import ForwardRef, Literal, Self, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, FrozenDict, beartype

# Functions are checked one by one, where "an instance of this class" has no class to mean.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: object})))

_with_arguments = jaxtyping.jaxtyped
_closures = {}


def _parts(hint):
    """List a hint and all that it is made of."""
    below = () if get_origin(hint) is Literal else hint if isinstance(hint, list) else get_args(hint)
    return [hint, *(part for each in below for part in _parts(each))]


def _is_shape(hint):
    return isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)


def _check_closure(fn, typechecker):
    """Reuse the check of an earlier closure of the same code: to make one takes a millisecond each time."""
    place = (fn.__code__, *map(repr, fn.__annotations__.items()))
    if place not in _closures:
        cells = tuple(CellType() for _ in fn.__code__.co_freevars)  # empty: nothing is held alive
        blank = FunctionType(fn.__code__, fn.__globals__, closure=cells)
        blank.__annotations__, blank.__qualname__ = fn.__annotations__, fn.__qualname__
        check = typechecker(blank)
        _closures[place] = None if check is blank else check
    if (check := _closures[place]) is None:
        return fn
    again = FunctionType(check.__code__, check.__globals__)
    again.__kwdefaults__ = {**check.__kwdefaults__, "__beartype_func": fn}  # what beartype's wrapper calls
    return update_wrapper(again, fn)


def _in_one_scope(fn):
    """Let a letter in the shapes of one call stand for one size."""

    @wraps(fn)
    def call(*args, **kwargs):
        with _with_arguments("context"):
            return fn(*args, **kwargs)

    return call


def _by_need(fn=None, *, typechecker):
    """Compare shapes in functions that name some; in the others only check types, at a 20th of the time."""
    if fn is None:
        return partial(_by_need, typechecker=typechecker)
    if inspect.isclass(fn):
        if dataclasses.is_dataclass(fn) and "__init__" in vars(fn):
            fn.__init__ = _by_need(fn.__init__, typechecker=typechecker)
        return fn
    hints = [part for hint in fn.__annotations__.values() for part in _parts(hint)]
    named = any(isinstance(hint, str | ForwardRef) for hint in hints)  # perhaps by names not there in tests
    shaped = any(map(_is_shape, hints))
    if named or (shaped and inspect.isgeneratorfunction(fn)):  # whose calls end before they have begun
        return _with_arguments(fn, typechecker=typechecker)
    checks = _check_closure(fn, typechecker) if "<locals>" in fn.__qualname__ else typechecker(fn)
    return _in_one_scope(checks) if shaped else checks


jaxtyping.jaxtyped = _by_need  # what its import hook, see pyproject.toml, puts before each function
