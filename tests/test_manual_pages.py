"""The pages made from declarations are those in the tree."""

from __future__ import annotations

import pytest

from januskv.commands.status import SeriesStatus, Status
from januskv.commands.table import CommandTable
from januskv.compat.commands import FAMILIES, build_table
from januskv.manual import DOCS, command_pages, pages
from januskv.statuses import MEANINGS, OWN, SERIES_MEANINGS


@pytest.mark.parametrize("name", list(pages()))
def test_the_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "run python -m januskv.manual"


def test_no_other_pages_are_left() -> None:
    assert {f"commands/{path.name}" for path in (DOCS / "commands").iterdir()} <= set(pages())


def test_every_command_has_an_entry() -> None:
    table = build_table()
    page = "".join(command_pages(table).values())
    missing = [
        command.name
        for command in table.everything()
        if not command.subcommands and f"\n## {command.name.replace('|', ' ')}\n" not in page
    ]
    assert not missing


def test_every_status_has_a_meaning_and_every_command_is_one() -> None:
    assert set(MEANINGS) == set(Status)
    assert set(SERIES_MEANINGS) == set(SeriesStatus)
    assert set(OWN) <= set(build_table().native)


def test_a_group_without_a_heading_is_refused() -> None:
    table = CommandTable(FAMILIES)
    table.commands[b"GET"].options = type(table.commands[b"GET"].options)(group="nosuch")
    with pytest.raises(ValueError, match="nosuch"):
        command_pages(table)
