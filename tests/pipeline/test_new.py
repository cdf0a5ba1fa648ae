"""`ntkd new`: a chapter made from the template runs, is sealed, is in the book, and its claim is judged."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.contract import read_contract
from ntkd_lib.lab.evidence import load_evidence
from ntkd_lib.lab.verdicts import judge
from tests.book.fake import ANSWERS, SOURCES, leave_out_reference
from tests.setup.project import ROOT, copy_book

NAME = "08_my_paper"
EACH_NAME = """
import sys
from ntkd_lib.pipeline.cli import main
for name in sys.argv[1:]:
    sys.argv = ["ntkd", "new", name]
    try:
        main()
    except SystemExit as end:
        print(end.code)
"""


class Checkout:
    """A copy of the project without chapters, and its own command line."""

    def __init__(self, root):
        self.root = root
        shutil.copytree(ROOT / "ntkd_lib", root / "ntkd_lib")  # with what is compiled
        shutil.copytree(ROOT / "notebooks/params", root / "notebooks/params")
        for name in SOURCES:
            shutil.copyfile(ROOT / name, root / name)
        leave_out_reference(root / "_toc.yml")
        (root / "README.md").write_text(ANSWERS, encoding="utf-8")
        copy_book(root)

    def ntkd(self, *words):
        """Run a command of the copy to its end."""
        return self.python("from ntkd_lib.pipeline.cli import main; main()", *words)

    def python(self, program, *words):
        """Run a program on the modules of the copy."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NTKD_", "JUPYTER"))}
        own = {"NTKD_ROOT": str(self.root), "PYTHONPATH": str(self.root), "NTKD_OFFLINE": "1"}
        command = [sys.executable, "-c", program, *words]
        return subprocess.run(
            command, cwd=self.root, env=kept | own, capture_output=True, text=True, check=False, timeout=300
        )

    def works(self, *words):
        """Run a command that must succeed."""
        done = self.ntkd(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def evidence(self, tier):
        return load_evidence(self.root / f"build/{tier}/evidence/{NAME}.json")

    def files(self):
        """Take a picture of the sources."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout to which the chapter has been added."""
    made = Checkout(tmp_path_factory.mktemp("new") / "a folder, für Größe")
    before = made.files()
    made.listed = made.works("new", NAME).splitlines()
    made.changed = {path for path, text in made.files().items() if before.get(path) != text}
    return made


def test_only_the_listed_files_are_written(checkout):
    assert set(checkout.listed[:-1]) == checkout.changed
    assert checkout.listed[-1] == "run it with: ntkd run 08 --tier smoke"
    parts = {"parameters", "methods", "work", "plan", "page", "checks", "__init__"}
    assert {f"ntkd_lib/chapters/my_paper/{part}.py" for part in parts} <= checkout.changed
    for path in checkout.listed[:-1]:
        assert "_template" not in (checkout.root / path).read_text(encoding="utf-8")


def test_the_claim_is_registered_with_its_day_and_the_others_stay(checkout):
    book, before = load_claims(checkout.root / "claims.yml"), load_claims(ROOT / "claims.yml")
    assert [claim.id for claim in book.claims] == [*(c.id for c in before.claims), "ours-my-paper-order"]
    claim = book.claims[-1]
    assert (claim.notebook, claim.known) == (NAME, "nothing")
    assert claim.registered == datetime.now(UTC).date().isoformat()
    assert set(book.metrics) - set(before.metrics) == set(claim.metric_names)
    assert book.protocols == before.protocols


def test_the_chapter_runs_is_sealed_and_in_the_book(checkout):
    checkout.works("run", "08", "--tier", "smoke", "--workers", "1")
    assert checkout.works("run", "08", "--tier", "smoke").startswith(f"{NAME}: up to date")
    claim = load_claims(checkout.root / "claims.yml").claims[-1]
    assert judge(claim, [checkout.evidence("smoke")]).reason == "needs tier cpu, ran smoke"
    checkout.works("book", "--tier", "smoke")
    page = (checkout.root / f"build/smoke/html/{NAME}.html").read_text(encoding="utf-8")
    assert "ours-my-paper-order" in page
    assert f'href="{NAME}.html"' in (checkout.root / "build/smoke/html/index.html").read_text("utf-8")


def test_its_claim_is_judged_on_the_tier_that_it_asks_for(checkout):
    checkout.works("run", "08", "--workers", "1")
    claim = load_claims(checkout.root / "claims.yml").claims[-1]
    verdict = judge(claim, [checkout.evidence("cpu")])
    assert verdict.status == "reproduced", verdict.reason


BAD_NAMES = {
    "my_paper": "chapter name 'my_paper' is not allowed; allowed: two digits and words of small letters",
    "09_My": "chapter name '09_My' is not allowed",
    "09_class": "chapter name '09_class' is not allowed",
    "09_../x": "chapter name '09_../x' is not allowed",
    "08_other": f"number 08 is taken by {NAME}; the next free one is 01",
    "09_run": "ntkd_lib/chapters/run.py exists already; choose another name",
    "09_my_paper": "ntkd_lib/chapters/my_paper exists already; choose another name",
}


def test_bad_names_are_refused_in_one_line_and_nothing_is_written(checkout):
    before = checkout.files()
    done = checkout.python(EACH_NAME, *BAD_NAMES)
    assert (done.returncode, done.stdout) == (0, "1\n" * len(BAD_NAMES))
    for printed, line in zip(done.stderr.splitlines(), BAD_NAMES.values(), strict=True):
        assert printed.startswith(f"ntkd: {line}")
    assert checkout.files() == before


def test_a_second_chapter_gets_names_of_its_own(checkout, tmp_path):
    other = shutil.copytree(checkout.root, tmp_path / "other", ignore=shutil.ignore_patterns("build"))
    second = Checkout.__new__(Checkout)
    second.root = other
    second.works("new", "09_my_paper_too")
    ids = [claim.id for claim in load_claims(other / "claims.yml").claims[-2:]]
    assert ids == ["ours-my-paper-order", "ours-my-paper-too-order"]
    text = (other / "ntkd_lib/chapters/my_paper_too/plan.py").read_text(encoding="utf-8")
    assert "from ntkd_lib.chapters.my_paper_too.work import regression" in text
    assert "09_my_paper_too" in (other / "_toc.yml").read_text(encoding="utf-8")
    place, program = other / "ntkd_lib/lab/contract.json", "import runpy; runpy.run_module({!r}, None, {!r})"
    before, program = read_contract(place), program.format("ntkd_lib.lab.contract", "__main__")
    assert second.python(program).returncode == 0
    assert read_contract(place).keys() - before.keys() == set(ids)
    claims = other / "claims.yml"
    claims.write_text(claims.read_text("utf-8").replace(f"id: {ids[0]}", "id: ours-other"), "utf-8")
    done = second.python(program)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ntkd: {ids[0]}: removed; an entry of contract.json stays\n"
