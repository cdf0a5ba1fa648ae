"""Guard the claim contract: what an entry says is fixed by a digest when it is written.

`contract.json`, beside this module, holds one SHA-256 per claim, set-up and protocol. A claim that
comes later carries the day of its registration, and supersedes another one or says what was known then;
``python -m ntkd_lib.lab.contract`` adds its digest.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.claims import Claim, ClaimBook, ClaimError, load_claims
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.setups import RegisteredProtocol

CONTRACT_FILE = Path(__file__).with_name("contract.json")
EXTEND = "python -m ntkd_lib.lab.contract"
_FIELDS = frozenset({"rule", "metric", "value", "unit", "spread", "tier", "seeds", "assessable", "notebook"})
_REGISTRATION = frozenset({"registered", "known", "supersedes"})

_REMEDY = {
    "claim": "a wrong entry stays, and a new one supersedes it",
    "protocol": "a protocol with other parameters gets a name of its own",
    "set-up": "what the contract demands of evidence is not edited",
}


def contract_digests(book: ClaimBook) -> dict[str, str]:
    """Hash what each claim is judged by, not its wording, by its id, `set-up NAME` or `protocol NAME`."""
    return {name: digest_json(substance) for name, substance in _substances(book).items()}


def _substances(book: ClaimBook) -> dict[str, dict[str, Any]]:
    protocols = {f"protocol {name}": _registration(each) for name, each in book.protocols.items()}
    setups = {f"set-up {name}": setup.model_dump() for name, setup in book.setups.items()}
    return {claim.id: _substance(claim) for claim in book.claims} | setups | protocols


def _registration(protocol: RegisteredProtocol) -> dict[str, Any]:
    """Return what is fixed of a protocol; which set-ups it departs from follows from that."""
    silent = {"known"} if protocol.known is None else set()
    return protocol.model_dump(exclude={"departs", *silent})


def _substance(claim: Claim) -> dict[str, Any]:
    definitions = {name: definition.model_dump() for name, definition in claim.terms.definitions.items()}
    later = _REGISTRATION if claim.registered is not None else frozenset()
    return {**claim.model_dump(include=set(_FIELDS | later)), "definitions": definitions}


def check_contract(book: ClaimBook, other: Path | None = None) -> list[str]:
    """Compare claims with the committed contract and, if given, an earlier or other copy of `claims.yml`."""
    contract = read_contract(CONTRACT_FILE)
    problems = _differences(book, contract, CONTRACT_FILE.name)
    lacking = [name for name in contract_digests(book) if name not in contract]
    problems += [f"{name}: is not in {CONTRACT_FILE.name}; run {EXTEND}" for name in lacking]
    if other is None:
        return problems
    earlier = load_claims(other)
    return problems + _differences(book, contract_digests(earlier), other.name, _substances(earlier))


def _differences(
    book: ClaimBook, contract: dict[str, str], origin: str, earlier: dict[str, dict[str, Any]] | None = None
) -> list[str]:
    """List what differs from a contract; with the earlier entries at hand, say what has changed in each."""
    digests, now = contract_digests(book), _substances(book)
    removed = [f"{name}: removed; an entry of {origin} stays" for name in contract if name not in digests]
    changed = [
        f"{name}: changed since {origin} was written{_changes(now[name], earlier and earlier[name])}; "
        f"{_REMEDY[name.partition(' ')[0] if ' ' in name else 'claim']}"
        for name, digest in digests.items()
        if contract.get(name, digest) != digest
    ]
    newcomers = [claim for claim in book.claims if claim.id not in contract]
    added = [
        f"{claim.id}: added since {origin} was written, and {problem}"
        for claim in newcomers
        if (problem := _newcomer_problem(claim))
    ]
    return [*removed, *changed, *added]


def _newcomer_problem(claim: Claim) -> str:
    if claim.registered is None:
        return "has no registered, the day on which it was written"
    if claim.supersedes is None and claim.known is None:
        return "supersedes no entry and has no known, what had been seen of its number"
    return ""


def _changes(now: dict[str, Any], before: dict[str, Any] | None) -> str:
    if before is None:
        return ""
    parts = [
        f"{part} was {before.get(part)}, is {now.get(part)}"
        for part in sorted(now.keys() | before.keys())
        if before.get(part) != now.get(part)
    ]
    return f" ({'; '.join(parts)})"


def read_contract(path: Path = CONTRACT_FILE) -> dict[str, str]:
    """Read the committed digests; a `ClaimError` names a file that is missing or holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClaimError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(digest, str) for digest in content.values()):
        raise ClaimError(f"{path.name}: holds no digests by claim")
    return content


def extend_contract(book: ClaimBook, path: Path = CONTRACT_FILE) -> None:
    """Write the digests of a book's claims; entries that are there already cannot be changed."""
    problems = _differences(book, read_contract(path), path.name) if path.exists() else []
    if problems:
        raise ClaimError(problems[0])
    write_json(path, contract_digests(book))


if __name__ == "__main__":
    try:
        extend_contract(load_claims())
    except ClaimError as error:
        sys.exit(f"ntkd: {error}")
