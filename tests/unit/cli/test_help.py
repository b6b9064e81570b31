"""The noxfile and the command line say the same of what both offer."""

from __future__ import annotations

import ast
import re

import click
import pytest

from matrix.base import paths
from matrix.cli.main import VERBS, cli


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
    kinds = ("explanation", "questions", "models", "comparison", "bisection")
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
