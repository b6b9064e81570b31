"""What the documents say of the tree: links, files, commands and the picture of the packages."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from matrix.base import paths
from matrix.cli.main import VERBS, cli
from matrix.suite import catalog as suite
from matrix.suite.cases import BLOCKS

ROOT = paths.ROOT
DOCUMENTS = [*sorted(paths.DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
TEXTS = [*DOCUMENTS, *sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))]
ARCHITECTURE = (paths.DOCS / "architecture.md").read_text()
GENERATED = re.compile(r"<!-- table:begin -->.*<!-- table:end -->", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#]*)(#[^)]*)?\)")
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
FILE = re.compile(r"(?:[\w.+-]+/)+[\w.+-]*\.(?:py|toml|md|yml|jsonl?|jinja|Dockerfile)\b|(?:[\w.-]+/)+(?=`)")
# Folders that documents name and only a run, a build or a merge makes.
MADE = (
    ".matrix/", "shards/", "site/", "nightly/", "published/", "data/", "tf/", "schema/",
    "reports/contributed/", "reports/history/", "reports/runs/cuda-sm90/docker/",
)  # fmt: skip
# The verb that a session of nox starts, where its name is another.
VERB_OF = {"matrix": "run"}

each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)


def written(document: Path) -> str:
    """What is written by hand."""
    return GENERATED.sub("", document.read_text())


@each
def test_a_link_leads_somewhere(document):
    for target, anchor in LINK.findall(written(document)):
        file = document.parent / target if target else document
        assert file.exists(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor[1:] in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@each
def test_a_file_that_is_named_is_there(document):
    named = [name for code in CODE.findall(written(document)) for name in FILE.findall(code)]
    # Paths are told from the root, from the document itself, or from a folder that people know by its name.
    roots = (ROOT, document.parent, ROOT / "tests", ROOT / "tests" / "integration", ROOT / "matrix", ROOT / "reports")
    absent = [name for name in named if not any((root / name).exists() for root in roots)]
    assert [name for name in absent if not name.startswith(MADE)] == []


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each `nox -s SESSION -- ...` and `tf-groupconv VERB ...`, as session or "ask", and what follows."""
    sessions = r"nox -s (?P<session>[\w-]+)(?: -- (?P<rest>[^\n`#|>&]*))?"
    for document in TEXTS:
        for match in re.finditer(rf"{sessions}|tf-groupconv (?P<verb>\w[^\n`#|>&]*)", written(document)):
            rest = match["verb"] or match["rest"] or ""
            yield match["session"] or "ask", shlex.split(rest.replace('("', "").rstrip(";,.)"))


@pytest.mark.parametrize(("session", "arguments"), list(commands()))
def test_a_command_is_one_that_there_is(session, arguments):
    noxfile = ast.parse((ROOT / "noxfile.py").read_text())
    sessions = {node.name for node in noxfile.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    assert session in sessions
    verb = VERB_OF.get(session, session)
    if session == "ask" and arguments:
        verb, *arguments = arguments
        if verb in {"VERB", "--help"}:
            return
        assert verb in {name for names in VERBS.values() for name in names}
    command = cli.get_command(click.Context(cli), verb)
    if command is None:  # a session of pytest, of the fuzz or of the benchmark
        return
    known = {option for one in command.get_params(click.Context(command)) for option in one.opts}
    assert {one.partition("=")[0] for one in arguments if one.startswith("--")} <= known


def test_the_packages_are_told_in_the_order_that_is_enforced():
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", ARCHITECTURE, re.MULTILINE)
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    assert told == contract["layers"][::-1]


def imports() -> dict[str, set[str]]:
    """The packages that each package imports anywhere in its modules. `suite` stands alone; see tests/suite."""
    found: dict[str, set[str]] = {"suite": set()}
    for file in sorted((ROOT / "matrix").glob("**/*.py")):
        own = file.relative_to(ROOT / "matrix").parts[0].removesuffix(".py")
        if own in {"suite", "__init__", "__main__"}:
            continue
        modules = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules |= {f"{node.module}.{name.name}" for name in node.names}
        others = {module.split(".")[1] for module in modules if module.startswith("matrix.")}
        found.setdefault(own, set()).update(others - {own})
    return found


def test_the_picture_of_the_packages_is_their_imports_without_what_follows_from_others():
    graph = imports()

    def reached(package: str) -> set[str]:
        return graph[package].union(*(reached(other) for other in graph[package]))

    reduced = {
        (package, other)
        for package, others in graph.items()
        for other in others
        if not any(other in reached(between) for between in others - {other})
    }
    picture = ARCHITECTURE.partition("```mermaid")[2].partition("```")[0]
    assert set(re.findall(r"^ +(\w+) --> (\w+)$", picture, re.MULTILINE)) == reduced


def test_each_step_of_the_observation_names_what_is_defined_there():
    steps = re.findall(r"^\| +(\d+) \| `([\w/.]+)` \| `(\w+)` \|", ARCHITECTURE, re.MULTILINE)
    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1)) and len(steps) > 10
    for _, file, name in steps:
        defined = ast.parse((ROOT / file).read_text()).body
        assert name in {node.name for node in defined if isinstance(node, (ast.FunctionDef, ast.ClassDef))}, file


def test_the_line_of_the_observation_is_one_of_its_record():
    record = re.search(r"\]\(\.\./(reports/runs/[^)]+\.jsonl)\)", ARCHITECTURE)[1]
    line = ARCHITECTURE.partition("```json\n")[2].partition("\n```")[0]
    assert line in (ROOT / record).read_text().splitlines()


def test_the_glossary_holds_25_words_at_most_and_each_once():
    words = re.findall(r"^\| ([a-z ]+) \| ", (paths.DOCS / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert len(set(words)) == len(words) <= 25


IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@pytest.mark.parametrize("name", ["method.md", "reading.md"])
def test_the_core_is_counted_as_it_is(name):
    text = " ".join((paths.DOCS / name).read_text().split())
    assert re.findall(r"with (\w+) epilogues", text) == [IN_WORDS[len(suite.CORE_EPILOGUES)]]
    assert re.findall(r"in (\w+) modes\b", text) == [IN_WORDS[len(suite.CORE_MODES)]]


# The plain uses of an operation or a layer, of which nobody asks who writes them, and what people wrote before groups.
PLAIN = (
    "nn-conv2d", "keras-groups", "keras-groups-1d", "keras-groups-3d", "keras-groups-transpose", "depthwise",
    "depthwise-pointwise", "separable", "slice-loop", "split-concat", "masked-dense", "patches-einsum", "fused-kernel",
)  # fmt: skip


@pytest.mark.parametrize("name", [*(name for name in suite.APPROACHES if name not in PLAIN), *BLOCKS])
def test_who_writes_an_approach_or_a_block_is_told_once_with_a_link_to_the_file(name):
    text = (paths.DOCS / "method.md").read_text()
    (whose,) = re.findall(rf"^\| `{name}` \| ([^|]+) \|", text, re.MULTILINE)
    link = r"^\[([\w.]+)\]: https://github\.com/[\w-]+/[\w-]+/blob/[0-9a-f]{40}/(.*\.py)$"
    files = dict(re.findall(link, text, re.MULTILINE))
    named = re.findall(r"\[`([\w.]+)`\]\[([\w.]+)\]", whose)
    assert named and all(said == key == Path(files[key]).name for said, key in named)


def test_each_decision_has_a_date():
    headings = re.findall(r"^## (.*)$", (paths.DOCS / "decisions.md").read_text(), re.MULTILINE)
    assert headings and all(re.match(r"20\d\d-\d\d-\d\d: \S", heading) for heading in headings)
