"""Find measured literals in prose: numbers that are neither bound, nor marked, nor part of a set-up."""

import re

NOUNS = (
    "images?|pixels?|pictures|photographs|filters?|PSFs|layers?|epochs?|seeds?|steps?|trials|weights|parameters|"
    "inputs?|samples|classes|components|networks|cells|captures|cars|devices|metasurfaces|values|landmarks|bits|"
    "numbers|units|cores|iterations|clusters|dimensions|checkpoints|architectures|outputs|functions|gradients|"
    "logits|biases|nm|bands|draws"
)
WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|sixteen|twenty|thirty|forty|fifty|sixty|hundred|"
    "thousand"
)
SKIPPED = (
    r"^```.*?^```|^ {4}[^\n]*",  # code
    r"``.+?``|\{[a-z:]+\}`[^`]*`|`[^`]*`",  # code and roles, ours among them
    r"\$\$.*?\$\$|\$[^$]+\$",  # formulas
    r"<!-- (val|time|setup)\b.*?<!-- /\1 -->|<!-- claims -->.*?<!-- claims -->|<!--.*?-->",  # marks
    r"\]\([^)]*\)|https?://\S+",  # addresses
)
REFERENCES = (
    r"\b(?:Eqs?\.|Tables?|Figure|Algorithm|[Ss]tage|[Cc]hapter|notebooks?|Python|version|arXiv|make|tier|degrees?)"
    r"\s+[\d.–]+(?:(?:,| and| or| to)+\s+[\d.]+)*"
)
NAMES = r"\b[A-Za-z]\w*-\d[\w.]*|\b[A-Za-zµ]+_?\d[\w.]*"  # CIFAR-10, float32
YEARS = r"(?<![\d,.])(?:19|20)\d\d(?![\d%]|[,.]\d)(?! ?(?:%|×|points|dB))"
LEVEL = r"\b95 %(?= (?:percentile |Student-t )?(?:interval|bootstrap))"
SIZES = rf"[\d,]+(?:\s×\s[\d,]+)+|\d+(?:[–-]\d+)+|\d+-bit\b|{LEVEL}"
UNITS = "times|points|percent|dB|s|ms|seconds|minutes|hours|MB|GB|MiB|GiB|mJ|pJ"
BETWEEN = rf"(?:(?!(?:{UNITS}|a|an|the|of|in|on|at|to|for|from|per|and|or|with)\b)[\w-]+\s){{0,2}}?"
COUNTS = rf"(?<![\d.,])[\d,]*\d(?:(?:,| and| or| to) [\d,]*\d)*(?=\s{BETWEEN}(?:{NOUNS})\b)"
SIZE_IN_TABLE = rf"(?<![\d.,])[\d,]*\d(?:\.\d+)?(?![\d.,]*\d)(?!\s?%|\s(?:{UNITS})\b)"
LITERAL = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?")
AMOUNT = rf"\b(?:{WORDS}|half|a|third|quarter)\s(?:tenths? of a |and a half )?"
SPELLED = re.compile(
    rf"{AMOUNT}(?:points?\b(?! of| a)|dB\b|per ?cent\b|times\b)|\btwice as\b|"
    rf"\b(?:{WORDS}|none)\s(?:\w+\s)?(?:of|in)\s(?:the\s)?(?:{WORDS}|\d+)\b",
    re.IGNORECASE,
)


def without_set_up(text):
    """Drop the papers' column of tables that have one, and their numbers without a unit of a result."""
    lines, column = [], None
    for line in text.splitlines():
        cells = line.split("|") if line.startswith("|") else []
        if not cells:
            column = None
        elif column is None:
            column = next((i for i, cell in enumerate(cells) if cell.strip() == "the paper"), -1)
        if cells and column > 0:
            line = re.sub(SIZE_IN_TABLE, " ", "|".join(cells[:column] + cells[column + 1 :]))
        lines.append(line)
    return "\n".join(lines)


def literals(markdown):
    """List the measured literals of a Markdown text, each with the words around it."""
    for pattern in SKIPPED:
        markdown = re.sub(pattern, " § ", markdown, flags=re.MULTILINE | re.DOTALL)
    text = without_set_up(markdown)
    text = " ".join(text.split())
    for pattern in (REFERENCES, NAMES, YEARS, SIZES, COUNTS):
        text = re.sub(pattern, " ", text)
    hits = [*LITERAL.finditer(text), *SPELLED.finditer(text)]
    return [text[max(0, hit.start() - 30) : hit.end() + 30] for hit in sorted(hits, key=lambda m: m.start())]


def prose(path):
    """Read the Markdown of a page or of a notebook's Markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    chosen = [cell.partition("\n")[2] for cell in cells if cell.startswith(" [markdown]")]
    return "\n\n".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in chosen)
