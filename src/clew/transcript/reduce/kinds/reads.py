"""Reads: a file's own lines. At the moment they arrive they stay whole (`reduce`); where they are folded later, definitions,
headings and what the task names go first, and the lines around that.
"""

from __future__ import annotations

import re

from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import HEAD, LineScores

NUMBERED = re.compile(r"^ {0,12}\d{1,7}(?:→|\t| {2}|: |\| )")
FORMS = re.compile(
    r" {0,12}\d{1,7}(?:→|\t)|[ \t]{2,200}\S.{0,600}[;{}(),\[:]$|[ \t]{0,200}[})\]]{1,6}[;,]?$"
    r"|[ \t]{0,200}(?:import|from|def|class|func|fn|const|let|var|pub|type|return|if|for|else|elif|struct|use|package|public|private"
    r"|export|@\w) ?.{0,600}[\w;{}():,>\"']$"
)
PROSE = re.compile(
    r"[ \t]{0,12}(?:#{1,6} \S|[-*+] \S|\d{1,3}\. \S|> |\*\*\S|```|\| ?\S.{0,400}\|$|</?(?:details|summary|blockquote|p|br|h\d)\b)"
    r"|(?:[A-Za-z'’`\"(*“][^\s\d]{0,40} ){7}.{0,600}[.,:;!?)`*\w]$"
)
_DEFINES = re.compile(
    r"^(?:export |default |pub(?:\(\w{1,20}\))? |public |private |protected |internal |abstract |final |async |static |unsafe |open "
    r"|override |inline |const |extern \S{1,10} ){0,6}"
    r"(?:def|class|func|fn|function|interface|type|struct|impl|trait|enum|module|namespace|object|record|package|protocol|extension"
    r"|macro_rules!|mod|const|let|var|CREATE|resource|message|service|rpc) ?\S"
    r"|^#{1,4} \S|^@\w|^\[[\w.\"-]{1,80}\]$|^[A-Za-z_][\w-]{0,60}:(?:$| )|^\w[\w ]{0,80}\([^;]{0,200}\)(?: \w{1,20})? ?\{$"
)
_IMPORTS = re.compile(r"^(?:import |from \S|#include|use |require|using )")


def score(lines: Lines, scores: LineScores) -> None:
    """Weigh definitions by their indent, and the two lines below each."""
    below = 0
    for at in lines.near:
        line = lines.plain[at][:400]
        scores.quoted[at] = 1
        if found := NUMBERED.match(line):
            line = line[found.end() :]
        bare = line.lstrip()
        if not bare:
            scores.utility[at] = 0.1
        elif _DEFINES.match(bare):
            scores.utility[at], scores.reasons[at] = HEAD / (1 + (len(line) - len(bare)) / 8), "definition"
            below = 2
            continue
        elif _IMPORTS.match(bare):
            scores.utility[at] = 0.3
        elif below:
            scores.utility[at] = 1.5
        below = max(0, below - 1)


READ = OutputKind(
    name="read",
    rank=11,
    matches=FORMS.match,
    share_min=0.6,
    score=score,
    is_quoting=True,
    is_text=True,
)


REPORT = OutputKind(
    name="report",
    rank=12,
    matches=PROSE.match,
    share_min=0.55,
    score=score,
    is_quoting=True,
    is_text=True,
)
