"""The noxfile and the command line say the same of what both offer."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from unit.fabricated import record

from matrix.answers import published_answers
from matrix.base import paths
from matrix.cli.main import EXAMPLES, VERBS, cli
from matrix.record import records


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def sessions() -> list[ast.FunctionDef]:
    tree = ast.parse((paths.ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node for node in functions if any(ast.unparse(one) == "nox.session" for one in node.decorator_list)]


def dispatched() -> dict[str, tuple[str, str]]:
    """The docstring and the verb of each session that does nothing but `_verb(session, "VERB")`."""
    found = {}
    for session in sessions():
        _, *statements = session.body
        verb = re.fullmatch(r"_verb\(session, '(\w+)'\)", "\n".join(map(ast.unparse, statements)))
        if verb:
            found[session.name] = (ast.get_docstring(session), verb[1])
    return found


def command(verb: str) -> click.Command:
    return cli.get_command(click.Context(cli), verb)


@pytest.mark.parametrize("session", dispatched())
def test_a_session_says_what_its_verb_says(session):
    docstring, verb = dispatched()[session]
    assert docstring == first_sentence(command(verb).help)


def test_every_verb_that_makes_something_has_a_session():
    """The verbs that answer questions share the session `ask`."""
    kinds = ("explanation", "advice", "models", "questions", "comparison", "bisection")
    answering = {verb for kind in kinds for verb in VERBS[kind]}
    every = {verb for verbs in VERBS.values() for verb in verbs}
    assert {verb for _, verb in dispatched().values()} == every - answering
    assert "ask" in {session.name for session in sessions()}


@pytest.mark.parametrize("verb", [verb for verbs in VERBS.values() for verb in verbs])
def test_help_says_what_the_verb_and_each_option_does(verb):
    shown = command(verb)
    assert shown.help and re.match(r"[A-Z].*\.$", first_sentence(shown.help))
    unexplained = {"approach", "backend", "check", "mode", "dtype", "need"}
    options = [one for one in shown.params if isinstance(one, click.Option)]
    assert [
        one.opts for one in options if not one.help and not {name.lstrip("-") for name in one.opts} & unexplained
    ] == []


def test_help_lists_every_verb_by_its_first_sentence():
    shown = " ".join(CliRunner().invoke(cli, ["--help"]).output.split())
    for verb in (verb for verbs in VERBS.values() for verb in verbs):
        assert f"{verb} {first_sentence(command(verb).help).rstrip('.')}" in shown


HEAVY = {"scipy", "docker", "jinja2", "rich", "numpy", "archspec", "packaging.specifiers"}
PROGRAM = """
import sys
from click.testing import CliRunner
from matrix.cli.main import cli
CliRunner().invoke(cli, sys.argv[1:])
print(*sys.modules)
"""


@pytest.mark.parametrize("asked", ["--help", "explan", "explain --help", "explain conv? --release=2.8 --reports={}"])
def test_an_answer_waits_for_nothing_that_measures_or_publishes(asked, tmp_path):
    """Nor for what only judging needs: the answers are published."""
    records.write(tmp_path, record())
    made, _ = records.readable(tmp_path)
    (tmp_path / published_answers.NAME).write_bytes(published_answers.encode(published_answers.build(tmp_path, made)))
    command = [sys.executable, "-c", PROGRAM, *asked.format(tmp_path).split()]
    loaded = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize(("typed", "near"), [("explan", "explain"), ("advice", "advise"), ("dif", "diff")])
def test_a_verb_that_is_mistyped_is_told_with_the_one_that_was_meant(typed, near):
    told = CliRunner().invoke(cli, [typed])
    assert told.exit_code == 2 and f"Did you mean {near}" in told.output


@pytest.mark.parametrize("verb", [verb for verbs in VERBS.values() for verb in verbs])
def test_the_example_of_a_verb_can_be_typed(verb):
    shown = command(verb)
    typed, *arguments = shlex.split(EXAMPLES[verb])
    parser = shown.make_parser(click.Context(shown))
    assert typed == verb and parser.parse_args(arguments)
    assert f"tf-groupconv {EXAMPLES[verb]}" in CliRunner().invoke(cli, [verb, "--help"]).output.replace("\n  ", " ")
