"""Small claim books and evidence for tests of the rules that decide claims."""

import copy

import yaml

from ntkd_lib.lab.claims import ClaimBook
from ntkd_lib.lab.evidence import DataState, Evidence, Metric

NOTEBOOK = "01_demo"


class NoAliases(yaml.SafeDumper):
    """Write equal values out instead of pointing from one to the other."""

    def ignore_aliases(self, data):
        return True


METRICS = {
    "ntkd.a": {"unit": "percent", "what": "Test accuracy of a."},
    "ntkd.b": {"unit": "percent", "what": "Test accuracy of b."},
    "ntkd.all": {"unit": "points", "what": "Deviation of a over the seeds. One number for all seeds."},
    "ntkd.all_b": {"unit": "points", "what": "Deviation of b over the seeds; one number."},
    "ntkd.line": {"unit": "slope", "what": "Series; x = log10 of width, y = log10 of change."},
}
ORDER = {
    "kind": "ordering",
    "greater": "ntkd.a",
    "less": "ntkd.b",
    "margin": 0,
    "test": "paired-bootstrap-95",
}
RATIO = {"kind": "ratio_at_least", "numerator": "ntkd.a", "denominator": "ntkd.b", "threshold": 2}


def entry(rule, metric="ntkd.a", **fields):
    """Write a claim as `claims.yml` does, with plausible values where none are given."""
    plain = {
        "id": "ntkd-demo",
        "paper": "ntkd",
        "where": "Table 1",
        "claim": "A claim.",
        "rule": rule,
        "metric": metric,
        "notebook": NOTEBOOK,
        "tier": "cpu",
        "seeds": 5,
        "assessable": "full",
    }
    return {**plain, **fields}


def book_of(*entries, **content):
    """Validate entries as a book."""
    content = {"schema_version": 1, "claims": list(entries), "metrics": METRICS, **content}
    return ClaimBook.model_validate(copy.deepcopy(content))


def claim(rule, metric="ntkd.a", **fields):
    """Make one claim as it stands in a book."""
    return book_of(entry(rule, metric, **fields)).claims[0]


def metric(*values, seeds=None, data=(), **fields):
    """Record one value per seed, seeds 0, 1, ..., from models on a plateau."""
    seeds = list(range(len(values))) if seeds is None else seeds
    fields = {"converged": [True] * len(seeds), **fields}
    return Metric(seeds=seeds, values=[float(v) for v in values], data=list(data), **fields)


def run(metrics, tier="cpu", **fields):
    """Make the evidence of a standard run with real MNIST; recorded, a reference run without a protocol."""
    plain = {
        "reference": fields.get("recorded", False) and "protocol" not in fields,
        "notebook": NOTEBOOK,
        "tier": tier,
        "standard": not fields.get("changed"),
        "changed": {},
        "parameters": {"epochs": 3},
        "metrics": metrics,
        "data": {"mnist": DataState(kind="real", sha256="0" * 64, source="cache")},
        "provenance": {"device": "two cores", "time": "2026-01-02T03:04:05+00:00"},
    }
    return Evidence(**{**plain, **fields})
