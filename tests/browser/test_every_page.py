"""Every kind of page can be read by anyone, on any screen, from disk or a server, and without a script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

AXE = Path(__file__).parent / "axe" / "axe.min.js"


@pytest.fixture(scope="module")
def kinds(site) -> list[str]:
    """The largest page of each kind: what holds for it holds for the smaller pages."""
    folders = ("tf/*", "runs/*/*", "cases", "changes", "errors")
    files = {folder: [*site.glob(f"{folder}/*.html")] for folder in folders}
    files["speed"] = [file for file in files["runs/*/*"] if file.name.endswith(".speed.html")]
    files["runs/*/*"] = [file for file in files["runs/*/*"] if file not in files["speed"]]
    largest = {kind: max(pages, key=lambda file: file.stat().st_size) for kind, pages in files.items()}
    return [
        *(file.name for file in site.glob("*.html")),
        *(file.relative_to(site).as_posix() for file in largest.values()),
    ]


class _Links(HTMLParser):
    """The links of a page, and the ids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.links += [told[name] for name in ("href", "src") if name in told]
        self.ids += [told["id"]] if "id" in told else []


@pytest.fixture(scope="module")
def read(site) -> dict[Path, _Links]:
    return {file: _Links(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def test_every_link_of_every_page_leads_somewhere(site, read):
    broken = set()
    for file, page in read.items():
        for link in page.links:
            path, fragment = urldefrag(link)
            if path.startswith("https://"):
                continue
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.is_file() or (fragment and target in read and fragment not in read[target].ids):
                broken.add((file.relative_to(site).as_posix(), link))
    assert sorted(broken)[:10] == []


def test_no_page_names_a_thing_twice(read):
    assert [file.name for file, page in read.items() if len(set(page.ids)) != len(page.ids)] == []


def test_no_page_holds_a_script_of_its_own(read):
    """The policy in the head of each page forbids scripts inside the page."""
    found = re.compile(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:", re.IGNORECASE)
    tags = re.compile(r"<[a-z][^>]*>", re.IGNORECASE)
    assert [file.name for file in read if any(map(found.search, tags.findall(file.read_text(encoding="utf-8"))))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_sticks_out_and_axe_finds_nothing(watched, address, kinds, width, scheme):
    context = watched(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    for path in kinds:
        page = context.new_page()
        page.goto(f"{address}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert [(path, one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
        page.close()


def test_opened_from_disk(watched, site, kinds):
    """Data, fonts and the state in the address work without a server."""
    context = watched(viewport={"width": 1280, "height": 900})
    for path in kinds:
        page = context.new_page()
        page.goto((site / path).as_uri())
        assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Source Sans 3\"'))"), path
        page.close()
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.locator("select[name=release]").select_option(index=3)
    assert "release=" in page.url
    assert page.locator("#mine-answer").inner_text()


def test_without_scripts_everything_can_be_read(watched, address, kinds):
    context = watched(viewport={"width": 1280, "height": 900}, java_script_enabled=False)
    for path in kinds:
        page = context.new_page()
        page.goto(f"{address}/{path}")
        assert page.locator("h1").first.is_visible(), path
        assert page.locator("form:visible").count() == 0, "a form that does nothing is not shown"
        page.close()
    page = context.new_page()
    page.goto(f"{address}/index.html")
    box = page.locator(".range input").first
    hidden = page.locator("tbody.members").first
    assert not hidden.is_visible()
    box.check()
    assert hidden.is_visible(), "ranges open without a script"
    assert page.locator("td .v").first.is_visible()


def test_by_keyboard_alone(page, address):
    page.goto(f"{address}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator(".range input").first.focus()
    page.keyboard.press("Space")
    assert page.locator("tbody.members").first.is_visible()


def test_heads_stay_in_sight(page, address):
    page.goto(f"{address}/index.html")
    box = page.locator(".scroll").first
    box.evaluate("box => { box.style.maxHeight = '12rem'; box.scrollTop = 200; }")
    head, around = (one.bounding_box() for one in (box.locator("thead th").first, box))
    assert abs(head["y"] - around["y"]) < 3


def test_print_shows_the_table_and_no_form(page, address):
    page.goto(f"{address}/index.html")
    page.emulate_media(media="print")
    assert page.locator("table.support").first.is_visible()
    assert not page.locator(".top nav").is_visible()
    assert not page.locator("form.ask").first.is_visible()
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 2
