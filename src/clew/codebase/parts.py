"""Parts: find the scripts, templates and styles of a file that holds several languages, and the cells of a notebook.

Vue, Svelte and Astro files keep their bytes: each part is a stretch of them. A notebook is JSON, in which code stands escaped, so it is
written out as the text of its cells first, and that text is what is indexed and shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_OPENING = re.compile(rb"^<(script|style|template)\b([^>]{0,400})>", re.MULTILINE | re.IGNORECASE)
_FRONT = re.compile(rb"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_LANG = re.compile(rb"\blang\s*=\s*[\"']?(\w+)")
_SCRIPTS = {b"ts": "typescript", b"typescript": "typescript", b"tsx": "tsx"}
_MARKUP = re.compile(rb"\S")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its name, the bytes [start, end) inside its tags, those with the tags, and the language of a script, "" of other parts."""

    name: str
    start: int
    end: int
    outer_start: int
    outer_end: int
    language: str = ""


def find_parts(language: str, data: bytes) -> list[Part]:
    """Return the parts of a Vue, Svelte or Astro file, in order; what stands outside all tags is its template."""
    parts: list[Part] = []
    at = 0
    if language == "astro" and (front := _FRONT.match(data)):
        parts.append(Part("frontmatter", front.start(1), front.end(1), 0, front.end(), "typescript"))
        at = front.end()
    while (found := _OPENING.search(data, at)) is not None:
        name = found[1].lower()
        close = re.compile(rb"</" + name + rb"\s*>", re.IGNORECASE)
        ends = list(close.finditer(data, found.end()))
        last = ends[-1] if name == b"template" and ends else ends[0] if ends else None  # templates hold templates
        end, outer = (last.start(), last.end()) if last else (len(data), len(data))
        said = _LANG.search(found[2])
        script = _SCRIPTS.get(said[1].lower() if said else b"", "javascript") if name == b"script" else ""
        parts.append(Part(name.decode(), found.end(), end, found.start(), outer, script))
        at = max(outer, found.end())
    covered, start = list[Part](), 0
    for part in [*parts, Part("", len(data), len(data), len(data), len(data))]:
        first = _MARKUP.search(data, start, part.outer_start)
        if first is not None:
            covered.append(Part("template", first.start(), part.outer_start, first.start(), part.outer_start))
        start = max(start, part.outer_end)
    return sorted([*parts, *covered], key=lambda part: part.outer_start)


class _Cell(msgspec.Struct):
    cell_type: str = "code"
    source: list[str] | str = ""


class _Notebook(msgspec.Struct):
    cells: list[_Cell] = []
    metadata: Mapping[str, object] = {}


_NOTEBOOK = msgspec.json.Decoder(_Notebook)


def write_out_cells(data: bytes) -> tuple[bytes, str] | None:
    """Return the cells of a notebook as one text, and the language of its code; None for bytes that are no notebook.

    Each cell stands under a line `# %% [kind] cell number`; prose is commented out, and outputs are left out.
    """
    try:
        notebook = _NOTEBOOK.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not notebook.cells:
        return None
    lines: list[str] = []
    for number, cell in enumerate(notebook.cells, 1):
        text = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        is_code = cell.cell_type == "code"
        lines.append(f"# %% {'' if is_code else f'[{cell.cell_type}] '}cell {number}")
        # A line for the notebook itself (`%matplotlib inline`, `!pip install`) is no code.
        lines.extend(line if is_code and not line.lstrip().startswith(("%", "!")) else f"# {line}" for line in text.splitlines())
        lines.append("")
    kernel = notebook.metadata.get("language_info")
    language = str(kernel.get("name", "python")) if isinstance(kernel, dict) else "python"  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return "\n".join(lines).encode("utf-8", "replace"), language
