"""Faults that `ntkd verify --contract` must find, each planted in a copy of the contract and the records."""

import copy
import functools
import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.evidence import load_evidence, save_evidence
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.manifest import DRAWN
from ntkd_lib.pipeline.cli import cli
from ntkd_lib.pipeline.verify import contract_problems

DIGITS, TEACHERS = "01_digit_controls.json", "01_teacher_strength_resnet18.json"
LATEST = "01_digits-six-epochs.json"  # what the claim is judged by
NAME = "ntkd.mnist.ntkd.accuracy"


@functools.cache
def contract():
    """Read the contract once, and write its first registration out as YAML."""
    text = (project_root() / "claims.yml").read_text(encoding="utf-8")
    content = yaml.load(text, yaml.CSafeLoader)
    first = [claim for claim in content["claims"] if "registered" not in claim]
    metrics = {name: content["metrics"][name] for claim in first for name in names_of(claim)}
    return text, content, yaml.dump({"schema_version": 1, "claims": first, "metrics": metrics}, Dumper=Plain)


def names_of(claim):
    return [claim["metric"]] if isinstance(claim["metric"], str) else claim["metric"]


class Plain(yaml.CSafeDumper):
    """Write equal values out instead of pointing from one to the other."""

    def ignore_aliases(self, data):
        return True


class Copy:
    """A copy of claims, notebooks and recorded evidence, and the first registration beside it."""

    def __init__(self, root, without=None):
        self.root, source = root, project_root()
        shutil.copytree(source / "results", root / "results", ignore=without)
        shutil.copytree(source / "notebooks", root / "notebooks")
        for name in DRAWN:
            (root / name).parent.mkdir(parents=True)
            shutil.copyfile(source / name, root / name)
        text, content, first = contract()
        self.claims = copy.deepcopy(content)
        self.first = root.parents[1] / "first.yml"  # of all tests here, so that it is read once
        if not self.first.exists():
            self.first.write_text(first)
        (root / "claims.yml").write_text(text, encoding="utf-8")

    def _write(self):
        if self.claims != contract()[1]:
            text = yaml.dump(self.claims, Dumper=Plain, sort_keys=False)
            (self.root / "claims.yml").write_text(text, encoding="utf-8")

    def verify(self):
        """List the problems, as the command line does before it looks at the tier's own results."""
        self._write()
        return contract_problems(self.first)

    def command(self):
        """Run the command line."""
        self._write()
        return CliRunner().invoke(cli, ["verify", "--tier", "smoke", "--contract", str(self.first)])

    def entry(self, name):
        return next(claim for claim in self.claims["claims"] if claim["id"] == name)

    def path(self, name):
        return self.root / "results" / name

    def edit(self, name, change):
        """Change recorded evidence as somebody would who knows how it is sealed."""
        content = json.loads(self.path(name).read_text(encoding="utf-8"))
        content.pop("sha256")
        change(content)
        self.path(name).write_text(json.dumps({**content, "sha256": digest_json(content)}))


def enter(monkeypatch, tmp_path, without=None):
    made = Copy(tmp_path / "project", without)
    monkeypatch.setenv("NTKD_ROOT", str(made.root))
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "build"))
    return made


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Copy all but the recorded pages, which have tests of their own."""
    return enter(monkeypatch, tmp_path, shutil.ignore_patterns("*.tar.xz"))


def test_the_project_itself_passes(tmp_path, monkeypatch):
    outcome = enter(monkeypatch, tmp_path).command()
    assert (outcome.exit_code, outcome.output.startswith("all in order")) == (0, True)


def test_the_command_fails_on_a_fault(project):
    project.entry("ntkd-t3-mnist-ntkd")["seeds"] = 6
    outcome = project.command()
    assert outcome.exit_code == 1
    assert "ntkd-t3-mnist-ntkd: changed since first.yml was written (seeds was 5, is 6)" in outcome.output


def test_an_edited_rule_is_found(project):
    project.entry("ntkd-t3-mnist-ntkd")["rule"]["threshold"] = 90
    lines = [line for line in project.verify() if "ntkd-t3-mnist-ntkd: changed since" in line]
    assert len(lines) == 2  # against the committed digests, and against the other file
    assert "rule was {'kind': 'at_least', 'threshold': 96.7}" in lines[1]


def test_a_new_claim_without_its_day_is_found(project):
    del project.entry("ntkd-ctl-kernel-cause")["registered"], project.entry("ntkd-ctl-kernel-cause")["known"]
    assert any(
        "ntkd-ctl-kernel-cause: added since first.yml was written, and has no registered" in line
        for line in project.verify()
    )


def test_an_edited_number_is_found(project):
    text = project.path(DIGITS).read_text(encoding="utf-8")
    number = str(json.loads(text)["metrics"][NAME]["values"][0])
    project.path(DIGITS).write_text(text.replace(number, "99.9", 1))
    assert any(
        "changed since it was written (its SHA-256 does not match)" in line for line in project.verify()
    )


def test_an_edited_number_under_a_new_digest_is_found(project):
    project.edit(LATEST, lambda content: content["metrics"][NAME].update(values=[97.0] * 5))
    assert any("verdict ntkd-t3-mnist-ntkd: committed as exceeded" in line for line in project.verify())


def test_a_file_of_another_teacher_is_found(project):
    project.edit(TEACHERS, lambda content: content["parameters"].update(strong_teacher="wide"))
    line = "results/01_teacher_strength_resnet18.json: protocol: strong_teacher is wide, registered: resnet18"
    assert any(line in each for each in project.verify())


def test_a_file_of_another_definition_is_found(project):
    name = "ntkd.cifar10.ntkd_strong_teacher.accuracy"
    other = "ntkd.cifar10.ntkd.accuracy"
    project.edit(
        TEACHERS, lambda content: content["definitions"].update({name: content["definitions"][other]})
    )
    assert any(f"protocol: {name} was recorded under another definition" in line for line in project.verify())


def test_a_new_file_of_another_teacher_is_found(project):
    evidence = load_evidence(project.path(TEACHERS))
    parameters = {**evidence.parameters, "strong_teacher": "vgg"}
    save_evidence(project.path("01_vgg.json"), evidence.model_copy(update={"parameters": parameters}))
    line = "results/01_vgg.json: protocol: strong_teacher is vgg, registered: resnet18"
    assert any(line in each for each in project.verify())
    save_evidence(
        project.path("01_vgg.json"), evidence.model_copy(update={"protocol": "teacher strength vgg"})
    )
    line = "results/01_vgg.json: protocol not registered (teacher strength vgg)"
    assert any(line in each for each in project.verify())


def test_a_changed_parameter_of_a_registered_protocol_is_found(project):
    project.claims["protocols"]["colour"]["parameters"]["epochs"] = 60
    lines = project.verify()
    assert any("protocol colour: changed since contract.json was written" in line for line in lines)
    assert any("protocol: epochs is 36, registered: 60" in line for line in lines)


def test_a_changed_set_up_is_found(project):
    project.claims["setups"]["severity-carvana"]["requires"]["matched_drop"]["allowed"].append(28.3)
    lines = project.verify()
    assert any("set-up severity-carvana: changed since contract.json was written" in line for line in lines)


def test_a_removed_protocol_is_found(project):
    del project.claims["protocols"]["small"]
    lines = project.verify()
    assert any("protocol small: removed; an entry of contract.json stays" in line for line in lines)
    assert any("results/07_nint_speedup.json: protocol not registered (small)" in line for line in lines)


def test_a_changed_parameter_of_a_record_is_found(project):
    project.edit(DIGITS, lambda content: content["parameters"].update(epochs=30))
    line = "results/01_digit_controls.json: protocol: epochs is 30, registered: 3"
    assert any(line in each for each in project.verify())


def test_an_unconverged_record_is_found(project):
    for file in (DIGITS, LATEST):
        project.edit(file, lambda content: content["metrics"][NAME].update(converged=[True] * 4 + [False]))
    lines = [line for line in project.verify() if "verdict ntkd-t3-mnist-ntkd: committed as exceeded" in line]
    assert len(lines) == 1
    assert "the evidence gives not assessed (training not converged (seeds 4))" in lines[0]


def test_a_record_that_is_silent_on_convergence_is_found(project):
    project.edit(DIGITS, lambda content: content["metrics"][NAME].update(converged=None))
    line = (
        f"results/01_digit_controls.json: ntkd-t3-mnist-ntkd: training not shown to have converged ({NAME})"
    )
    assert any(line in each for each in project.verify())


def test_an_arm_from_another_machine_is_found(project):
    def swap(content):
        content["metrics"][NAME]["machines"][3] = "another processor"

    project.edit(LATEST, swap)
    lines = project.verify()
    line = "results/01_digits-six-epochs.json: ntkd-t3-mnist-order: seed 3: arms from different machines"
    assert any(line in each for each in lines)
    assert any("verdict ntkd-t3-mnist-order: committed as not reproduced" in each for each in lines)


def test_a_verdict_that_moved_unseen_is_found(project):
    ledger = project.path("verdicts") / "recorded.json"
    content = json.loads(ledger.read_text())
    content["ntkd-t3-mnist-ntkd"]["status"] = "reproduced"
    ledger.write_text(json.dumps(content))
    (line,) = (line for line in project.verify() if "verdict " in line)
    assert line.endswith("if that is meant, run python -m ntkd_lib.pipeline.readme")


def test_the_numbers_of_the_first_records_are_as_they_were_recorded():
    kept = ("seeds", "values", "series", "converged", "data", "cells")
    digests = {}
    for path in sorted((project_root() / "results").glob("*.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
        numbers = {name: {part: metric[part] for part in kept} for name, metric in metrics.items()}
        digests[path.name] = digest_json(numbers)
    first = {name: digests[name] for name in FIRST}
    assert digest_json(first) == "05b639060a2f323a33b7c1ae3da663bd48796870f61858303b485a8239272210"


FIRST = (
    "01_digit_controls.json",
    "01_infinite_width.json",
    "01_ntkd_classification.json",
    "01_teacher_strength_resnet18.json",
    "01_teacher_strength_wide.json",
    "02_ntkd_segmentation.json",
    "03_fabrication_recovery.json",
    "07_nint_speedup.json",
)
