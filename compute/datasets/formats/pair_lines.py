"""Text of the official lists: lines read whole, and pairs that take two lines each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError

PAIRS_OF_EACH_LABEL: Final = 3000
"""Genuine pairs, and impostor pairs, of every set of the LFW family."""

_LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file in UTF-8, the blank ones at its end left out.

    Raises
    ------
    DatasetError
        Where there is no such file, or it is not text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not a text file in UTF-8 ({error.reason}).") from error
    if "\0" in text:
        line = len(_LINE_BREAK.split(text[: text.index("\0")]))
        raise DatasetError(f"{path}, line {line}: a NUL byte, expected text. Fetch the file again.")
    lines = _LINE_BREAK.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def bad_line(path: Path, number: int, line: str, expected: str) -> DatasetError:
    """Return the error of one line: where, what is there, what was expected."""
    shown = line if len(line) <= 200 else f"{line[:200]}..."
    return DatasetError(f"{path}, line {number}: {shown!r}, expected {expected}.")


def two_by_two(
    path: Path, lines: Sequence[str], *, official: str
) -> Iterator[tuple[int, str, str]]:
    """Yield 6000 pairs of lines, each with the number of its first line.

    Raises
    ------
    DatasetError
        At the end, where there are fewer or more than 12,000 lines: what is wrong in a line that is
        there says more, and the reader of that line comes first.
    """
    expected = 4 * PAIRS_OF_EACH_LABEL
    for number in range(1, min(len(lines), expected), 2):
        yield number, lines[number - 1], lines[number]
    if len(lines) != expected:
        raise DatasetError(
            f"{path}: {len(lines)} lines, two for a pair, expected {expected // 2} pairs "
            f"({PAIRS_OF_EACH_LABEL} genuine, {PAIRS_OF_EACH_LABEL} impostor). The file is cut off "
            f"or is another list. Use the official {official}."
        )


def read_tagged_pairs(
    path: Path, *, name: re.Pattern[str], example: str, tags: Sequence[str], official: str
) -> list[NamedPair]:
    """Read a list of two lines for a pair, each ``FILE TAG`` (CALFW, CPLFW).

    The tag, the place in the list and the names must agree on what the pair is.

    Parameters
    ----------
    name
        The official file names; its group ``identity`` is the person's name.
    example
        Such a file name, for the error.
    tags
        The tag of each pair, in order; ``0`` for an impostor pair.
    official
        What the file is called where it comes from.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    pairs = []
    for number, *texts in two_by_two(path, read_lines(path), official=official):
        tag = tags[number // 2]
        files = []
        for line_number, text in enumerate(texts, start=number):
            fields = text.split()
            file = name.fullmatch(fields[0]) if len(fields) == 2 else None
            if file is None:
                raise bad_line(path, line_number, text, f"'FILE TAG', such as '{example} {tag}'")
            if fields[1] != tag:
                raise bad_line(
                    path,
                    line_number,
                    text,
                    f"the tag {tag} (pair {number // 2 + 1} of {official}). Use the official "
                    f"{official}, in its own order",
                )
            files.append(file)
        first, second = files
        pair = NamedPair(
            image1=first[0],
            image2=second[0],
            identity1=first["identity"],
            identity2=second["identity"],
            genuine=tag != "0",
        )
        require_names_agree(path, number + 1, texts[1], pair)
        pairs.append(pair)
    return pairs


def require_names_agree(path: Path, number: int, line: str, pair: NamedPair) -> None:
    """Refuse a pair whose label and names contradict each other; ``number`` is its last line."""
    if pair.genuine and pair.identity1 != pair.identity2:
        raise bad_line(
            path, number, line, f"another image of {pair.identity1} (the pair is genuine)"
        )
    if not pair.genuine and pair.identity1 == pair.identity2:
        raise bad_line(
            path, number, line, f"somebody else than {pair.identity1} (the pair is impostor)"
        )
    if pair.image1 == pair.image2:
        raise bad_line(path, number, line, f"another image than {pair.image1}")
