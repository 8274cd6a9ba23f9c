"""Views: what a coding agent's tools print about a project, made from the project's own text.

Takes (path, text) of a tree and a seeded generator, yields (kind, text): numbered reads, searches,
listings, test runs, tracebacks, build output, logs, JSON, tables, encoded and minified text. The words
and paths are the project's, only the frames and the numbers are made up. Also names the kind of a
file, and the script of a text that is not mainly ASCII.
"""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator

Tree = list[tuple[str, str]]

KINDS = {
    "py": "python",
    "pyi": "python",
    "js": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "jsx": "javascript",
    "ts": "typescript",
    "tsx": "typescript",
    "mts": "typescript",
    "go": "go",
    "rs": "rust",
    "java": "java",
    "c": "c",
    "h": "c",
    "cc": "c++",
    "cpp": "c++",
    "hpp": "c++",
    "cs": "c#",
    "rb": "ruby",
    "php": "php",
    "kt": "kotlin",
    "kts": "kotlin",
    "swift": "swift",
    "md": "markdown",
    "rst": "rst",
    "txt": "plain",
    "json": "json",
    "yml": "config",
    "yaml": "config",
    "toml": "config",
    "cfg": "config",
    "ini": "config",
    "html": "markup",
    "xml": "markup",
    "css": "markup",
    "svg": "markup",
    "sh": "shell",
    "po": "catalogue",
    "csv": "table",
    "lock": "lock",
    "adoc": "rst",
}
SCRIPTS = (
    ("cjk", re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")),
    ("cyrillic-greek", re.compile(r"[\u0370-\u052f]")),
    ("other-script", re.compile(r"[\u0530-\u1cff]")),
    ("accented-latin", re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]")),
    ("symbols", re.compile(r"[\u2000-\u2bff\U0001f000-\U0001faff]")),
)
SCRIPT_SHARE_MIN = 0.03  # of all characters; below it the text is labelled by its file's kind

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,}")
SENTENCE = re.compile(r"\"([^\"\n\\]{12,90})\"|'([^'\n\\]{12,90})'")
PYTHON_DEF = re.compile(r"^( *)def (\w+)\(", re.MULTILINE)
LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR", "info", "warn")


def kind_of(path: str, text: str) -> str | None:
    """The content kind of a file, or None when it is of no use here."""
    name = path.rsplit("/", 1)[-1]
    if name in ("METADATA", "README", "CHANGES", "AUTHORS"):
        return "markdown"
    if name in ("Makefile", "Dockerfile"):
        return "shell"
    if name.endswith((".min.js", ".min.css", ".min.mjs")) or (text and len(text) / (text.count("\n") + 1) > 400):
        return "minified"
    if name in ("package-lock.json", "pnpm-lock.yaml", "go.sum"):
        return "lock"
    return KINDS.get(name.rsplit(".", 1)[-1].lower())


def script_of(text: str) -> str | None:
    """The commonest script that is not plain ASCII, when it holds a noticeable share of the text."""
    if text.isascii():
        return None
    counts = [(len(pattern.findall(text)), name) for name, pattern in SCRIPTS]
    count, name = max(counts)
    return name if count >= SCRIPT_SHARE_MIN * len(text) else None


def views(tree: Tree, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Every view of the tree, each several times with other files."""
    if not tree:
        return
    sources = [(path, text) for path, text in tree if path.rsplit(".", 1)[-1] in KINDS and len(text) > 400] or tree
    makers: tuple[tuple[str, Callable[[Tree, random.Random], str], int], ...] = (
        ("numbered", numbered, 12),
        ("search", search, 10),
        ("listing", listing, 8),
        ("test-run", test_run, 10),
        ("traceback", traceback, 14),
        ("build", build, 8),
        ("log", log, 14),
        ("tool-json", tool_json, 10),
        ("table", table, 10),
        ("encoded", encoded, 5),
        ("minified", minified, 3),
        ("lock", lock, 4),
        ("prompt", prompt, 8),
        ("wide-space", wide_space, 4),
        ("tool-call", tool_call, 30),
        ("shell-session", shell_session, 8),
    )
    for kind, make, times in makers:
        for _ in range(times):
            text = make(sources, rng)
            if text:
                yield kind, text


def pick_lines(tree: Tree, rng: random.Random, count: int) -> list[tuple[str, int, str]]:
    """`count` non-blank lines as (path, 1-based line, text), from files drawn evenly."""
    found: list[tuple[str, int, str]] = []
    for _ in range(count * 4):
        path, text = rng.choice(tree)
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        if lines[at].strip() and len(lines[at]) < 300:
            found.append((path, at + 1, lines[at]))
        if len(found) == count:
            break
    return found


def numbered(tree: Tree, rng: random.Random) -> str:
    """A file as a reading tool prints it, with line numbers."""
    _, text = rng.choice(tree)
    lines = text.split("\n")
    start = rng.randrange(max(1, len(lines) - 20))
    style = rng.choice(("{n:>6}\u2192{line}", "{n:>6}\t{line}", "{n:>4}: {line}"))
    return "\n".join(style.format(n=start + i + 1, line=line) for i, line in enumerate(lines[start : start + 220]))


def search(tree: Tree, rng: random.Random) -> str:
    """Matches of one word over the tree, as grep prints them, or only the paths."""
    words = WORD.findall(rng.choice(tree)[1])
    if not words:
        return ""
    word = rng.choice(words)
    rows: list[str] = []
    for path, text in tree:
        if word in text:
            rows += [f"{path}:{n}:{line}" for n, line in enumerate(text.split("\n"), 1) if word in line and len(line) < 400]
        if len(rows) > 150:
            break
    if rng.random() < 0.25:
        return "\n".join(dict.fromkeys(row.split(":", 1)[0] for row in rows))
    return "\n".join(rows)


def listing(tree: Tree, rng: random.Random) -> str:
    """Paths as `find`, `ls -la` or a tree drawing prints them."""
    paths = [path for path, _ in tree]
    start = rng.randrange(max(1, len(paths) - 30))
    paths = paths[start : start + rng.randint(10, 120)]
    style = rng.randrange(3)
    if style == 0:
        return "\n".join(f"./{path}" for path in paths)
    names = [path.rsplit("/", 1)[-1] for path in paths]
    if style == 1:
        return "\n".join(
            f"-rw-r--r--  1 user  staff  {rng.randint(80, 90_000):>6} {rng.choice(('Jan', 'May', 'Oct'))} {rng.randint(1, 28):>2} "
            f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02} {name}"
            for name in names
        )
    return "\n".join("│   " * rng.randint(0, 2) + rng.choice(("├── ", "├── ", "└── ")) + name for name in names)


def test_run(tree: Tree, rng: random.Random) -> str:
    """Test output in the manner of several runners, with the project's own names and lines."""
    rows = pick_lines(tree, rng, rng.randint(8, 60))
    names = ["_".join(WORD.findall(line)[:4]).lower() or "case" for _, _, line in rows]
    style = rng.randrange(5)
    if style == 4:
        return "\n".join(
            rng.choice(
                (
                    f"ok  \t{path.rsplit('/', 1)[0]}\t{rng.random() * 9:.3f}s",
                    f"?   \t{path.rsplit('/', 1)[0]}\t[no test files]",
                    f"ok  \t{path.rsplit('/', 1)[0]}\t(cached)",
                    f"FAIL\t{path.rsplit('/', 1)[0]}\t{rng.random() * 9:.3f}s",
                )
            )
            for path, _, _ in rows
        )
    if style == 0:
        out = [
            f"platform linux -- Python 3.{rng.randint(9, 14)}.{rng.randint(0, 9)}, pytest-8.{rng.randint(0, 4)}.0",
            f"collected {len(rows)} items",
            "",
        ]
        for i, ((path, _, _), name) in enumerate(zip(rows, names, strict=True)):
            out.append(f"{path}::test_{name} {rng.choice(('PASSED', 'PASSED', 'FAILED', 'SKIPPED'))}{100 * (i + 1) // len(rows):>20}%]")
        for path, n, line in rows[:5]:
            out += [
                "",
                "_" * 30 + f" test_{names[0]} " + "_" * 30,
                "",
                f"    {line}",
                f">   {line.strip()}",
                f"E   AssertionError: assert {n} == {n + 1}",
                "",
                f"{path}:{n}: AssertionError",
            ]
        out.append(f"{'=' * 20} {rng.randint(1, 9)} failed, {len(rows)} passed in {rng.random() * 9:.2f}s {'=' * 20}")
        return "\n".join(out)
    if style == 1:
        return "\n".join(
            f"--- {rng.choice(('PASS', 'FAIL'))}: Test{name.title().replace('_', '')} ({rng.random():.2f}s)\n"
            f"    {path}:{n}: got {line.strip()[:60]}"
            for (path, n, line), name in zip(rows, names, strict=True)
        )
    if style == 2:
        return "\n".join(
            f"test {path.rsplit('.', 1)[0].replace('/', '::')}::{name} ... {rng.choice(('ok', 'ok', 'FAILED', 'ignored'))}"
            for (path, _, _), name in zip(rows, names, strict=True)
        )
    return "\n".join(f"  {rng.choice('✓✓✕')} {name.replace('_', ' ')} ({rng.randint(1, 90)} ms)" for name in names)


def traceback(tree: Tree, rng: random.Random) -> str:
    """Stack traces through the project's own lines, in Python's and in Node's manner."""
    rows = pick_lines(tree, rng, rng.randint(3, 14))
    name = [rng.choice(WORD.findall(text) or ["run"]) for _, text in rng.choices(tree, k=len(rows))]
    if rng.random() < 0.65:
        out = ["Traceback (most recent call last):"]
        for (path, n, line), function in zip(rows, name, strict=True):
            out += [f'  File "/usr/lib/python3/site-packages/{path}", line {n}, in {function}', f"    {line.strip()}"]
            if rng.random() < 0.4:
                out.append("    " + "^" * min(40, len(line.strip())))
        error = rng.choice(("TypeError", "KeyError", "ValueError", "AttributeError", "ModuleNotFoundError"))
        return "\n".join([*out, f"{error}: {' '.join(name[:5])}"])
    head = f"{rng.choice(('TypeError', 'Error', 'ReferenceError'))}: Cannot read properties of undefined (reading '{name[0]}')"
    return "\n".join(
        [
            head,
            *(
                f"    at {function} (/app/node_modules/{path}:{n}:{rng.randint(1, 80)})"
                for (path, n, _), function in zip(rows, name, strict=True)
            ),
        ]
    )


def build(tree: Tree, rng: random.Random) -> str:
    """Compiler, linter and installer output about the project's own lines."""
    out: list[str] = []
    for path, n, line in pick_lines(tree, rng, rng.randint(5, 40)):
        word = rng.choice(WORD.findall(line) or ["value"])
        column = rng.randint(1, 80)
        out.append(
            rng.choice(
                (
                    (
                        f"{path}:{n}:{column}: error: '{word}' was not declared in this scope\n"
                        f"{n:>5} | {line}\n      | {' ' * column}^{'~' * len(word)}"
                    ),
                    f"{path}({n},{column}): error TS2339: Property '{word}' does not exist on type 'unknown'.",
                    (
                        f"error[E0425]: cannot find value `{word}` in this scope\n --> {path}:{n}:{column}\n"
                        f"  |\n{n} | {line}\n  | {' ' * (column % 30)}^^^^ not found"
                    ),
                    f"{path}:{n}:{column}: F841 local variable '{word}' is assigned to but never used",
                    f"  {n}:{column}  warning  '{word}' is defined but never used  no-unused-vars",
                    (
                        f"Collecting {word}=={rng.randint(0, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 9)} "
                        f"(from -r requirements.txt (line {n % 50}))\n"
                        f"  Downloading {word}-{rng.randint(0, 9)}.{rng.randint(0, 40)}.tar.gz ({n} kB)"
                    ),
                    f"npm warn deprecated {word}@{rng.randint(0, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 9)}: {line.strip()[:80]}",
                )
            )
        )
    return "\n".join(out)


def sentences(tree: Tree, rng: random.Random, count: int) -> list[str]:
    """String literals that hold several words, else plain lines."""
    _, text = rng.choice(tree)
    found = [a or b for a, b in SENTENCE.findall(text) if " " in (a or b)]
    return [rng.choice(found) for _ in range(count)] if len(found) > 4 else [line for _, _, line in pick_lines(tree, rng, count)]


def log(tree: Tree, rng: random.Random) -> str:
    """Server and application logs whose messages are the project's own strings."""
    style = rng.randrange(5)
    out: list[str] = []
    for message in sentences(tree, rng, rng.randint(10, 80)):
        clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
        date = f"20{rng.randint(19, 27)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        level, name = rng.choice(LEVELS), rng.choice(tree)[0].replace("/", ".")
        ident = f"{rng.getrandbits(64):016x}"
        out.append(
            (
                f"{date} {clock},{rng.randint(0, 999):03} {level:<8} {name}: {message.strip()}",
                (
                    f"[{date}T{clock}.{rng.randint(0, 999999):06}Z] [{level}] {message.strip()} request_id={ident} "
                    f"duration_ms={rng.randint(1, 9000)}"
                ),
                json.dumps(
                    {
                        "ts": f"{date}T{clock}Z",
                        "level": level.lower(),
                        "msg": message.strip(),
                        "trace_id": ident,
                        "status": rng.choice((200, 404, 500)),
                    }
                ),
                (
                    f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)} - - "
                    f'[{rng.randint(1, 28)}/Nov/2026:{clock} +0000] "GET /{name}?id={rng.randint(1, 99999)} HTTP/1.1" '
                    f"200 {rng.randint(100, 99999)}"
                ),
                f"{clock} {level[0]} {name[:24]:<24} pid={rng.randint(100, 65000)} {message.strip()} 0x{rng.getrandbits(48):012x}",
            )[style]
        )
    return "\n".join(out)


def tool_json(tree: Tree, rng: random.Random) -> str:
    """JSON as tools return it: rows of symbols, or file text inside a JSON string."""
    if rng.random() < 0.5:
        rows = [
            {"path": path, "line": n, "text": line, "score": round(rng.random(), 4)}
            for path, n, line in pick_lines(tree, rng, rng.randint(5, 60))
        ]
        return json.dumps(rows, indent=rng.choice((None, 2, 4)))
    path, text = rng.choice(tree)
    return json.dumps({"type": "tool_result", "is_error": False, "path": path, "content": text[:8000]}, ensure_ascii=rng.random() < 0.3)


def table(tree: Tree, rng: random.Random) -> str:
    """Aligned columns, Markdown tables and comma-separated rows."""
    style = rng.randrange(3)
    out: list[str] = []
    for path, n, line in pick_lines(tree, rng, rng.randint(8, 60)):
        cells = [rng.choice(WORD.findall(line) or ["x"]), str(n), f"{rng.random() * 100:.{rng.randint(0, 4)}f}", path.rsplit("/", 1)[-1]]
        out.append((f"{cells[0]:<28}{cells[1]:>8}  {cells[2]:>10}  {cells[3]}", "| " + " | ".join(cells) + " |", ",".join(cells))[style])
    return "\n".join(out)


def encoded(tree: Tree, rng: random.Random) -> str:
    """Base64, hexadecimal, dumps, digests and identifiers of compressed project text."""
    data = zlib.compress(rng.choice(tree)[1].encode())[2:3000]
    style = rng.randrange(5)
    if style == 0:
        return base64.b64encode(data).decode()
    if style == 1:
        return base64.encodebytes(data).decode()
    if style == 2:
        return data.hex()
    if style == 3:
        return "\n".join(f"{at:08x}: {data[at : at + 16].hex(' ', 2)}" for at in range(0, min(len(data), 1200), 16))
    return "\n".join(
        f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4{rng.getrandbits(12):03x}-a{rng.getrandbits(12):03x}-{rng.getrandbits(48):012x}"
        for _ in range(30)
    )


def minified(tree: Tree, rng: random.Random) -> str:
    """A script or a data file with its white space taken out."""
    files = [text for path, text in tree if path.endswith((".js", ".ts", ".css", ".json", ".cjs", ".mjs", ".java", ".cs"))]
    if not files:
        return ""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", rng.choice(files), flags=re.DOTALL)
    return re.sub(r" ?([^\w$]) ?", r"\1", re.sub(r"\s+", " ", text))[:12_000]


def lock(tree: Tree, rng: random.Random) -> str:
    """Lock-file entries: names, versions, digests."""
    out: list[str] = []
    for _, _, line in pick_lines(tree, rng, rng.randint(4, 30)):
        name = rng.choice(WORD.findall(line) or ["left"]).lower()
        version = f"{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 20)}"
        digest = rng.randbytes(64)
        out.append(
            rng.choice(
                (
                    (
                        f'    "node_modules/{name}": {{\n      "version": "{version}",\n'
                        f'      "integrity": "sha512-{base64.b64encode(digest).decode()}",\n      "license": "MIT"\n    }},'
                    ),
                    f'[[package]]\nname = "{name}"\nversion = "{version}"\nchecksum = "{digest[:32].hex()}"\n',
                    f"{name}=={version} \\\n    --hash=sha256:{digest[:32].hex()}",
                )
            )
        )
    return "\n".join(out)


def prompt(tree: Tree, rng: random.Random) -> str:
    """What a person or an agent writes: sentences of the docs with paths and names quoted in them."""
    docs = [text for path, text in tree if path.endswith((".md", ".rst", ".txt"))]
    plain = re.split(r"(?<=[.!?])\s+", rng.choice(docs)) if docs else sentences(tree, rng, 20)
    plain = [one.strip() for one in plain if 20 < len(one) < 300]
    if not plain:
        return ""
    out: list[str] = []
    for path, n, line in pick_lines(tree, rng, rng.randint(2, 12)):
        word = rng.choice(WORD.findall(line) or ["it"])
        out.append(
            rng.choice(
                (
                    f"{rng.choice(plain)}",
                    f"- [ ] {rng.choice(plain)} (`{path}:{n}`)",
                    f"I changed `{word}` in **{path}**. {rng.choice(plain)}",
                    f"{rng.randint(1, 9)}. Check `{word}()`: {rng.choice(plain)}",
                )
            )
        )
    return "\n".join(out)


def wide_space(tree: Tree, rng: random.Random) -> str:
    """Deep indentation, trailing blanks, tabs, empty lines, and rules drawn with one character."""
    out: list[str] = []
    rule = rng.choice("-=*#~_\u2500\u2501\u2550\u2588\u2014.") * rng.choice((20, 40, 53, 60, 72, 79, 80, 100))
    for _, _, line in pick_lines(tree, rng, rng.randint(10, 50)):
        out.append(rng.choice((" " * rng.randint(8, 60), "\t" * rng.randint(2, 8))) + line.strip() + " " * rng.choice((0, 0, 3, 20)))
        out += [""] * rng.choice((0, 0, 0, 1, 4))
        out += [rule] * rng.choice((0, 0, 0, 0, 1))
    return "\n".join(out)


HOMES = ("/home/dev/src", "/Users/me/code", "/workspace", "/root", "/tmp/build", "/Users/dev/Projects/web-app", "C:\\Users\\user\\repo")


def command(tree: Tree, rng: random.Random) -> str:
    """One shell command line as agents write them, about the project's own files and words."""
    rows = pick_lines(tree, rng, 2)
    if not rows:
        return "ls -la"
    path, n, line = rows[0]
    word = rng.choice(WORD.findall(line) or ["main"])
    home, folder = rng.choice(HOMES), path.rsplit("/", 1)[0]
    return rng.choice(
        (
            f"cd {home} && git status && git diff --stat",
            f"grep -rn \"{word}\" --include='*.{path.rsplit('.', 1)[-1]}' {folder} | head -{n % 60 + 5}",
            f"sed -n '{n},{n + 60}p' {path}",
            f"python -m pytest {path} -x -q -k {word.lower()} 2>&1 | tail -{n % 40 + 5}",
            f'npm test -- {path} 2>&1 | grep -E "(FAIL|PASS|{word})"',
            f"go test ./{folder}/... -run {word} -v -count=1",
            f'git add {path} && git commit -m "{word}: {line.strip()[:60]}"',
            f"find {home} -name \"*{word}*\" -not -path '*/node_modules/*' | head -20",
            f"cargo build --release 2>&1 | tail -{n % 30 + 5} && ls -la target/release/",
            f"cat {home}/{path} | head -{n % 90 + 10}",
            f"rg -n \"{word}\\(\" {folder} -g '!*.lock'",
            f'for f in {folder}/*; do echo "== $f"; wc -l "$f"; done',
            f"docker compose up -d {word.lower()} && docker logs --tail {n} {word.lower()}",
            f"mkdir -p {folder}/{word.lower()} && mv {path} {folder}/{word.lower()}/",
        )
    )


def tool_call(tree: Tree, rng: random.Random) -> str:
    """The arguments of one call of a coding agent's tool as JSON, or the short answer to it."""
    rows = pick_lines(tree, rng, 3)
    if not rows:
        return ""
    (path, n, line), words = rows[0], WORD.findall(" ".join(row[2] for row in rows)) or ["value"]
    file, lines = f"{rng.choice(HOMES)}/{path}", rng.choice(tree)[1].split("\n")
    at, count = rng.randrange(len(lines)), rng.randint(1, 25)
    old = "\n".join(lines[at : at + count])
    new = old.replace(rng.choice(words), rng.choice(words)) + rng.choice(("", "\n" + line))
    todo = [
        {
            "content": f"{rng.choice(('Fix', 'Add', 'Check', 'Update'))} {rng.choice(words)} in {row[0]}",
            "status": rng.choice(("pending", "completed", "in_progress")),
            "activeForm": f"Checking {rng.choice(words)}",
        }
        for row in rows
    ]
    made = rng.choice(
        (
            {
                "command": command(tree, rng),
                "description": f"{rng.choice(('Show', 'Search', 'Run', 'List', 'Check'))} {' '.join(words[:3])}",
            },
            {"command": command(tree, rng), "timeout": 120000},
            {"file_path": file},
            {"file_path": file, "offset": n, "limit": 80},
            {"file_path": file, "old_string": old, "new_string": new},
            {"file_path": file, "old_string": old, "new_string": new, "replace_all": False},
            {"pattern": rng.choice(words), "path": file.rsplit("/", 1)[0], "output_mode": "content", "-n": True},
            {"pattern": f"**/*{words[0]}*.{path.rsplit('.', 1)[-1]}"},
            {"file_path": file, "content": "\n".join(lines[at : at + 120])},
            {"todos": todo},
            f"The file {file} has been updated. Here's the result of running `cat -n` on a snippet of the edited file:\n"
            + "\n".join(f"{at + i + 1:>6}\t{one}" for i, one in enumerate(lines[at : at + count])),
            f"File created successfully at: {file}",
            f"Found {n} files\n" + "\n".join(f"{rng.choice(HOMES)}/{one}" for one, _, _ in rows),
            f"Exit code 1\n{file}: {n}: {line.strip()}: No such file or directory",
        )
    )
    return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)


def shell_session(tree: Tree, rng: random.Random) -> str:
    """Command lines one after another, with comments and a little output between."""
    out: list[str] = []
    for path, n, line in pick_lines(tree, rng, rng.randint(3, 15)):
        out.append(rng.choice(("$ ", "", "", "# " + " ".join(WORD.findall(line)[:5]) + "\n")) + command(tree, rng))
        out += rng.choice(
            (
                [],
                [],
                [f"{n} {path}"],
                [line.strip()],
                [f" M {path}", f"?? {path}.orig"],
                [f" {path} | {n % 90} {'+' * (n % 30)}{'-' * (n % 7)}"],
            )
        )
    return "\n".join(out)
