"""Reading C++ for the checks: code without comments and literals, includes, and reports as path:line: text."""

import dataclasses
import pathlib
import re

_TOKEN = re.compile(
    r"""
    (?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
  | (?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<number>\b\d(?:'?[\w.])*)
  | (?P<char>'(?:\\.|[^'\\\n])+')
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One violation, printed so that editors can jump to it."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text} [{self.rule}]"


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def code_only(text: str) -> str:
    """The text with comments, strings and characters blanked; every line keeps its number and length."""

    def replace(match: re.Match) -> str:
        return match.group(0) if match.lastgroup == "number" else _blank(match.group(0))

    return _TOKEN.sub(replace, text)


def comments_only(text: str) -> str:
    """The text with everything but comments blanked."""
    pieces, end = [], 0
    for match in _TOKEN.finditer(text):
        pieces.append(_blank(text[end : match.start()]))
        pieces.append(match.group(0) if match.lastgroup == "comment" else _blank(match.group(0)))
        end = match.end()
    pieces.append(_blank(text[end:]))
    return "".join(pieces)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def includes(text: str):
    """(line, path, is_quoted) of every include that is not in a comment."""
    commented = comments_only(text)
    for match in _INCLUDE.finditer(text):
        if commented[match.start() : match.end()].strip() == "":
            yield line_of(text, match.start(1) if match.group(1) else match.start(2)), match.group(1) or match.group(2), bool(match.group(1))


def cpp_files(folder: pathlib.Path):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".h", ".cc") and p.is_file())


def is_test(path: str) -> bool:
    """Tests, benchmarks and fuzzers; what stands in a testing/ folder is a test double."""
    return path.endswith((".test.cc", ".bench.cc", ".fuzz.cc")) or "/testing/" in path
