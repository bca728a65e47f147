"""What the hand-written pages name exists: links, commands, settings, codes, steps, rooms."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config.loader import PyFileConfigLoader

from jupyter_gov import errors
from jupyter_gov.audit.events import KINDS
from jupyter_gov.broker.query import QueryFlow
from jupyter_gov.cli.main import parser
from jupyter_gov.gateway.config import unknown_names
from jupyter_gov.kernel import magics
from jupyter_gov.server.extension import GovServer
from tests.support.gateway import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    *DOCS, ROOT / "CHANGELOG.md", ROOT / "README.md", ROOT / "labextension" / "README.md",
    ROOT / "tests" / "cases" / "README.md",
]  # fmt: skip
WRITTEN = [page for page in PAGES if "reference" not in page.parts]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, *languages: str) -> list[str]:
    """The blocks of code of these languages."""
    return [
        inspect.cleandoc(found[3])
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
        if found[2] in languages
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
class TestLinks:
    def test_each_leads_somewhere(self, page):
        """Every relative link names a file that is there, and a heading in it."""
        broken = []
        for target in LINK.findall(prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(target)
        assert broken == []


GOV = re.compile(r"^(?:sudo -u \S+ )?(?:\S*/)?jupyter[ -]gov (.+)$")


def gov_arguments(page: Path) -> Iterator[list[str]]:
    """What follows `jupyter gov` in each line of a page's shell blocks, in words."""
    for block in blocks(page, "sh", "ini"):
        for whole in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s#\s.*", "", whole)
            command = re.split(r"\s[|;>]\s", line.partition("=")[2] or line)[0].strip()
            for text in (command, line.strip()):
                if found := GOV.match(re.split(r"\s[|;>]\s", text)[0]):
                    yield shlex.split(found[1])
                    break


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
class TestCommands:
    def test_each_jupyter_gov_line_parses(self, page, capsys):
        """In blocks of code: the commands and options that there are."""
        for words in gov_arguments(page):
            try:
                parser().parse_args(words)
            except SystemExit:
                pytest.fail(f"{words}: {capsys.readouterr().err}")

    def test_each_jupyter_gov_word_is_a_command(self, page):
        """In the text too."""
        (actions,) = [
            a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)
        ]  # fmt: skip
        for verb in re.findall(r"`jupyter gov ([a-z]+)", prose(page)):
            assert verb in actions.choices

    def test_each_make_verb_is_one(self, page):
        """`make …` names targets of the Makefile."""
        known = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
        text = page.read_text(encoding="utf-8")
        for verb in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
            assert verb in known

    def test_each_magic_is_one(self, page):
        """`%gov …` and `%%govsql …` as the magics take them."""
        text = page.read_text(encoding="utf-8")
        for verb in re.findall(r"%gov ([a-z]+)", text):
            assert verb in magics._VERBS
        for line in re.findall(r"^%%govsql (.+)$", text, re.MULTILINE):
            assigned = magics._ASSIGN.fullmatch(line)
            magics._govsql_arguments(assigned[2] if assigned else line)


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
class TestConfiguration:
    def test_each_block_is_read(self, page, tmp_path):
        """Python blocks that configure, and TOML blocks: no unknown section, setting or syntax."""
        for block in blocks(page, "toml"):
            tomllib.loads(block)
        for block in blocks(page, "python"):
            if "c.Gov" not in block:
                compile(block.replace("%", "#"), name_of(page), "exec")
                continue
            lines = [line for line in block.splitlines() if "get_config()" not in line]
            path = tmp_path / "config.py"
            path.write_text("c = get_config()\n" + "\n".join(lines))
            config = PyFileConfigLoader(path.name, path=str(tmp_path)).load_config()
            assert unknown_names(config) == []

    def test_each_named_setting_exists(self, page):
        """Also of the notebook server's own section."""
        for section, trait in re.findall(r"c\.(Gov\w+)\.(\w+)", page.read_text(encoding="utf-8")):
            if section == "GovServer":
                assert trait in GovServer.class_own_traits(config=True)
            else:
                path = f"c.{section}.{trait}"
                assert path in (ROOT / "docs" / "reference" / "configuration.md").read_text()


class TestNames:
    def test_what_looks_like_a_kind_of_event_is_one(self):
        """`grant.opened` and its like."""
        families = "|".join(sorted({kind.partition(".")[0] for kind in KINDS if "." in kind}))
        for page in WRITTEN:
            for kind in re.findall(rf"`((?:{families})\.[a-z_]+)`", prose(page)):
                assert kind in KINDS or "/" in kind, f"{name_of(page)}: {kind}"

    def test_the_table_of_actions_is_whole(self):
        """The how-to of errors names every action, and codes that exist."""
        text = (ROOT / "docs" / "howto" / "handle-errors-in-an-agent.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE)
        told = next(
            line for line in inspect.getsource(errors.Next).splitlines() if "One of:" in line
        )
        assert {action for action, _ in rows} == set(re.findall(r"\b[a-z_]{5,}\b", told))
        codes = {cls.code for cls in errors.tree()}
        assert {code for _, cell in rows for code in re.findall(r"`(\w+)`", cell)} <= codes

    def test_every_action_the_code_sends_is_published(self):
        """An agent acts on them: one that is not in the list helps nobody."""
        sent = {
            action
            for path in (ROOT / "jupyter_gov").rglob("*.py")
            for action in re.findall(r'\bNext\(\s*"(\w+)"', path.read_text())
        }
        told = re.findall(r"\b[a-z_]{5,}\b", inspect.getsource(errors.Next).partition("One of:")[2])
        assert "retry" in sent
        assert sent <= set(told)

    def test_retryable_codes_are(self):
        """The list of what may be tried again is the classes' own."""
        text = (ROOT / "docs" / "howto" / "handle-errors-in-an-agent.md").read_text()
        (line,) = re.findall(r"Retry only what is `retryable`: (.+?)\.", text, re.DOTALL)
        named = set(re.findall(r"`(\w+)`", line))
        own = {
            cls.code
            for cls in errors.tree()
            if cls.retryable and not issubclass(cls, errors.Unavailable)
        }
        assert named == own | {"unavailable"}


class TestArchitecture:
    TEXT = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")

    def test_the_steps_are_those_of_the_code(self):
        """The page numbers and names them as the comments of QueryFlow.run do."""
        section = self.TEXT.partition("## The way of a query")[2].partition("\n## ")[0]
        page = re.findall(r"^(\d)\. \*\*([a-z ]+)\*\*", section, re.MULTILINE)
        source = inspect.getsource(QueryFlow.run)
        noted = re.findall(r"(?:# |, )(\d) ([a-z ]+)", source)
        assert [number for number, _ in page] == [str(n) for n in range(1, 10)]
        assert [number for number, _ in noted] == [number for number, _ in page]
        for (_, told), (_, written) in zip(page, noted, strict=True):
            assert set(written.split()) & set(told.split()), (told, written)

    def test_the_rooms_are_those_of_the_package(self):
        """Each folder of the package has its line, and no other has."""
        section = self.TEXT.partition("## Rooms")[2].partition("## ")[0]
        rooms = re.findall(r"^  (\w+)/", section, re.MULTILINE)
        package = ROOT / "jupyter_gov"
        own = {p.parent.name for p in package.glob("*/__init__.py")}
        assert set(rooms) == own

    def test_the_layers_are_those_of_the_contract(self):
        """The import direction on the page is what import-linter holds."""
        contract = tomllib.loads((ROOT / "pyproject.toml").read_text())
        layers = contract["tool"]["importlinter"]["contracts"][0]["layers"]
        wanted = [layer.replace("jupyter_gov.", "") for layer in layers]
        page = self.TEXT.partition("Imports run downwards only:")[2].partition("```\n\n")[0]
        shown = [line.partition("  ")[0].strip() for line in page.splitlines()]
        assert [line for line in shown if line and "`" not in line] == wanted


class TestDecisions:
    RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    def test_they_are_numbered_without_a_gap(self):
        """And the map lists each."""
        numbers = [int(page.name[:4]) for page in self.RECORDS]
        assert numbers == list(range(1, len(numbers) + 1))
        listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
        assert all(f"({page.name})" in listed for page in self.RECORDS)

    @pytest.mark.parametrize("page", RECORDS, ids=name_of)
    def test_each_says_what_why_security_and_what_was_rejected(self, page):
        """In that order, and briefly."""
        text = page.read_text(encoding="utf-8")
        heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert heads == ["What", "Why", "Security", "Rejected"]
        assert len(text.splitlines()) < 60


class TestIndex:
    def test_every_page_can_be_reached(self):
        """From the map, over links, to each page."""
        seen: set[Path] = set()
        waiting = [ROOT / "docs" / "index.md"]
        while waiting:
            page = waiting.pop()
            if page in seen or page.suffix != ".md":
                continue
            seen.add(page)
            waiting += [
                (page.parent / target.partition("#")[0]).resolve()
                for target in LINK.findall(prose(page))
                if not re.match(r"[a-z]+:", target)
            ]
        assert set(DOCS) <= seen

    def test_json_blocks_are_json(self):
        """Examples can be read by a program."""
        for page in PAGES:
            for block in blocks(page, "json"):
                json.loads(block)
