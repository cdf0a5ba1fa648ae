"""Guard the claim contract: what an entry says is fixed by a digest when it is written.

`contract.json`, beside this module, holds one SHA-256 a claim. A claim that comes later must supersede one.
"""

import json
from pathlib import Path
from typing import Any

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.claims import Claim, ClaimBook, load_claims
from ntkd_lib.lab.digest import digest_json

CONTRACT_FILE = Path(__file__).with_name("contract.json")
_FIELDS = frozenset({"rule", "metric", "value", "unit", "spread", "tier", "seeds", "assessable", "notebook"})


class ContractError(ValueError):
    """A contract that would be changed instead of extended; the text is one line."""


def contract_digests(book: ClaimBook) -> dict[str, str]:
    """Hash what each claim is judged by: rule, metrics and their definitions, numbers, tier, seeds, notebook.

    Its wording, its place in the paper and its notes do not count.

    Returns:
        SHA-256 by id, in the order of the book.
    """
    return {claim.id: digest_json(_substance(claim)) for claim in book.claims}


def _substance(claim: Claim) -> dict[str, Any]:
    definitions = {name: definition.model_dump() for name, definition in claim.definitions.items()}
    return {**claim.model_dump(include=set(_FIELDS)), "definitions": definitions}


def check_contract(book: ClaimBook, other: Path | None = None) -> list[str]:
    """Compare claims with the committed contract and, where given, with another claim file.

    Args:
        book: the claims as they are now.
        other: an earlier or independent copy of `claims.yml`, which must not have been changed either.

    Returns:
        One line a problem: an entry removed, changed, or added without superseding one.
    """
    problems = _differences(book, read_contract(CONTRACT_FILE), CONTRACT_FILE.name)
    if other is None:
        return problems
    earlier = load_claims(other)
    substances = {claim.id: _substance(claim) for claim in earlier.claims}
    return problems + _differences(book, contract_digests(earlier), other.name, substances)


def _differences(
    book: ClaimBook, contract: dict[str, str], origin: str, earlier: dict[str, dict[str, Any]] | None = None
) -> list[str]:
    """List what differs from a contract; with the earlier claims at hand, say what has changed in each."""
    digests = contract_digests(book)
    removed = [f"{name}: removed; an entry of {origin} stays" for name in contract if name not in digests]
    differing = [
        claim for claim in book.claims if contract.get(claim.id, digests[claim.id]) != digests[claim.id]
    ]
    changed = [
        f"{claim.id}: changed since {origin} was written{_changes(claim, earlier)}; "
        "a wrong entry stays, and a new one supersedes it"
        for claim in differing
    ]
    newcomers = [claim for claim in book.claims if claim.id not in contract and claim.supersedes is None]
    added = [f"{claim.id}: added since {origin} was written, and supersedes no entry" for claim in newcomers]
    return [*removed, *changed, *added]


def _changes(claim: Claim, earlier: dict[str, dict[str, Any]] | None) -> str:
    if earlier is None:
        return ""
    before, now = earlier[claim.id], _substance(claim)
    parts = [
        f"{part} was {before[part]}, is {now[part]}" for part in sorted(now) if before[part] != now[part]
    ]
    return f" ({'; '.join(parts)})"


def read_contract(path: Path = CONTRACT_FILE) -> dict[str, str]:
    """Read the committed digests.

    Raises:
        ContractError: if the file is missing or is not a JSON object of texts.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(digest, str) for digest in content.values()):
        raise ContractError(f"{path.name}: holds no digests by claim")
    return content


def extend_contract(book: ClaimBook, path: Path = CONTRACT_FILE) -> None:
    """Write the digests of a book's claims; entries that are there already cannot be changed.

    Args:
        path: the file; a missing one is made.

    Raises:
        ContractError: if an entry is removed, changed, or added without superseding one.
    """
    problems = _differences(book, read_contract(path), path.name) if path.exists() else []
    if problems:
        raise ContractError(problems[0])
    write_json(path, contract_digests(book))
