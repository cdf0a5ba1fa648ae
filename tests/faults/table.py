"""The table of the reliability page, made from the tests of faults: ``python -m tests.faults.table``."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "book" / "reliability.md"
ELSEWHERE = {  # faults that are planted in one part, beside that part's own tests
    "the contract": "lab/test_contract_faults.py",
    "sealed pages": "pipeline/test_verify.py",
    "a kernel": "ntk/test_seeded_faults.py",
}
TABLE = re.compile(r"(?<=<!-- faults -->\n).*?(?=<!-- faults -->)", re.DOTALL)
NUMBERED = re.compile(r"test_(?:\d\d_(?:and_\d\d_)?)?(.*)")


def table():
    """Write a heading and a table per file: what goes wrong and what holds, in the words of the tests."""
    files = sorted(Path(__file__).parent.glob("test_faults_of_*.py"))
    kinds = {path.stem.removeprefix("test_faults_of_").replace("_", " "): path for path in files}
    kinds |= {kind: TESTS / name for kind, name in ELSEWHERE.items()}
    return "\n".join(section(kind, path) for kind, path in kinds.items())


def section(kind, path):
    """Write the table of one file."""
    body = ast.parse(path.read_text("utf-8")).body
    names = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    tests = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    rows = [f"| {words(NUMBERED.fullmatch(test.name)[1])} | {cases(test, names)} |" for test in tests]
    head = f"| promise, tested in `{path.relative_to(TESTS)}` | tried on |"
    return "\n".join([f"### Faults of {kind}\n", head, "|---|---|", *rows, ""])


def cases(test, names):
    """List the cases of a test that have names in words: the keys of a dictionary."""
    for mark in test.decorator_list:
        values = names.get(getattr(mark.args[-1], "id", "")) if isinstance(mark, ast.Call) else None
        if isinstance(values, ast.Dict):
            return ", ".join(key.value for key in values.keys)
    return ""


def words(name):
    """Write the name of a test as a sentence."""
    text = name.replace("_", " ")
    for word, written in {"ctrl c": "Ctrl-C", "yaml": "YAML", "python": "Python"}.items():
        text = text.replace(word, written)
    return text[0].upper() + text[1:]


def filled(text):
    """Put the table of today's tests into the page."""
    return TABLE.sub(lambda _: f"\n{table()}\n", text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
