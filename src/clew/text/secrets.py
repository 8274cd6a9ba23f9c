"""Mask credentials in text. Used before anything is stored, shown or sent.

A credential is found by the words that its issuer begins it with (`secret_vendors.json`, made by train/secrets from the rules
of betterleaks, and the end of `secret_contexts.toml`), by what tools, protocols and files say around it, or by the name that it
is assigned to (`secret_contexts.toml`, `secret_forms.toml`); where the surroundings prove nothing, by how much its letters look
drawn by chance. One search finds all the words; only where one stands is an expression tried.

In its place stands `[masked:KIND]`, the same for the same credential everywhere. What an issuer drew by chance gets two bytes
of its hash as well, `[masked:github-pat#9f3c]`, so that a reader sees whether two places hold the same one; a password gets
none, since it could be guessed from them. Line ends stay, so line numbers stay true; lengths do not.
A password that looks like any other word, at a place that says nothing, is not found.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

MASK_PREFIX = b"[masked:"
VENDOR_ENTROPY_MIN = 2.8  # bits a character of what follows an issuer's words; 32 hex digits have 3.2 or more in 99 of 100 draws
NAME_CHARS_MAX = 28  # of a name in code with digits in it, such as `ed25519PrivateKey`; guess
STRONG_CHARS_MIN = 16
JUDGED_BYTES = 256  # of a value: what is drawn by chance looks so from its beginning, and a hostile file must not cost more
MASK_CHARS_MAX = 80  # of a placeholder
BEHIND_BYTES = 200  # before a word, that a rule may look at
AHEAD_BYTES = 12_000  # behind it; the longest form
VENDOR_AHEAD_BYTES = 2_000  # the longest that an issuer documents has 1,000
BACK_AHEAD_BYTES = 160  # likewise, of a form whose word does not stand at its beginning: it is searched for
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_JSON_KEY = re.compile(rb'(?<!\\)"\s*:\s*\Z')
_NAMES_NOTHING = b".(!?%*/@^~"  # behind a word of a name, most words of prose and calls end here
_COUNTED = re.compile(rb"[\w-]{0,40}\\?\"?: ?\d{1,15}[,}]")  # the name of a number: `"input_tokens":123,`
_ROUNDS_MAX = 64  # each masks more; a guard, two are enough


def _forms() -> tuple[dict[str, str], dict[str, bytes]]:
    data = tomllib.loads(Path(__file__).with_name("secret_forms.toml").read_text("utf-8"))
    parts: dict[str, str] = data["parts"]
    return parts, {name: _filled(text, parts) for name, text in data["forms"].items()}


def _filled(form: str, parts: Mapping[str, str]) -> bytes:
    """A form with its parts in the place of their names."""
    return re.sub("|".join(parts), lambda found: parts[found[0]], form).encode()


_PARTS, _FORMS = _forms()
_SPACED_BEHIND, _PLACEHOLDER, _NAME, _CODE_NAME, _TYPE, _TELLING, _UUID, _KEY_BEGIN, _KEY_HEADER, _KEY_RUN, _KEY_END = (
    re.compile(_FORMS[name])
    for name in (
        *("spaced_behind", "placeholder", "name", "code_name", "type", "telling", "uuid"),
        *("key_begin", "key_header", "key_run", "key_end"),
    )
)
_HEX = re.compile(rb"(?:0x)?[0-9a-f]+", re.IGNORECASE)
_OPTION = re.compile(rb"--?[\w-]+")
_IDENTIFIER = re.compile(rb"[A-Za-z_]\w*")
_KEY_LINE_CHARS_MIN = 16  # of a run that nothing but its place shows to be part of a key: a last line is known by the end behind it

_SPLITS = re.compile(rb"[-_./:+= ]+")


@dataclass(slots=True, eq=False)
class _Rule:
    """How one kind of credential is recognised. `check` names what its value must be; see secret_contexts.toml."""

    kind: str
    form: bytes
    back: int
    behind: re.Pattern[bytes] | None
    check: str
    entropy: float
    is_vendor: bool
    compiled: re.Pattern[bytes] | None = None  # when its word first stands somewhere: all of them would take 100 ms
    ahead: int = field(init=False)  # bytes behind the word's beginning that the form may look at

    def __post_init__(self) -> None:
        self.ahead = BACK_AHEAD_BYTES if self.back else VENDOR_AHEAD_BYTES if self.check == "vendor" else AHEAD_BYTES

    def compile(self) -> re.Pattern[bytes]:
        """Compile the form and keep it."""
        self.compiled = re.compile(self.form)
        return self.compiled


@dataclass(frozen=True, slots=True)
class _Name:
    """A word of names whose values are credentials, and how sure that is: password, key or strong."""

    check: str


class _Span(NamedTuple):
    start: int
    end: int
    kind: str
    is_vendor: bool


@dataclass(frozen=True, slots=True)
class _Rules:
    search: BytesAhoCorasick
    of_word: list[list[_Rule | _Name]]
    assigned: re.Pattern[bytes]
    spaced: re.Pattern[bytes]
    not_after: re.Pattern[bytes]
    not_before: re.Pattern[bytes]


def mask_bytes(data: bytes) -> bytes:
    """Return the bytes with each credential replaced by `[masked:KIND]`. Line ends stay; masking again changes nothing."""
    return mask_and_count(data)[0]


def mask_text(text: str) -> str:
    """Return the text with each credential replaced by `[masked:KIND]`. Lone surrogates stay."""
    raw = text.encode("utf-8", "surrogatepass")
    clean = mask_bytes(raw)
    return text if clean is raw else clean.decode("utf-8", "surrogatepass")


def mask_lines(data: bytes) -> bytes:
    """Mask the credentials of each line on its own, so that a line gives the same result in whatever file or part of it it stands."""
    spans = _found(data, by_line=True)
    parts: list[bytes] = []
    done = 0
    for span in spans:
        if span.start < done:  # in a line that is masked already
            continue
        start, end = data.rfind(b"\n", 0, span.start) + 1, data.find(b"\n", span.start)
        end = len(data) if end < 0 else end
        parts += (data[done:start], mask_bytes(data[start:end]))
        done = end
    return b"".join((*parts, data[done:])) if parts else data


def mask_and_count(data: bytes) -> tuple[bytes, int]:
    """Return the bytes with each credential replaced by `[masked:KIND]`, and the number of credentials."""
    count = 0
    for _ in range(_ROUNDS_MAX):
        spans = _found(data)
        if not spans:
            break
        count += len(spans)
        parts: list[bytes] = []
        at = 0
        for span in spans:
            parts += (data[at : span.start], _placeholder(data, span))
            at = span.end
        data = b"".join((*parts, data[at:]))
    return data, count


def _placeholder(data: bytes, span: _Span) -> bytes:
    """Return what stands in the place of a credential: in quotes where it is a bare number of JSON, so that the line stays JSON."""
    value = data[span.start : span.end]
    digest = f"#{blake2b(value, digest_size=2).hexdigest()}" if span.is_vendor else ""
    mark = b"%s%s%s]" % (MASK_PREFIX, span.kind.encode(), digest.encode())
    is_number = _NUMBER.fullmatch(value) and _JSON_KEY.search(data, max(0, span.start - 80), span.start)
    return b'"%s"' % mark if is_number else mark


def _found(data: bytes, *, by_line: bool = False) -> list[_Span]:
    """Where credentials stand, in order. `by_line` looks at each line as if it stood alone."""
    return _merged(
        [span for span in (*_spans(data, by_line=by_line), *_keys(data, by_line=by_line)) if not _is_inside_mask(data, span.start)]
    )


def _is_inside_mask(data: bytes, at: int) -> bool:
    """Whether a place stands inside `[masked:KIND]`."""
    return data.rfind(MASK_PREFIX, max(0, at - MASK_CHARS_MAX), at) > data.rfind(b"]", max(0, at - MASK_CHARS_MAX), at)


def _merged(spans: Sequence[_Span]) -> list[_Span]:
    """The spans in order; of those that overlap one over all of them, named after the issuer where one was recognised."""
    found: list[_Span] = []
    for span in sorted(spans, key=lambda each: (each.start, not each.is_vendor, -each.end)):
        if found and span.start < found[-1].end:
            last = found[-1]
            named = span if span.is_vendor and not last.is_vendor and span.end >= last.end else last
            is_vendor = named.is_vendor and max(last.end, span.end) == named.end and last.start == named.start
            found[-1] = _Span(last.start, max(last.end, span.end), named.kind, is_vendor)
        else:
            found.append(span)
    return found


def _spans(data: bytes, *, by_line: bool) -> Iterator[_Span]:
    rules = _rules()
    lowered = data.lower()
    end, low, high = 0, 0, -1 if by_line else len(data)
    for number, at, behind in rules.search.find_matches_as_indexes(lowered, overlapping=True):
        if at < end:  # inside what is masked already
            continue
        if by_line and at > high:
            low = data.rfind(b"\n", max(0, high), at) + 1 or low
            high = data.find(b"\n", at)
            high = len(data) if high < 0 else high
        for rule in rules.of_word[number]:
            # Nearly all of 6,000 hits a megabyte end in one of these three tests, so they stand in the loop.
            if isinstance(rule, _Name):
                follows = data[behind] if behind < high else 46
                if follows in _NAMES_NOTHING or (behind - at <= 4 and 96 < follows < 123) or _COUNTED.match(data, behind, high):
                    continue
                span = _named(data, lowered, at, behind, rule, rules, low, high)
            else:
                if not rule.back and (rule.compiled or rule.compile()).match(data, at, min(high, at + rule.ahead)) is None:
                    continue
                span = _formed(data, at, rule, low, high)
            if span is not None:
                yield span
                end = max(end, span.end) if span.start <= at else end


def _formed(data: bytes, at: int, rule: _Rule, low: int, high: int) -> _Span | None:
    """What a rule finds at a word, between `low` and `high`."""
    form = rule.compiled or rule.compile()
    until = min(high, at + rule.ahead)
    found = form.search(data, max(low, at - rule.back), until) if rule.back else form.match(data, at, until)
    if found is None or found.start() > at:
        return None
    if rule.behind is not None and not rule.behind.search(data[max(low, at - BEHIND_BYTES) : at]):
        return None
    group = found.lastgroup or (1 if form.groups == 1 and found[1] is not None else 0)
    start, end = found.span(group)
    value = data[start:end].rstrip(b".,;:!?") if rule.check != "basic" else data[start:end]
    end = start + len(value)
    if (
        MASK_PREFIX in value or not _is_meant(value, rule) or (rule.check == "vendor" and data[end : end + 1] in (b"/", b"+"))
    ):  # inside base64
        return None
    return _Span(start, end, rule.kind, rule.is_vendor)


def _is_meant(value: bytes, rule: _Rule) -> bool:
    value = value[:JUDGED_BYTES]
    match rule.check:
        case "none":
            return True
        case "vendor":
            is_mixed = sum(48 <= each <= 57 for each in value) >= 1 or _case_changes(value) >= 3
            return _entropy(value) >= max(rule.entropy, VENDOR_ENTROPY_MIN) and is_mixed and not _is_name(value)
        case "basic":
            return _is_basic(value)
        case "any":
            return len(value) >= 3 and not _PLACEHOLDER.search(value)
        case check:
            return not _PLACEHOLDER.search(value) and _is_credential(value, check)


def _named(data: bytes, lowered: bytes, at: int, behind: int, name: _Name, rules: _Rules, low: int, high: int) -> _Span | None:
    """The value that is assigned to a name in which this word stands."""
    word = data[at:behind]
    if len(word) <= 4 and not _begins_and_ends_a_word(data, at, behind, low):
        return None
    found = rules.assigned.match(data, behind, min(high, behind + 4600)) or _spaced(data, at, behind, rules, low, high)
    if found is None:
        return None
    group = "quoted" if found["quoted"] is not None else "bare"
    value, start = found[group], found.start(group)
    is_set = found.re is rules.assigned
    if (group == "bare" or not is_set) and not (is_set and found["tag"]):
        value = value.rstrip(b".,;:!?" if not is_set else b".,:!?")
    if word.lower() == b"pwd" and value.startswith((b"/", b"~", b".")):  # a folder
        return None
    if value.isdigit() or MASK_PREFIX in value or _PLACEHOLDER.search(value):
        return None
    if not is_set:
        is_meant = _is_credential(value, name.check) and not value.startswith((b"/", b"./"))
    elif (found["comma"] and not _is_paired(data, at, found, name)) or (
        found["tag"] and data[start + len(value) : start + len(value) + 2] != b"</"
    ):
        is_meant = False
    elif group == "quoted":
        is_meant = _is_quoted_credential(value, name.check)
    else:
        is_env = word.isupper() and found["joint"] == b"=" and data[found.end("joint") : found.end("joint") + 1] != b" "
        follows = data[start + len(value) : start + len(value) + 1]
        is_meant = _is_bare_credential(value, name.check, b"" if found["joint"] == b":" and follows == b")" else follows, is_env=is_env)
    # Last, because it costs most: what the whole name says.
    if not is_meant or rules.not_after.match(lowered, behind) or rules.not_before.search(lowered[max(low, at - 20) : at]):
        return None
    return _Span(start, start + len(value), _kind_of(word.lower(), name), is_vendor=False)


def _begins_and_ends_a_word(data: bytes, at: int, behind: int, low: int) -> bool:
    """Whether a short word (`pass`, `key`, `sig`) stands for itself, and not inside another one."""
    follows = data[behind : behind + 1]
    if follows.islower() or (follows == b":" and data[at:behind] == b"PASS"):  # `PASS: ` is how a test run counts
        return False
    before = data[max(low, at - 2) : at]
    if not before[-1:].isalpha() or not data[at : at + 1].isalpha() or (data[at : at + 1].isupper() and before[-1:].islower()):
        return True
    return before[:1] == b"\\" and before[-1:] in b"nrt"


def _spaced(data: bytes, at: int, behind: int, rules: _Rules, low: int, high: int) -> re.Match[bytes] | None:
    found = rules.spaced.match(data, behind, min(high, behind + 2400))
    return found if found and _SPACED_BEHIND.search(data[max(low, at - 100) : at]) else None


def _is_paired(data: bytes, at: int, found: re.Match[bytes], name: _Name) -> bool:
    """Whether a comma joins a setting, or an option, with its value, as in `define("DB_PASSWORD", "x")`, and is none between words."""
    if not found["close"] or found["open"][-1:] != found["close"][-1:]:
        return False
    opened = data.rfind(found["close"][-1:], max(0, at - 60), at)
    named = data[opened + 1 : found.end("rest")] if opened >= 0 else b""
    before = data[max(0, opened - 40) : max(0, opened)].rstrip(b"\\").rstrip()
    is_option = _OPTION.fullmatch(named) is not None
    is_call = before.endswith(b"(") and (named.isupper() or b"set" in before[-20:].lower() or b"env" in before[-20:].lower())
    return (is_option or is_call) and _is_credential(found["quoted"], name.check)


def _kind_of(word: bytes, name: _Name) -> str:
    if name.check == "password":
        return "password"
    return "token" if b"token" in word else "secret" if b"secret" in word or b"cred" in word else "key"


def _is_quoted_credential(value: bytes, check: str) -> bool:
    if check != "password":
        return b" " not in value and _is_credential(value, check)
    return value.count(b" ") <= 3 and _is_credential(value, check)


def _is_bare_credential(value: bytes, check: str, follows: bytes, *, is_env: bool) -> bool:
    """Whether a value without quotation marks is one: it may as well be a name in code, or a type."""
    if _TYPE.fullmatch(value) or follows in (b"(", b"["):
        return False
    if check == "password" and is_env and len(value) >= 6 and not value.startswith((b"/", b"~", b".")):
        return True
    if _CODE_NAME.fullmatch(value) and ((check != "password" and not is_env) or (value[:1].islower() and _is_name(value))):
        return False
    if follows in (b")", b"{") or _TELLING.search(value):
        return _is_credential(value, "strong")
    if check != "password" and not is_env and _IDENTIFIER.fullmatch(value) and _changes(value) <= 2 and len(value) < NAME_CHARS_MAX:
        return False
    return _is_credential(value, check)


def _is_credential(value: bytes, check: str) -> bool:
    """Whether a value is no word: `password` has letters and digits, or a sign; `key` has no words; `strong` is drawn by chance."""
    value = value[:JUDGED_BYTES]
    digits = sum(48 <= each <= 57 for each in value)
    letters = sum(65 <= each <= 90 or 97 <= each <= 122 for each in value)
    if check == "password":
        signs = len(value) - digits - letters - sum(each in b"_-. /:,'" for each in value)
        is_mixed = digits or ((signs > 0 or (len(value) >= 12 and _case_changes(value) >= 4)) and not _is_name(value))
        return len(value) >= 6 and bool(letters and is_mixed) and not _TELLING.search(value)
    if not digits or not letters or _is_name(value):
        return False
    if check == "key":
        return len(value) >= 10 and _entropy(value) >= 2.5
    is_digest = _UUID.fullmatch(value) or _HEX.fullmatch(value)
    return len(value) >= STRONG_CHARS_MIN and digits >= 2 and not is_digest and _entropy(value) >= 3.0 and _changes(value) >= 4


def _is_name(value: bytes) -> bool:
    """Whether all parts of it are words or numbers, as in `prod-db-2` or `user_id`."""
    parts = _SPLITS.split(value)
    rest = [part for part in parts if not (_NAME.fullmatch(part) and len(part) <= 18 and _is_one_case(part))]
    if not rest:
        return True
    # `e2e` and `x509` are words among words, and no words among their like: a key may be written in groups of four.
    return b"." not in value and all(len(part) <= 4 for part in rest) and sum(map(len, rest)) * 4 <= sum(map(len, parts))


def _is_one_case(part: bytes) -> bool:
    """A word in one case, capitalised or in camel case: at most every third letter begins a word."""
    return _case_changes(part) * 3 <= len(part)


def _case_changes(value: bytes) -> int:
    """How often a capital follows a small letter."""
    return sum(left > 96 and 64 < right < 91 for left, right in pairwise(value))


def _changes(value: bytes) -> int:
    """How often letters and digits take turns."""
    return sum((48 <= left <= 57) != (48 <= right <= 57) for left, right in pairwise(value))


def _entropy(value: bytes) -> float:
    """Shannon's bits a byte, of the frequencies of the bytes."""
    size = len(value)
    return -sum(count / size * log2(count / size) for count in Counter(value).values()) if size else 0.0


def _is_basic(value: bytes) -> bool:
    """Whether it is base64 of a name and a password."""
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    _, colon, word = plain.partition(b":")
    return bool(colon and len(word) >= 3 and plain.isascii() and all(32 <= each < 127 for each in plain)) and not _PLACEHOLDER.search(word)


def _keys(data: bytes, *, by_line: bool) -> Iterator[_Span]:
    """The runs of private keys, also of one that is cut off before its end."""
    at = data.find(b"PRIVATE KEY") if b"PRIVATE KEY" in data else data.find(b"Private-Lines:")
    if at < 0:
        return
    for begin in _KEY_BEGIN.finditer(data, max(0, at - 60)):
        at, high = begin.end(), data.find(b"\n", begin.end()) if by_line else len(data)
        high = len(data) if high < 0 else high
        while True:
            header = _KEY_HEADER.match(data, at, high)
            if header is not None:
                at = header.end()
                continue
            run = _KEY_RUN.match(data, at, high)
            if run is None or (len(run[2]) < _KEY_LINE_CHARS_MIN and not _KEY_END.match(data, run.end(), high)):
                break
            yield _Span(run.start(2), run.end(2), "private-key", is_vendor=False)
            at = run.end()


@cache
def _rules() -> _Rules:
    """Read the rules. Cost: 8 ms."""
    folder = Path(__file__).parent
    vendors: dict[str, Any] = json.loads((folder / "secret_vendors.json").read_text("utf-8"))
    contexts: dict[str, Any] = tomllib.loads((folder / "secret_contexts.toml").read_text("utf-8"))
    of_word: dict[bytes, list[_Rule | _Name]] = {}

    def add(words: Sequence[str], rule: _Rule | _Name) -> None:
        for word in words:
            of_word.setdefault(word.encode(), []).append(rule)

    for given in vendors["rules"]:
        add(given["words"], _Rule(given["id"], given["form"].encode(), 0, None, "vendor", given.get("entropy", 0.0), is_vendor=True))
    for given in contexts["rule"]:
        behind = re.compile(_filled(given["behind"], _PARTS), re.IGNORECASE) if "behind" in given else None
        form, check = b"(?i)" + _filled(given["form"], _PARTS), given["check"]
        is_vendor = check in ("none", "vendor") and not given["id"].endswith(("hash", "response"))
        add(given["words"], _Rule(given["id"], form, given.get("back", 0), behind, check, 0.0, is_vendor=is_vendor))
    names: dict[str, Any] = contexts["assignment"]
    for check in ("password", "key", "strong"):
        add(names[check], _Name(check))
    words = sorted(of_word)
    return _Rules(
        BytesAhoCorasick(words, implementation=Implementation.DFA),
        [of_word[word] for word in words],
        re.compile(_FORMS["assigned"]),
        re.compile(_FORMS["spaced"]),
        re.compile(names["not_after"].encode()),
        re.compile(names["not_before"].encode()),
    )
