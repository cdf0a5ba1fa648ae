"""How tests check the types written in the library, shapes of arrays included."""

import dataclasses
import inspect
from functools import partial
from typing import ForwardRef, Literal, Self, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, FrozenDict, beartype

# Functions are checked one by one, where "an instance of this class" has no class to mean.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: object})))

_with_shapes = jaxtyping.jaxtyped


def _has_shapes(hint):
    """Whether a hint names an array with a shape, or may do so once its text is read."""
    if isinstance(hint, str | ForwardRef):
        return True
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    parts = () if get_origin(hint) is Literal else hint if isinstance(hint, list) else get_args(hint)
    return any(map(_has_shapes, parts))


def _by_need(fn=None, *, typechecker):
    """Compare shapes in functions that name some; in the others only check types, at a 20th of the time."""
    if fn is None:
        return partial(_by_need, typechecker=typechecker)
    if inspect.isclass(fn):
        if dataclasses.is_dataclass(fn) and "__init__" in vars(fn):
            fn.__init__ = _by_need(fn.__init__, typechecker=typechecker)
        return fn
    shapes = any(map(_has_shapes, fn.__annotations__.values()))
    return _with_shapes(fn, typechecker=typechecker) if shapes else typechecker(fn)


jaxtyping.jaxtyped = _by_need  # what its import hook, see pyproject.toml, puts before each function
