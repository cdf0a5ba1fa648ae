"""Figures of the page on the tangent kernel show what the recorded benchmark holds."""

import json
import re

import matplotlib.pyplot as plt
import pytest

from ntkd_lib.show.style import theme
from ntkd_lib.show.tangent_kernel import (
    PRECISIONS,
    benchmark_frame,
    checks_table,
    draw_growth,
    growth_words,
    peer_table,
    precision_table,
    sweep_tables,
)
from tests.setup.project import ROOT

RECORD = json.loads((ROOT / "results/benchmarks/entk_cpu.json").read_text(encoding="utf-8"))
FRAME = benchmark_frame(RECORD["rows"])


def test_the_record_names_its_machine_and_every_row_holds_ours():
    known = RECORD["provenance"]
    assert {"cpu", "threads", "versions", "commit", "seconds", "peers"} <= known.keys()
    assert not known["dirty"]
    own = FRAME[FRAME["way"] == "ours, auto"]
    assert len(own) == len(RECORD["rows"])
    assert (own["seconds"] > 0).all()
    assert (own["mebibytes"] > 0).all()


def test_no_peer_is_faster_and_all_agree():
    own = FRAME[FRAME["way"] == "ours, auto"].set_index(["net", "n", "kind"])["seconds"]
    peers = FRAME[~FRAME["way"].str.startswith("ours")].dropna(subset=["seconds"])
    best = peers.groupby(["net", "n", "kind"])["seconds"].min()
    assert (own <= best.reindex(own.index)).all()
    assert FRAME["difference"].dropna().max() < 2e-3


@pytest.mark.parametrize("measure", ["seconds", "mebibytes"])
def test_a_panel_a_network_and_a_line_a_way(measure):
    with theme("light"):
        figure = draw_growth(FRAME, measure)
        panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        plt.close(figure)
    assert [axes.get_title(loc="left") for axes in panels] == list(dict.fromkeys(FRAME["net"]))
    assert "ours, auto" in labels
    assert all(axes.get_xscale() == axes.get_yscale() == "log" for axes in panels)
    ours = FRAME[(FRAME["way"] == "ours, auto") & (FRAME["net"] == "MLP") & (FRAME["kind"] == "full")]
    assert list(panels[0].lines[0].get_ydata()) == list(ours.sort_values("n")[measure])


def test_words_and_tables_hold_the_numbers():
    assert "MLP with 512 samples" in growth_words(FRAME, "seconds")
    table = peer_table(FRAME)
    assert table.count('<th scope="row"') == len(RECORD["rows"])
    assert "predicted" in table
    checks = checks_table(RECORD["checks"])
    assert f"{100 * RECORD['checks']['rate']['share']:.0f} %" in checks


def test_a_way_that_fails_is_named():
    measured = {"seconds": 1.0, "mebibytes": 2.0, "error": 0.0}
    frame = benchmark_frame({"MLP-4-full": {"ours, auto": measured, "other": {"fails": "TypeError: x"}}})
    assert ">fails<" in peer_table(frame)


def test_a_sweep_shows_errors_slower_ways_and_refusals():
    value = {"error": 2.3e-16, "slow": False, "refusals": []}
    mixed = {"error": 1e-12, "slow": True, "refusals": ["RNN cannot run: [1, 4]", "GRU cannot run: [20, 4]"]}
    none = {"error": None, "slow": False, "refusals": ["it is random"]}
    rows = [
        {"name": "Linear", "cases": 5, "methods": {"auto": value, "products": value}},
        {"name": "BatchNorm1d", "cases": 1, "methods": {"auto": mixed, "products": none}},
    ]
    shown = sweep_tables([{"name": "layers", "rows": rows[:1]}, {"name": "networks", "rows": rows[1:]}])
    for cell in ("2e\u201116", "1e\u201112, slow, [1]", "refused, [2]"):
        assert f">{cell}</td>" in shown
    assert ">Linear, 5 settings<" in shown
    assert "<ol><li>cannot run: […]</li><li>it is random</li></ol>" in shown


def test_lower_precisions_are_listed_from_the_finest_with_their_speed() -> None:
    errors = dict.fromkeys(PRECISIONS, 2e-7) | {"bfloat16 products": 3e-3}
    seconds = {"bfloat16 products": 2.0, "float32": 1.0}  # in the order of a file
    text = str(precision_table([{"name": "net", "errors": errors, "seconds": seconds}]))
    cells = re.findall(r"<td[^>]*>([^<]+)</td>", text)
    assert cells == ["2e-07", "3e-03", "2e-07", "2e-07", "0.50 ×"]
