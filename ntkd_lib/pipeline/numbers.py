"""Numbers in prose: roles that name a metric of the evidence, filled when the book is staged."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from ntkd_lib.lab import Evidence, Metric, load_evidence, project_root, results_root
from ntkd_lib.lab.checks import numbers_by_seed
from ntkd_lib.lab.statistics import Interval, fieller_interval, student_interval
from ntkd_lib.lab.verdicts import preference
from ntkd_lib.pipeline.errors import PipelineError, nearest
from ntkd_lib.show import MINUS, NONE, Html, element

LIVE = "live"
ROLE = re.compile(
    r"(?P<code>^```.*?^```|(?<!`)``[^`].*?``)|\{(?P<role>val|param|paper|setup)\}`(?P<text>[^`]+)`",
    re.MULTILINE | re.DOTALL,
)
README_VALUE = re.compile(r"<!-- val (?P<text>.+?) -->.*?<!-- /val -->", re.DOTALL)
QUANTITIES = ("interval", "seeds", "wins", "order", "lowest", "highest", "spread", "date", "device")
_NAME = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+"
_VALUE = re.compile(
    rf"(?:(?P<quantity>{'|'.join(QUANTITIES)}|seed \d+) of )?(?P<first>{_NAME})"
    rf"(?: (?P<sign>[-/]) (?P<second>{_NAME}))?(?: @(?P<run>[\w/-]+))?(?: :(?P<form>\S+))?"
)
_PARAMETER = re.compile(r"(?P<count>count of )?(?P<name>[a-z][a-z0-9_]*)(?: @(?P<run>[\w/-]+))?")
_FORM = re.compile(r"\+?,?\.[0-9][fg]?")
_PLAIN = frozenset({"seeds", "wins", "order", "date", "device"})
Shown = tuple[str, str, Evidence]  # what a reader sees, its source in words, and the run
_ORDERS = {1: "is above", -1: "is below", 0: "cannot be told from"}


@dataclass
class Page:
    """A page whose numbers are filled."""

    name: str
    tier: str  # that the book is built for; empty for the README
    runs: Mapping[str, Evidence]  # recorded evidence by file name
    live: Evidence | None = None  # of the page's own run
    draft: bool = False  # whether roles that need the page's own run are left as they are
    count: int = field(default=0, init=False)

    def fill(self, text: str) -> str:
        """Replace every role of a Markdown text by HTML."""
        return ROLE.sub(lambda match: match["code"] or self._replaced(match), text)

    def plain(self, text: str) -> str:
        """Rewrite the numbers between the marks of a Markdown text that no book shows."""
        return README_VALUE.sub(
            lambda match: f"<!-- val {match[1]} -->{self._read(match[1], _reading)[0]}<!-- /val -->", text
        )

    def _replaced(self, match: re.Match[str]) -> str:
        role, text = str(match["role"]), " ".join(match["text"].split())
        if role in ("paper", "setup"):
            return element("span", text, class_=f"ntkd-{role}")
        if self.draft and (role == "param" or f"@{LIVE}" in text) and "@" not in text.replace(f"@{LIVE}", ""):
            return match[0]
        return self._marked(*self._read(text, _reading if role == "val" else _parameter))

    def _read(self, text: str, read: Callable[[str, "Page"], Shown]) -> Shown:
        try:
            return read(text, self)
        except ValueError as error:
            raise PipelineError(f"{self.name}: number {text!r} in prose: {error}") from None

    def _marked(self, shown: str, source: str, origin: Evidence) -> Html:
        self.count += 1
        name = f"ntkd-number-{self.count}"
        kind = "recorded" if origin.recorded else LIVE
        tip = element("span", f" {source}", class_="ntkd-source", id=name, role="tooltip")
        tier = origin.tier if origin.tier != self.tier else None
        words = {"class_": f"ntkd-bound ntkd-{kind}", "tabindex": "0", "aria_describedby": name}
        marked = element("span", shown, tip, **words, data_tier=tier)
        return Html(re.sub(r"[_*|${}\[\]]", lambda sign: f"&#{ord(sign[0])};", marked))


def recorded_runs() -> dict[str, Evidence]:
    """Load all recorded evidence by file name; the reference run of tier cpu below ``cpu/``."""
    root = results_root()
    paths = [*sorted(root.glob("*.json")), *sorted((root / "cpu").glob("*.json"))]
    runs = {path.relative_to(root): load_evidence(path, recorded=True) for path in paths}
    return {path.with_suffix("").as_posix(): run for path, run in runs.items()}


def answers(tier: str, runs: Mapping[str, Evidence]) -> str:
    """Read the answers between the marks of README.md, with the book's sources of each number."""
    parts = (project_root() / "README.md").read_text(encoding="utf-8").split(mark := "<!-- answers -->")
    if len(parts) != 3:
        raise PipelineError(f"README.md holds the mark {mark} {len(parts) - 1} times; it must stand twice")
    return Page("README.md", tier, runs).fill(README_VALUE.sub(r"{val}`\g<text>`", parts[1]))


def check_prose() -> None:
    """Check the numbers of all notebooks' prose that rest on recorded evidence, before anything runs."""
    runs = recorded_runs()
    for path in sorted((project_root() / "notebooks").glob("*.py")):
        text = path.read_text(encoding="utf-8").replace("\n# ", "\n")
        Page(path.stem, "", runs, draft=True).fill(text)


@dataclass(frozen=True)
class _Sample:
    values: Sequence[float]  # one number per seed, or one for all seeds
    seeds: Sequence[int]
    interval: Interval | None


def _reading(text: str, page: Page) -> Shown:
    if (match := _VALUE.fullmatch(text)) is None:
        raise ValueError("not of the form [QUANTITY of] METRIC [- METRIC] [@RUN] :FORMAT")
    names = [name for name in (match["first"], match["second"]) if name]
    label, run = _find_run(names, match["run"], page)
    if (run.reference or not run.standard) and not run.metrics.keys() >= set(names):
        return NONE, f"{names[0]} is not measured with these parameters. {_origin(label, run)}", run
    sample = _sample([run.metrics[name] for name in names], match["sign"])
    quantity = match["quantity"] or "value"
    shown = _shown(quantity, sample, run, _checked_form(match["form"], quantity))
    title = f" {match['sign']} ".join(names).replace(" - ", f" {MINUS} ")
    source = f"{title}: {_spread(sample, len(names))}. {_origin(label, run)}{_unsettled(run, names)}"
    return shown, source, run


def _parameter(text: str, page: Page) -> Shown:
    if (match := _PARAMETER.fullmatch(text)) is None:
        raise ValueError("not of the form [count of] PARAMETER [@RUN]")
    label, run = _find_run([], match["run"] or LIVE, page)
    if match["name"] not in run.parameters:
        if run.reference:  # older than the parameter
            return NONE, f"parameter {match['name']} is younger. {_origin(label, run)}", run
        raise ValueError(f"no such parameter{nearest(match['name'], run.parameters)}")
    value = run.parameters[match["name"]]
    shown = str(len(value)) if match["count"] else _parameter_text(value)
    return shown, f"parameter {match['name']}. {_origin(label, run)}", run


def _parameter_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_parameter_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _find_run(names: Sequence[str], label: str | None, page: Page) -> tuple[str, Evidence]:
    if label == LIVE:
        if page.live is None:
            raise ValueError("this page has no run of its own")
        if page.live.reference:
            return f"cpu/{page.live.notebook}", page.live
        return LIVE, _having(names, page.live) if page.live.standard else page.live
    if label is not None:
        if label not in page.runs:
            raise ValueError(f"no recorded run {label!r}{nearest(label, page.runs)}")
        return label, _having(names, page.runs[label])
    holding = {label: run for label, run in page.runs.items() if run.metrics.keys() >= set(names)}
    if not holding:
        recorded = {name for run in page.runs.values() for name in run.metrics}
        unknown = next((name for name in names if name not in recorded), None)
        close = nearest(unknown, recorded) if unknown else ""
        raise ValueError(f"no recorded evidence holds {unknown or ' and '.join(names)}{close}")
    # recorded protocols before the reference run, then as verdicts choose
    return max(holding.items(), key=lambda item: (not item[0].startswith("cpu/"), preference(item[1])))


def _having(names: Sequence[str], run: Evidence) -> Evidence:
    if missing := [name for name in names if name not in run.metrics]:
        raise ValueError(f"that run does not hold {missing[0]}{nearest(missing[0], run.metrics)}")
    return run


def _sample(metrics: Sequence[Metric], sign: str | None) -> _Sample:
    seeds = sorted(set.intersection(*(set(metric.seeds) for metric in metrics)))
    if not seeds:
        raise ValueError("the two metrics share no seed")
    numbers = [numbers_by_seed(metric, seeds) for metric in metrics]
    if sign == "/":
        paired = len(numbers[0]) == len(numbers[1])
        ratio = mean(numbers[0]) / mean(numbers[1])
        return _Sample([ratio], seeds, fieller_interval(*numbers) if paired else None)
    values = numbers[0] if sign is None else [a - b for a, b in zip(*numbers, strict=True)]
    return _Sample(values, seeds, student_interval(values))


def _checked_form(form: str | None, quantity: str) -> str:
    if (form is None) != (quantity in _PLAIN):
        raise ValueError("takes no format" if form else "needs a format such as :.1f")
    if form is None:
        return ""
    if _FORM.fullmatch(form) is None:
        raise ValueError(f"bad format {form!r}; allowed: + and , if wanted, then .0 to .9, f or g")
    return form if form[-1] in "fg" else f"{form}f"


def _shown(quantity: str, sample: _Sample, run: Evidence, form: str) -> str:
    count = len(sample.seeds)
    match quantity.split():
        case ["seed", seed]:
            return _number(_of_seed(sample, int(seed)), form)
        case ["interval"]:
            if sample.interval is None:
                raise ValueError("a single number has no interval")
            return " to ".join(_number(end, form) for end in sample.interval)
        case ["date" | "device"]:
            return str(run.provenance.get("time" if quantity == "date" else quantity) or "not known")[:10]
        case ["order"]:
            low, high = sample.interval or (0.0, 0.0)
            return _ORDERS[(low > 0) - (high < 0)]
        case ["seeds"]:
            return str(count)
        case ["wins"]:
            return f"{sum(value > 0 for value in sample.values)} of {count}"
    reduce = {"value": mean, "lowest": min, "highest": max, "spread": stdev}[quantity]
    return _number(reduce(sample.values), form)


def _of_seed(sample: _Sample, seed: int) -> float:
    if seed not in sample.seeds or len(sample.values) < len(sample.seeds):
        raise ValueError(f"no number for seed {seed}; seeds: {', '.join(map(str, sample.seeds))}")
    return sample.values[list(sample.seeds).index(seed)]


def _number(value: float, form: str) -> str:
    return f"{round(value, 12) + 0.0 if form[-1] == 'f' else value:{form}}".replace("-", MINUS)


def _spread(sample: _Sample, metrics: int) -> str:
    value = _number(mean(sample.values), ".4g")
    if sample.interval is None:
        return f"{value}, no interval ({_seed_words(sample.seeds)})"
    low, high = (_number(end, ".4g") for end in sample.interval)
    paired = ", paired by seed" if metrics > 1 else ""
    return f"mean over {_seed_words(sample.seeds)} {value}, 95 % interval {low} to {high} (Student t{paired})"


def _seed_words(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"


def _origin(label: str, run: Evidence) -> str:
    facts = run.provenance
    protocol = f", protocol {run.protocol}" if run.protocol else ""
    where = "Live: this page's own run" if label == LIVE else f"Recorded: results/{label}.json"
    commit = str(facts.get("commit") or "not known")[:8]
    return (
        f"{where}{protocol}, tier {run.tier}, {str(facts.get('time') or '')[:10]}, "
        f"device {facts.get('device') or 'not known'}, commit {commit}"
    )


def _unsettled(run: Evidence, names: Sequence[str]) -> str:
    flags = [run.metrics[name].converged or [] for name in names]
    short = sum(not done for one in flags for done in one)
    return f"; {short} of {sum(map(len, flags))} trainings had not reached their plateau" if short else ""
