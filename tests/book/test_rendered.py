"""The prose of a built page holds no number but bound ones, the paper's and those of the set-up."""

import pytest

from tests.book.rendered import unsupported_numbers

BOUND = '<span class="ntkd-bound">5 of 6<span class="ntkd-source">mean 5</span></span>'


@pytest.mark.parametrize(
    "text, count",
    [
        ("<p>The student is better for five of six networks.</p>", 1),
        ("<p>Ridge on labels beats it in none of sixty students.</p>", 1),
        ("<p>It ends 0.31 points<br>ahead; the gain is 2.4 dB.</p>", 2),
        (f"<p>It is better for {BOUND} networks.</p><table><tr><td>0.31</td></tr></table>", 0),
        ('<p>The paper has <span class="ntkd-paper">97.3 %</span>.</p><pre>0.31</pre>', 0),
        ('<p>At <span class="ntkd-setup">25 %</span> of 500 samples.</p><img src="a.png"><p>0.31</p>', 1),
    ],
)
def test_a_number_that_no_evidence_holds_is_named(tmp_path, text, count):
    (tmp_path / "05_page.html").write_text(f"<p>0.5 %</p><article>{text}</article>", encoding="utf-8")
    problems = unsupported_numbers(tmp_path)
    assert len(problems) == count
    assert all(line.startswith("05_page.html: a number that no evidence holds: … ") for line in problems)
