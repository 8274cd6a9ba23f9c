"""Write src/clew/text/secret_vendors.json from the rules of betterleaks.

    git clone https://github.com/betterleaks/betterleaks
    python -m train.secrets betterleaks/config/betterleaks.toml COMMIT

Kept are the rules whose credential begins with words of its issuer, such as `ghp_`: those can be recognised wherever
they stand. A rule that wants the issuer's name before the credential is kept without the name where the credential has
such words, and left out where it has none: `heroku_revision = <40 hex digits>` is a commit. Left out as well are the rules
for what is no secret (addresses, names, ids, public keys), the generic ones, for which secret_contexts.toml is there, and
connection strings, since the hash of a password that somebody chose must not stand anywhere.
Forms are changed from Go's expressions to Python's, and boundaries from the list of what may follow to what may not, so
that a credential before a comma or a bracket is recognised as well.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from re import _constants as codes  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
from typing import Any

TARGET = Path(__file__).resolve().parents[2] / "src" / "clew" / "text" / "secret_vendors.json"
SKIPPED = re.compile(
    r"generic|^curl-|^jwt|^private-key|client-id|-url|-host|account-name|tenant-id|cloud-name|-name\b|public|publishable|access-id|key-id|pkcs12|"
    r"kubernetes|posthog-project|nuget|connection-string|teams-webhook|webhook-id|-endpoint|workspace-id|project-id|org-id|user-id|app-id|site-key"
)
PREFIX_CHARS_MIN = 3  # of the words that a credential begins with
LEFT = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt])|(?<=[0-9]m))"  # also behind a line break inside JSON, and behind a colour
RIGHT = r"(?![A-Za-z0-9_])"
_ENDS = (
    r"""(?:\\?['"\x60]|[\s;]|\\[nr]|$)""",
    r"(?:$|[^A-Za-z0-9_-])",
    r"(?:[^A-Za-z0-9_-]|$)",
    r"(?:[^A-Za-z0-9+/=]|$)",
    r"(?:[^a-zA-Z0-9+/]|\z)",
    r"(?:[^\w\/+=-]|\z)",
    r"""(?:$|[\\'"\x60\s<),])""",
)
_JOINTS = ("(?:=|>|:{1,3}=", "(?:.|[\\n\\r])", "[\\s\\S]{0,32}")  # between the name and the credential
_STARTS = (r"(?:^|[^A-Za-z0-9_-])", r"""(?:^|[\\'"\x60\s>=:(,)])""")


def python_form(form: str) -> str:
    """Return a Go expression as one of Python's: flags in the middle get a group, boundaries are LEFT and RIGHT."""
    for start in _STARTS:
        form = form.replace(start, r"\b", 1) if form.startswith(start) else form
    for end in _ENDS:
        form = form.removesuffix(end) + r"\b" if form.endswith(end) else form
    form = form.replace("[[:alnum:]]", "[A-Za-z0-9]").replace(r"\z", r"\Z")
    head = ""
    if form.startswith("(?i)"):
        head, form = "(?i)", form[4:]
    while (at := form.find("(?i)")) >= 0:
        end, depth = at + 4, 0
        while end < len(form) and (depth or form[end] != ")"):
            if form[end] == "\\":
                end += 1
            elif form[end] == "[":
                end = form.index("]", end + 2)
            else:
                depth += (form[end] == "(") - (form[end] == ")")
            end += 1
        form = f"{form[:at]}(?i:{form[at + 4 : end]}){form[end:]}"
    if form.startswith(r"\b"):
        form = LEFT + form[2:]
    if form.endswith(r"\b"):
        form = form[:-2] + RIGHT
    return head + form


def alone(form: str) -> str:
    """Return the form of the credential without the issuer's name before it; the form as it is where it wants none."""
    if not any(joint in form for joint in _JOINTS):
        return form
    at = max(form.rfind(joint) for joint in _JOINTS)
    start = form.find("(", form.find("5}" if _JOINTS[0] in form else "32}?", at)) if at >= 0 else 0
    tree = parser.parse(form)
    groups = tree.state.groups - 1
    flags = "(?i)" if form.startswith("(?i)") else ""
    if groups != 1 or start < 0:
        return ""
    end, depth = start, 0
    while end < len(form):
        if form[end] == "\\":
            end += 1
        elif form[end] == "[":
            end = form.index("]", end + 2)
        else:
            depth += (form[end] == "(") - (form[end] == ")")
            if not depth:
                break
        end += 1
    return f"{flags}{LEFT}{form[start : end + 1]}{RIGHT}"


def prefixes(form: str) -> set[str] | None:
    """Return the words, in lower case, with one of which each text of this form begins; None where it begins with anything."""
    tree = parser.parse(form)
    return _prefixes(list(tree))[0] or None


def _prefixes(tree: list[Any]) -> tuple[set[str], bool]:
    """The beginnings of a parsed form, and whether they are all of it."""
    found = {""}
    for code, value in tree:
        if code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
            continue
        if code is codes.LITERAL:
            found = {each + chr(value).lower() for each in found}
        elif code is codes.SUBPATTERN:
            inner, is_all = _prefixes(list(value[3]))
            found = {each + more for each in found for more in inner}
            if not is_all:
                return found, False
        elif code is codes.BRANCH and all(not _is_assertion(list(branch)) for branch in value[1]):
            parts = [_prefixes(list(branch)) for branch in value[1]]
            found = {each + more for each in found for inner, _ in parts for more in inner}
            if not all(is_all for _, is_all in parts):
                return found, False
        elif code is codes.BRANCH:
            continue
        elif code is codes.IN and all(kind is codes.LITERAL for kind, _ in value) and len(value) <= 4:
            found = {each + chr(letter).lower() for each in found for _, letter in value}
        else:
            return found, False
    return found, True


def _is_assertion(branch: list[Any]) -> bool:
    return bool(branch) and all(code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT) for code, _ in branch)


def main() -> None:
    """Read the rules and write those that are kept."""
    given = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rules: list[dict[str, object]] = []
    for rule in given["rules"]:
        if "regex" not in rule or SKIPPED.search(rule["id"]) or rule.get("skipReport") or "secretGroup" in rule:
            continue
        form = alone(python_form(rule["regex"]))
        starts = prefixes(form) if form else None
        if not starts or min(map(len, starts)) < PREFIX_CHARS_MIN or any("{" in start for start in starts):
            continue
        entropy = re.search(r'entropy\(finding\["secret"\]\) <= ([\d.]+)', rule.get("filter", ""))
        re.compile(form.encode())
        # The shortest beginning that says it: one search finds them all, so few and long words are best.
        words = sorted({start[:12] for start in starts})
        rules.append(
            {"id": re.sub(r"\.\d+$", "", rule["id"]), "words": words, "form": form} | ({"entropy": float(entropy[1])} if entropy else {})
        )
    source = {"name": "betterleaks", "address": "https://github.com/betterleaks/betterleaks", "commit": sys.argv[2], "license": "MIT"}
    TARGET.write_text(json.dumps({"source": source, "rules": rules}, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    print(f"{len(rules)} of {len(given['rules'])} rules kept")


if __name__ == "__main__":
    main()
