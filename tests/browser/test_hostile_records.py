"""Records are hostile input: whatever their texts say, the pages show them as text."""

from __future__ import annotations

import ast
import csv
import gzip

import msgspec
import pytest
from unit.fabricated import header, record, where

from matrix.base.text import plain
from matrix.record import records
from matrix.record.records import Error, Host
from matrix.site import build

MARKUP = '<img src=x onerror="document.title=1"><script>document.title="taken"</script>'
CLOSERS = "</script></style></textarea></title><!-- ]]> --> {{ 11111 * 11111 }} {% raw %}"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe \N{HEBREW LETTER ALEF}\N{ZERO WIDTH SPACE}\x07"
LONG = "W" * 300
FORMULA = '=HYPERLINK("http://example.invalid";"x")'
QUOTES = 'x\\\n"""\nimport ctypes\n"""\\'
TEXTS = (MARKUP, CLOSERS, TURNED, LONG, FORMULA, QUOTES)
RUNS = (
    ("py310-cpu", "default", "x86-avx2"),
    ("py310-cpu", "onednn-off", "x86-avx2"),
    ("py310-cuda", "default", "cuda-sm90"),
)


def hostile(number: int, text: str, target: str, profile: str, host_class: str):
    """A record in which every free text is `text`. Only a run on a GPU may name one."""
    error = Error(type=text[:100], message=text[:300])
    fields = {"outcome": "error", "error": error, "reason": text[:300]}
    backend, name = target.rpartition("-")[2], text[:200]
    host = Host(host_class=host_class, cpu=name, cpu_flags=["avx2"], cores=2, kernel=name,
                gpu=None if backend == "cpu" else name)  # fmt: skip
    changes = {
        "backend": backend,
        "host": host,
        "python": text[:200],
        "packages": {text[:200]: text[:200]},
        "image_digest": text[:200],
        "base": text[:200],
        "loosened": [text[:300]],
        "build_info": {text[:200]: text[:200]},
        "reason": text[:300],
        "status": "partial",
    }
    release = f"2.8.{number}"
    return record(where(check="forward", **fields), run=f"tf{release}-{target}+{profile}", release=release,
                  profile=profile, **changes)  # fmt: skip


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for number, text in enumerate(TEXTS):
        for run in RUNS:
            records.write(folder / "reports", hostile(number, text, *run))
    build.build(folder / "reports", folder / "site")
    return folder / "site"


def test_texts_stay_texts(watched, taken):
    context = watched(viewport={"width": 360, "height": 800})
    for number, text in enumerate(TEXTS):
        runs = [f"runs/{at}/venv/tf2.8.{number}-{target}%2B{profile}.html" for target, profile, at in RUNS]
        for path in (f"tf/2.8.{number}/nn-conv2d.html", runs[0], runs[-1]):
            page = context.new_page()
            page.goto(f"{taken.as_uri()}/{path}")
            assert page.title() not in {"1", "taken"}
            assert page.locator("img").count() == 0
            shown = page.locator("main").inner_text()
            assert plain(text)[:20] in shown
            assert str(11111 * 11111) not in shown
            assert not {"\N{RIGHT-TO-LEFT OVERRIDE}", "\x07", "\N{ZERO WIDTH SPACE}"} & set(page.content())
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, (path, text)
            page.close()


def test_a_script_to_copy_says_what_the_record_says_and_does_not_do_it(page, taken):
    assert "import ctypes" in QUOTES
    for number in range(len(TEXTS)):
        page.goto(f"{taken.as_uri()}/tf/2.8.{number}/nn-conv2d.html")
        for program in page.locator("pre code").all_text_contents():
            head, *rest = ast.parse(program).body
            assert "Recorded on TensorFlow" in ast.literal_eval(head.value)
            imported = {one.names[0].name for one in rest if isinstance(one, ast.Import)}
            assert imported <= {"os", "sys", "numpy", "tensorflow"}


@pytest.mark.parametrize("path", ["index.html", "errors.html", "changes.html", "runs.html", "compare.html"])
def test_the_other_pages_are_not_taken_either(watched, taken, path):
    page = watched(viewport={"width": 360, "height": 800}).new_page()
    page.goto(f"{taken.as_uri()}/{path}")
    assert page.title() not in {"1", "taken"}
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_data_as_scripts_hold_nothing_that_runs(watched, taken):
    page = watched().new_page()
    page.goto(f"{taken.as_uri()}/index.html#release=2.8.0&text={MARKUP}")
    assert page.locator("#mine-answer").inner_text()
    page.goto(f"{taken.as_uri()}/errors.html")
    page.locator("textarea").fill(MARKUP)
    assert page.title() not in {"1", "taken"}


def test_a_spreadsheet_gets_no_formula(taken):
    files = list(taken.rglob("*.csv.gz"))
    assert files
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
            assert not [cell for row in csv.reader(lines) for cell in row if cell.startswith(("=", "+", "-", "@"))], (
                file
            )


def test_a_record_that_cannot_be_read_is_left_out_and_said(tmp_path, page):
    records.write(tmp_path / "reports", record())
    broken = records.path(tmp_path / "reports", "x86-avx2", "venv", "tf2.9.3-py310-cpu+onednn-off")
    broken.write_bytes(msgspec.json.encode(header()) + b"\n{}")
    built = build.build(tmp_path / "reports", tmp_path / "site")
    assert len(built.left_out) == 1
    page.goto((tmp_path / "site" / "index.html").as_uri())
    assert "left out, since it could not be read" in page.locator(".headline").text_content()
