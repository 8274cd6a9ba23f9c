"""Quoted paths: which file of a repository does a written path mean, whoever wrote it and on whatever machine?

The one answer to that question for traces, messages, questions and sessions: a path is compared with the paths that exist, from its last
component backwards, so that containers, drives, `file://` and a diff's sides need no rule. A path that leads to where programs
keep others' code means none of the repository's files, unless all of a package's folders stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Basenames = Mapping[str, Sequence[str]]
"""Last component → the paths of the repository's files that end in it, ordered."""

FILES_MAX = 4  # of one ending; more say nothing
DEPTH_MAX = 12  # ends of one path that are looked for; guess
LIKELY_DEPTH_MIN = 2  # folders of a file that a path of another place shares with it, without further evidence; guess

ENTRIES = frozenset(("index", "page", "route", "+page", "+server"))  # files that answer for their folder, where others stand beside them
ROUTE_PARTS_MIN = 2

_ROUTE_PART = r"(?:[\w.~@+-]+|[:*$]\w+|\[[\w.\[\]]{1,60}\]|\{[\w.*]{1,60}\}|<[\w:]{1,60}>)"
_ROUTE = re.compile(rf"(?<![\w.:/-])/{_ROUTE_PART}(?:/{_ROUTE_PART})+")
_PARAMETER = re.compile(r"[:*$\[{<]")
_PREFIX = re.compile(r"[^\s\"'`<>|,;]*$")
_OWN_PREFIXES = frozenset(("a/", "b/", "i/", "w/", "c/", "o/", "file://", "file:///"))  # a diff's sides
_FOREIGN = re.compile(  # where the tools of a language keep what others wrote
    r"(?:site|dist)-packages[/\\]|node_modules[/\\]|[/\\]pkg[/\\]mod[/\\]|[/\\]registry[/\\]src[/\\]|[/\\]gems[/\\]|[/\\]vendor[/\\]bundle[/\\]"
    r"|[/\\]lib[/\\]python\d|[/\\]lib[/\\]ruby[/\\]|[/\\]go[/\\]src[/\\](?=[a-z]+[/\\])|^/?rustc[/\\]|rustlib[/\\]|[/\\]\.nuget[/\\]packages[/\\]"
    r"|\.pub-cache[/\\]|<frozen |^node:|internal[/\\]modules[/\\]"
)


@dataclass(frozen=True, slots=True)
class PathMatch:
    """The files that a written path fits best.

    begin      where the path begins in its text.
    files      in order, however many.
    depth      how many folders of theirs are written.
    is_sure    it means one of them: it holds all their folders, or is relative and all of it is theirs.
    is_likely  it comes from another place, and shares some of their folders: further evidence decides.
    """

    begin: int
    files: tuple[str, ...]
    depth: int
    is_sure: bool
    is_likely: bool


def match_path(basenames: Basenames, text: str, start: int, name: str) -> PathMatch:
    """Return what a path means whose last component `name` begins at `start` in a text."""
    best, begin, found = -1, start, list[tuple[str, int]]()
    for path in basenames.get(name, ()):
        folders = path.split("/")[:-1]
        depth, at = _written_folders(text, start, folders)
        if depth > best:
            best, begin, found = depth, at, []
        if depth == best:
            found.append((path, len(folders)))
    if not found:
        return PathMatch(start, (), 0, is_sure=False, is_likely=False)
    written = _PREFIX.search(text, max(0, begin - 300), begin)
    prefix = written[0] if written else ""
    is_prefixed = bool(prefix.strip("./\\([{@")) and prefix[-1:] in ("/", "\\") and prefix not in _OWN_PREFIXES
    whole = [row for row in found if row[1] == best]
    is_sure, is_likely = not is_prefixed, False
    if is_prefixed and (mark := list(_FOREIGN.finditer(prefix))):
        is_sure = "python" not in mark[-1][0] and not prefix[mark[-1].end() :] and best > 0
    elif is_prefixed:
        is_sure, is_likely = bool(whole), best > 0 and not whole
        if not best and len(found) == 1:  # as Swift writes it, a module may stand before a file that lies deeper in it
            is_likely = prefix.rstrip("/\\").replace("\\", "/").rpartition("/")[2] in found[0][0].split("/")[:-1]
    found = whole or found  # the shortest path is the one that was written whole
    return PathMatch(begin, tuple(path for path, _ in found), best, is_sure, is_likely)


def find_files(basenames: Basenames, path: str) -> tuple[str, ...]:
    """Return the files that a written path surely means, one of them; () for none."""
    path = path.rstrip("/\\")
    name = path.replace("\\", "/").rpartition("/")[2]
    found = match_path(basenames, path, len(path) - len(name), name)
    return found.files if found.is_sure and len(found.files) <= FILES_MAX else ()


def find_file(basenames: Basenames, path: str, is_file: Callable[[str], bool] = lambda _: False) -> str:
    """Return the one file that a written path means, "" for none or several.

    is_file  whether the repository holds a file that is not among them: asked for the ends of the path.
    """
    found = find_files(basenames, path)
    if found:
        return found[0] if len(found) == 1 else ""
    unix = path.replace("\\", "/")
    parts = unix.lstrip("/").split("/")
    ends = ["/".join(parts[at:]) for at in range(len(parts)) if len(parts) - at > 1 or (at == 0 and not unix.startswith("/"))]
    return next(filter(is_file, ends[:DEPTH_MAX]), "")


def find_routes(text: str) -> list[str]:
    """Return the routes in a text, such as `/api/users/:id`, each once; what ends like a file is none."""
    found = (route.group().rstrip(".") for route in _ROUTE.finditer(text))
    return [route for route in dict.fromkeys(found) if "." not in route.rpartition("/")[2].strip("[]")]


def find_routed(paths: Iterable[str], route: str) -> tuple[str, ...]:
    """Return the files whose folders and name are a route: `app/api/users/[id]/route.ts` or `pages/api/users/[id].ts` of `/api/users/:id`.

    A parameter is any parameter, however it is written; folders in parentheses are none of the route.
    Cost   one search in each path for the route's last fixed part.
    """
    wanted = [_route_part(part) for part in route.strip("/").split("/")]
    fixed = next((part for part in reversed(wanted) if part), "")
    if not fixed or len(wanted) < ROUTE_PARTS_MIN:
        return ()
    inside, alone = dict[str, list[str]](), list[str]()
    for path in paths:
        if f"/{fixed}" not in path:
            continue
        folder, _, name = path.rpartition("/")
        parts = [_route_part(part) for part in folder.split("/") if not part.startswith("(")]
        if parts[-len(wanted) :] == wanted:
            inside.setdefault(folder, []).append(path)
        elif [*parts, _route_part(_stem(name))][-len(wanted) :] == wanted:
            alone.append(path)
    found = [*alone, *(path for held in inside.values() for path in held if len(held) == 1 or _stem(path) in ENTRIES)]
    return tuple(found) if len(found) <= FILES_MAX else ()


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _route_part(part: str) -> str:
    return "" if _PARAMETER.match(part) else part


def _written_folders(text: str, start: int, folders: Sequence[str]) -> tuple[int, int]:
    """How many of the folders above a file stand before its name in the text, and where the first of them begins."""
    at, depth = start, 0
    for folder in reversed(folders):
        end = at
        while end and text[end - 1] in "/\\":
            end -= 1
        begin = end - len(folder)
        if end == at or begin < 0 or not text.startswith(folder, begin):
            break
        if begin and (text[begin - 1].isalnum() or text[begin - 1] in "_-.@+"):
            break
        at, depth = begin, depth + 1
    return depth, at
