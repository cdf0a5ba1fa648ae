"""How tests check the types written in the library, shapes of arrays included."""

from typing import Self

from beartype import BeartypeConf, FrozenDict, beartype

# Functions are checked one by one, where "an instance of this class" has no class to mean.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: object})))
