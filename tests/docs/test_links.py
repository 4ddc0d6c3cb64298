"""Every page can be reached, and every link leads somewhere."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, RECORDS, ROOT, anchors, links


@pytest.mark.parametrize("page", [*PAGES, *RECORDS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file of the project, and its anchor a heading in that."""
    for target, anchor in links(page):
        assert target.exists(), f"{page.name}: {target.relative_to(ROOT)} is not there"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {target.name}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    """Who starts at README.md and follows links finds every page."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            waiting += [target for target, _ in links(page)]

    lost = set(PAGES) - reached
    assert not lost, f"no link leads to {sorted(page.name for page in lost)}"


def test_index_names_every_page() -> None:
    """docs/README.md, which code hosts show for the folder, links to each page beside it."""
    index = ROOT / "docs" / "README.md"
    named = {target for target, _ in links(index)}

    missing = {page for page in PAGES if page.parent == index.parent} - {index} - named
    assert not missing, f"docs/README.md says nothing of {sorted(page.name for page in missing)}"
