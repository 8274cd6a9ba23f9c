"""Package managers and image builds: what was fetched is noise, what was installed at last and what was warned of is not."""

from __future__ import annotations

import re

from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import HEAD, KEY, LineScores

FORMS = re.compile(
    r"(?:Collecting|Requirement already satisfied|Using cached|Installing collected|Successfully (?:installed|built)"
    r"|Building wheels?|Created wheel|Obtaining|Looking in) |\s{2,4}(?:Downloading|Using cached|Preparing metadata"
    r"|Getting requirements)"
    r"|npm (?:warn|WARN|notice|http|info|verb|error|ERR!) |(?:added|removed|changed|audited) \d{1,6} packages?"
    r"|\d{1,6} packages are looking|yarn install|\[\d/\d\] |info |➤ YN\d|Progress: resolved|Packages: [+-]|\+ \S{1,100} \d"
    r"|Lockfile is|Resolving: |dependencies:$"
    r"|Get:\d{1,5} |Hit:\d|Ign:\d|Reading (?:package|state)|Selecting previously|Preparing to unpack|Unpacking |Setting up "
    r"|Processing triggers|\(Reading database|Fetched \d|The following "
    r"|==> |🍺|go: (?:downloading|finding|extracting|added|upgraded) |#\d{1,4} |Step \d{1,4}/\d|Sending build context|\s{0,4}---> "
    r"|Removing intermediate|[0-9a-f]{12}: (?:Pull|Download|Verif|Wait|Already|Extract|Push|Prepar|Layer)"
    r"|\s{3,12}(?:Compiling|Downloaded|Downloading|Updating|Adding|Locking|Fetching|Installing) \S|Fetching gem"
    r"|Installing \S{1,80} \d|Using \S{1,80} \d|  - (?:Installing|Downloading|Locking) |Resolved \d|Prepared \d|Installed \d"
    r"| [+~-] \S{1,80}==|\[\+\] |Solving environment"
)
_NOISE = re.compile(
    r"^(?:Collecting |Requirement already|\s{0,4}(?:Downloading|Using cached|Preparing metadata|Getting requirements"
    r"|Installing build|Building wheel|Created wheel|Stored in|Downloaded|Fetching|Installing backend)|Looking in|Obtaining "
    r"|Installing collected"
    r"|npm (?:http|verb|info|sill|timing)|➤ YN0013|➤ YN0000: [│└┌]|Progress: resolved|Get:\d|Hit:\d|Ign:\d|Reading "
    r"|Selecting previously|Preparing to unpack|Unpacking |Processing triggers|\(Reading database|Building dependency"
    r"|Setting up |go: (?:downloading|finding|extracting) |[0-9a-f]{12}: |\s{0,4}---> (?:Running|Using|[0-9a-f])"
    r"|Removing intermediate|\s{3,12}(?:Compiling|Downloaded|Downloading|Adding|Locking|Fetching|Updating) \S|Fetching gem"
    r"|Fetching \S|Using \S{1,80} \d|Installing \S{1,80} \d"
    r"|  - (?:Installing|Downloading|Locking) |#\d{1,4} (?:sha256:|CACHED|extracting|transferring|resolve|\d{1,5}\.\d{1,4} (?:Get"
    r"|Hit|Selecting|Preparing|Unpacking|Setting up|Collecting|Downloading|  Downloading|Fetched|Reading)|DONE 0\.0s)"
    r"|\s{0,8}[━╸ ]{10,}|\s{0,8}[#=.>-]{10,})"
)
_DEPRECATED = re.compile(r"^(?:npm (?:warn|WARN) (?:deprecated|ERESOLVE|EBADENGINE)|warning )")
_STEP = re.compile(r"^(?:#\d{1,4} \[|Step \d{1,4}/\d|==> |\[\d/\d\] )")


def score(lines: Lines, scores: LineScores) -> None:
    """Say what was fetched, and which lines are steps."""
    warned = 0
    for at in lines.near:
        line = lines.plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.1
        elif _NOISE.match(line):
            scores.drop(at, "lines of fetching and unpacking")
        elif _DEPRECATED.match(line):
            warned += 1
            scores.utility[at] = KEY / 2 / warned
        elif _STEP.match(line):
            scores.utility[at], scores.reasons[at] = HEAD, "step"


PACKAGE_MANAGER = OutputKind(
    name="package manager",
    rank=4,
    matches=FORMS.match,
    share_min=0.3,
    score=score,
    programs=(
        "pip pip3 uv poetry pipenv conda npm yarn pnpm bun apt apt-get apk dnf yum brew gem bundle composer docker podman "
        "go:mod go:get go:install cargo:install cargo:add cargo:update"
    ),
    budget=(2000, 0.15),
)
