"""Parts of RESULTS.md, each between markers of its own."""

from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(name: str, text: str) -> None:
    """Put the part of that name into RESULTS.md: in place of the last one, or at the end."""
    begin, end = (f"<!-- {name}: {edge} -->" for edge in ("begin", "end"))
    old = RESULTS.read_text()
    before, found, rest = old.partition(begin)
    after = rest.partition(end)[2] if found else "\n"
    before = before if found else old.rstrip("\n") + "\n\n"
    RESULTS.write_text(f"{before}{begin}\n{text}\n{end}{after}")
