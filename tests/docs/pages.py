"""The documents: their blocks of code, their headings and their links."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# What people read; the records (decisions, results, logs, cards) have links, but nothing to run.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RECORDS = [
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*/*.md")),
    *sorted((ROOT / "models").glob("*/*/CARD.md")),
    *sorted((ROOT / "bench").glob("**/*.md")),
    ROOT / "training" / "LOG.md",
]
_FENCE = re.compile(r"^\s*```(.*)$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A block of code. line: of its first line, counted from 1; language: empty if unsaid."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the page's blocks of code, in their order."""
    found: list[Block] = []
    lines: list[str] | None = None
    start, language = 0, ""
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = _FENCE.match(line)
        if lines is None and fence:
            lines, start, language = [], number + 1, fence[1].strip()
        elif lines is not None and fence:
            found.append(Block(page, start, language, "\n".join(lines) + "\n"))
            lines = None
        elif lines is not None:
            lines.append(line)
    assert lines is None, f"{page.name}: a block of code that does not end"
    return found


def prose(page: Path) -> str:
    """Return the page without its blocks of code."""
    kept, inside = [], False
    for line in page.read_text().splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def anchors(page: Path) -> set[str]:
    """Return what links call the headings of a page, as code hosts do."""
    titles = [line.lstrip("#") for line in prose(page).splitlines() if re.match(r"#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, anchor) of every relative link of the page; the anchor may be empty."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    for target in _LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def commands(block: Block) -> Iterator[tuple[int, str, int]]:
    """Yield (line, command, status) of a block of shell commands.

    Lines that end in a backslash go on. status: of HTTP, which a comment before may name.
    """
    status, begun, start = 200, "", 0
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("#"):
            told = re.search(r"\b[45]\d\d\b", line)
            status = int(told[0]) if told else status
            continue
        start = start if begun else number
        begun += line
        if begun.endswith("\\"):
            begun = begun[:-1]
        elif begun.strip():
            yield start, " ".join(begun.split()), status
            begun, status = "", 200
