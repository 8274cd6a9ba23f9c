"""Bad input ends in a sentence, a hint and an exit code; never in a stack trace."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from calling import SOURCE, Call, Called

from clew.samples import TIES


def said(called: Called, code: int, *parts: str) -> None:
    """It ended with this code, and said these things in a few lines."""
    assert called.code == code, called.err
    assert "Traceback" not in called.err
    assert len(called.err.splitlines()) <= 4
    for part in parts:
        assert part in called.err


def test_a_folder_that_is_no_repository_is_indexed_as_it_is(clew: Call, repository: Path) -> None:
    assert not (repository / ".git").exists()
    assert clew("index", repository, "--json").json["files"] == 3


def test_an_empty_folder_gives_an_empty_packet(clew: Call, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    called = clew("retrieve", "anything", "--repo", empty, "--json")

    assert called.code == 0
    assert (called.json["entries"], called.json["text"]) == ([], "No evidence: nothing was found.\n")
    assert [remark["kind"] for remark in called.json["remarks"]] == ["no evidence"]


@pytest.mark.parametrize(
    "words", [("index", "{}"), ("retrieve", "x", "--repo", "{}"), ("status", "--repo", "{}"), ("ingest", "--repo", "{}")]
)
def test_a_file_where_a_folder_is_meant(clew: Call, repository: Path, words: tuple[str, ...]) -> None:
    path = str(repository / "README.md")
    said(clew(*(word.format(path) for word in words)), 1, path, "is a file", "hint:")


@pytest.mark.parametrize("words", [("index", "{}"), ("retrieve", "x", "--repo", "{}"), ("unfold", "abcdefgh", "--repo", "{}")])
def test_a_path_that_does_not_exist(clew: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = str(tmp_path / "nowhere")
    said(clew(*(word.format(path) for word in words)), 1, path, "does not exist")


def test_a_transcript_that_does_not_exist(clew: Call, repository: Path) -> None:
    said(clew("ingest", repository / "nowhere.jsonl", "--repo", repository), 1, "nowhere.jsonl")


def test_a_file_that_is_no_transcript(clew: Call, repository: Path) -> None:
    said(clew("ingest", repository / "README.md", "--repo", repository), 1, "README.md")
    assert clew("compact", repository / "README.md", "--budget", "100", "--repo", repository).code == 1


def test_a_session_that_is_not_known(clew: Call, repository: Path) -> None:
    said(clew("compact", "no-such-session", "--budget", "100", "--repo", repository), 4, "no-such-session")


@pytest.mark.parametrize("budget", ["0", "1", "10000000"])
def test_a_budget_of_nothing_and_of_more_than_there_is(clew: Call, repository: Path, budget: str) -> None:
    called = clew("retrieve", "bowline", "--repo", repository, "--budget", budget, "--json")

    assert called.code == 0
    assert called.json["tokens"] <= int(budget)
    assert bool(called.json["entries"]) == (budget == "10000000")


@pytest.mark.parametrize("budget", ["0", "1", "10000000"])
def test_compact_with_a_budget_of_nothing_and_of_more_than_there_is(clew: Call, repository: Path, budget: str) -> None:
    called = clew("compact", TIES, "--repo", repository, "--budget", budget, "--json")

    assert called.code == 0
    assert called.json["tokens"] <= int(budget)


@pytest.mark.parametrize("budget", ["-1", "lots", "1.5", "9" * 40])
def test_a_budget_that_is_no_number_of_tokens(clew: Call, repository: Path, budget: str) -> None:
    said(clew("retrieve", "bowline", "--repo", repository, f"--budget={budget}"), 2, "--budget", "hint:")


@pytest.mark.parametrize("deadline", ["-1", "soon", "nan", "inf"])
def test_a_deadline_that_is_no_time(clew: Call, repository: Path, deadline: str) -> None:
    said(clew("retrieve", "bowline", "--repo", repository, f"--deadline-ms={deadline}"), 2, "--deadline-ms")


def test_an_unknown_tokenizer_is_answered_with_the_known_ones(clew: Call, repository: Path) -> None:
    said(clew("retrieve", "bowline", "--repo", repository, "--tokenizer", "abacus"), 2, "abacus", "chars4", "o200k")


@pytest.mark.parametrize("handle", ["zzzzzzzz", "", "not a handle", "../../etc/passwd", "%", "🧵"])
@pytest.mark.parametrize("command", ["unfold", "explain"])
def test_an_unknown_handle(clew: Call, repository: Path, command: str, handle: str) -> None:
    clew("index", repository)
    said(clew(command, handle, "--repo", repository), 4, "is not known here", "hint:")


def test_a_handle_in_a_workspace_that_was_never_stored(clew: Call, tmp_path: Path) -> None:
    said(clew("unfold", "abcdefgh", "--repo", tmp_path), 4, "is not known here")


def test_an_ambiguous_handle_is_answered_with_what_it_could_mean(clew: Call, repository: Path) -> None:
    (repository / "many.py").write_text("".join(f"def knot_{number}():\n    return {number}\n\n\n" for number in range(200)))
    ids = [entry["id"] for entry in clew("retrieve", "knot", "--repo", repository, "--json").json["entries"]]
    first = max("0123456789abcdefghjkmnpqrstvwxyz", key=lambda letter: sum(each.startswith(letter) for each in ids))

    said(clew("unfold", first, "--repo", repository), 4, "it could mean")


@pytest.mark.parametrize(("question", "stdin"), [("", b""), ("  \t\n", b""), ("-", b""), ("-", b" \n\0\n")])
def test_an_empty_question(clew: Call, repository: Path, question: str, stdin: bytes) -> None:
    said(clew("retrieve", question, "--repo", repository, stdin=stdin), 2, "the question is empty", "hint:")


def test_a_question_longer_than_a_megabyte(clew: Call, repository: Path) -> None:
    said(clew("retrieve", "-", "--repo", repository, stdin=b"rope " * 300_000), 2, "longer than 1 MB")


def test_binary_garbage_as_a_question(clew: Call, repository: Path) -> None:
    garbage = bytes(range(256)) * 40 + b"\n bowline \n" + b"\xde\xad\xbe\xef" * 1000
    called = clew("retrieve", "-", "--repo", repository, "--json", stdin=garbage)

    assert called.code == 0
    assert any(entry["name"] == "tie_bowline" for entry in called.json["entries"])


def test_a_question_with_bytes_that_are_not_utf8_as_an_argument(process: Call, repository: Path) -> None:
    called = process("retrieve", b"bowline \xff\xfe", "--repo", str(repository), "--json")

    assert called.code == 0, called.err
    assert called.json["question"] == r"bowline \xff\xfe"


def test_a_newer_database_is_refused_and_left_alone(clew: Call, repository: Path, home: Path) -> None:
    clew("index", repository)
    with sqlite3.connect(home / "clew.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    said(clew("retrieve", "bowline", "--repo", repository), 3, "schema 999 is newer", "hint: upgrade clew")
    said(clew("index", repository), 3, "schema 999 is newer")


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says" * 200, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database(clew: Call, repository: Path, home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "clew.db").write_bytes(content)

    said(clew("status", "--repo", repository), 3, "clew.db", "hint:")
    assert (home / "clew.db").read_bytes() == content


def test_a_home_that_cannot_be_made(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_HOME", str(repository / "README.md" / "home"))
    called = clew("index", repository)

    said(called, 3, "README.md", "hint:")


ON_A_READ_ONLY_HOME = """
import os, pathlib, sys
from clew.cli.outcome import run

home, repository = map(pathlib.Path, sys.argv[1:])
words = ["retrieve", "bowline", "--repo", str(repository), "--quiet"]
print(run(["index", str(repository), "--json"]), run(words), run(["status", "--repo", str(repository)]), file=sys.stderr)
for path in [*home.rglob("*"), home]:
    path.chmod(0o555 if path.is_dir() else 0o444)
if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere
print("--- read-only")
print("---", file=sys.stderr)
codes = run(words), run(["status", "--repo", str(repository)]), run(["index", str(repository)])
print(codes, file=sys.stderr)
"""


def test_a_home_that_is_read_only_can_still_be_asked(repository: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own folders are closed to other users
        Path(folder).chmod(0o755)
        shutil.copytree(repository, Path(folder) / "repository")
        home = Path(folder) / "home"
        command = [sys.executable, "-c", ON_A_READ_ONLY_HOME, home, Path(folder) / "repository"]
        done = subprocess.run(command, env=_environment(home), capture_output=True, text=True, check=False)
        home.chmod(0o700)

    before, after = done.stdout.split("--- read-only\n")
    assert "tie_bowline" in after, done.stderr
    assert before[before.index("=== src") :].splitlines()[:5] == after[after.index("=== src") :].splitlines()[:5]
    assert "(0, 0, 3)" in done.stderr
    assert "cannot be written" in done.stderr.split("---")[1]
    assert "Traceback" not in done.stderr


def test_a_disk_that_is_full_loses_nothing_that_was_stored(clew: Call, repository: Path, home: Path) -> None:
    """A limit on the size of files stands for the disk: what does not fit is refused, whatever the limit is called."""
    clew("index", repository)
    noise = random.Random(1)
    for number in range(8):
        (repository / f"noise_{number}.txt").write_text("".join(f"{noise.getrandbits(4000):x}\n" for _ in range(200)))
    command = f'ulimit -f 1000; exec "{sys.executable}" -m clew index "{repository}"'
    done = subprocess.run(["sh", "-c", command], env=_environment(home), capture_output=True, text=True, check=False)

    assert done.returncode == 3, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "tie_bowline" in clew("retrieve", "bowline", "--repo", repository).text
    assert clew("index", repository, "--json").json["files"] == 11


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("budget_tokens = = 3", "is not TOML"),
        ("jobs = 'many'", "is not a whole number"),
        ("tokenizer = 'of-nobody'", "is not one of"),
        ("tokenizer = 3", "is not a text"),
        ("embedder = '/no/such/folder'", "is not the folder of a model"),
        ("gateway_upstream = 'nowhere'", "is not an address"),
    ],
)
def test_a_broken_configuration(clew: Call, repository: Path, home: Path, content: str, part: str) -> None:
    home.mkdir()
    (home / "config.toml").write_text(content)

    said(clew("status", "--repo", repository), 2, "config.toml", part, "hint:")


def test_a_name_that_is_no_setting_is_passed_over_with_a_warning(clew: Call, repository: Path, home: Path) -> None:
    """A file of another release, in which a setting has another name, stops nothing."""
    home.mkdir()
    (home / "config.toml").write_text('budget_token = 3\nunheard_of = "x"\n[a_table]\nvalue = 1\nbudget_tokens = 5\n')
    called = clew("status", "--repo", repository)

    assert called.code == 0
    assert called.err.count("warning") == 3
    assert (
        f"{home / 'config.toml'}: budget_token is not a setting of this release, and was passed over; did you mean budget_tokens?"
        in called.err
    )
    assert clew("index", repository, "--quiet").err == ""
    assert any("unheard_of" in found["what"] for found in clew("doctor", repository, "--json").json["findings"])


def test_the_doctor_and_uninstall_work_with_a_broken_configuration(clew: Call, repository: Path, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("jobs = 'many'\nbudget_tokens = 77\n")
    [found] = [each for each in clew("doctor", repository, "--json").json["findings"] if each["check"] == "settings"]

    assert "config.toml: jobs = 'many' is not a whole number" in found["what"]
    assert clew("uninstall").code == 0


def test_a_setting_of_the_environment_that_makes_no_sense(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_BUDGET_TOKENS", "some")
    said(clew("status", "--repo", repository), 2, "budget_tokens", "hint:")


def test_links_that_lead_in_circles(clew: Call, repository: Path) -> None:
    (repository / "a").symlink_to("b")
    (repository / "b").symlink_to("a")
    (repository / "src" / "up").symlink_to("..")
    (repository / "self").symlink_to("self")

    assert clew("index", repository, "--json").json["read"] == 3


def test_names_that_are_not_utf8(clew: Call, repository: Path) -> None:
    (repository / os.fsdecode(b"fend\xe9r.py")).write_text("def fender():\n    return 'between hull and quay'\n")
    (repository / "a\nb\x1b[31m.py").write_text("def fender_two():\n    return 2\n")
    indexed = clew("index", repository, "--json")
    packet = clew("retrieve", "fender", "--repo", repository, "--json")
    shown = clew("retrieve", "fender", "--repo", repository, "--table")

    assert indexed.code == packet.code == shown.code == 0
    assert r"fend\xe9r.py" in {entry["path"] for entry in packet.json["entries"]}
    assert "\x1b" not in shown.text
    [fender] = [entry for entry in packet.json["entries"] if entry["name"] == "fender"]
    assert clew("explain", fender["handle"], "--repo", repository, "--json").json["path"] == r"fend\xe9r.py"
    assert b"between hull and quay" in clew("unfold", fender["handle"], "--repo", repository).out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written(repository: Path, home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = _shell("index", str(repository), home=home, stdout=full)

    assert done.returncode == 1
    assert "no space left" in done.stderr.decode().lower()
    assert b"Traceback" not in done.stderr


def test_standard_output_that_is_closed(repository: Path, home: Path) -> None:
    command = f'"{sys.executable}" -m clew index "{repository}" >&-'
    done = subprocess.run(["sh", "-c", command], env=_environment(home), capture_output=True, check=False)

    assert done.returncode == 1
    assert "standard output is closed" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_reader_that_went_away(repository: Path, home: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    done = _shell("index", str(repository), home=home, stdout=written)
    os.close(written)

    assert done.returncode == 141
    assert done.stderr == b""


def test_standard_error_that_is_closed(repository: Path, home: Path) -> None:
    command = f'"{sys.executable}" -m clew retrieve bowline --repo "{repository}" 2>&-'
    done = subprocess.run(["sh", "-c", command], env=_environment(home), capture_output=True, check=False)

    assert done.returncode == 0
    assert b"tie_bowline" in done.stdout


class Stream:
    """A standard input that raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.buffer, self.error = self, error

    def read(self, _: int) -> bytes:
        raise self.error


def test_an_interrupt_is_no_defect(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "TextIOWrapper", lambda _: Stream(KeyboardInterrupt()))
    said(clew("retrieve", "-", "--repo", repository), 130, "interrupted")


def test_a_defect_is_one_line_that_names_it_and_a_trace_on_request(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "TextIOWrapper", lambda _: Stream(ZeroDivisionError("by\nzero")))
    said(clew("retrieve", "-", "--repo", repository), 70, "a defect of clew: ZeroDivisionError: by zero", "CLEW_TRACEBACK=1")

    monkeypatch.setenv("CLEW_TRACEBACK", "1")
    assert "Traceback" in clew("retrieve", "-", "--repo", repository).err


def test_a_transcript_cut_in_the_middle_of_a_line_is_resumed_when_the_rest_comes(clew: Call, repository: Path, tmp_path: Path) -> None:
    whole = TIES.read_bytes()
    cut = whole.rindex(b"\n", 0, len(whole) // 2) + 200
    transcript = tmp_path / TIES.name
    transcript.write_bytes(whole[:cut])
    first = clew("ingest", transcript, "--repo", repository, "--json")
    transcript.write_bytes(whole)
    second = clew("ingest", transcript, "--repo", repository, "--json")

    assert first.code == second.code == 0
    assert first.json["broken_lines"] == second.json["broken_lines"] == 0
    fresh = tmp_path / "other"
    shutil.copytree(repository, fresh)
    at_once = clew("ingest", TIES, "--repo", fresh, "--json").json
    assert first.json["records"] + second.json["records"] >= at_once["records"]
    assert "5d1c0a9" in clew("retrieve", "commit reason 5d1c0a9", "--repo", repository).text


def test_a_line_that_is_no_json_is_counted_and_the_rest_is_read(clew: Call, repository: Path, tmp_path: Path) -> None:
    lines = TIES.read_bytes().splitlines(keepends=True)
    transcript = tmp_path / "broken.jsonl"
    transcript.write_bytes(b"".join([*lines[:10], b'{"type": "user", "mess\n', b"\xff\xfe\n", b'{"type":"novelty","x":1}\n', *lines[10:]]))
    called = clew("ingest", transcript, "--repo", repository, "--json")

    assert called.code == 0
    assert called.json["broken_lines"] == 2
    assert sum(called.json["unknown"].values()) == 1


@pytest.mark.slow
def test_a_tool_result_of_30_megabytes(clew: Call, repository: Path, tmp_path: Path) -> None:
    lines = TIES.read_bytes().splitlines()
    result = next(json.loads(line) for line in lines if b'"tool_result"' in line and b"8 failed" in line)
    output = "".join(f"log line {number} of a very long run\n" for number in range(900_000)) + "the last line names the mizzen\n"
    result["message"]["content"][0]["content"] = output
    result["toolUseResult"] = f"Error: {output}"
    at = next(number for number, line in enumerate(lines) if b"8 failed" in line)
    transcript = tmp_path / "huge.jsonl"
    transcript.write_bytes(b"\n".join([*lines[:at], json.dumps(result).encode(), *lines[at + 1 :]]) + b"\n")
    called = clew("ingest", transcript, "--repo", repository, "--json")

    assert called.code == 0
    assert called.json["broken_lines"] == 0
    packet = clew("retrieve", "mizzen", "--repo", repository, "--budget", "2000", "--json").json
    assert packet["tokens"] <= 2000
    assert packet["entries"]


def test_two_indexers_at_once_leave_one_whole_index(clew: Call, repository: Path, home: Path, tmp_path: Path) -> None:
    for number in range(60):
        (repository / f"part_{number}.py").write_text(f"def splice_{number}(rope):\n    return rope.splice({number})\n")
    command = [sys.executable, "-m", "clew", "index", str(repository), "--json"]
    both = [subprocess.Popen(command, env=_environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    ended = [(process.communicate(), process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0], [err for (_, err), _ in ended]

    together = clew("retrieve", "splice_41 rope", "--repo", repository, "--json").json
    (tmp_path / "home" / "clew.db").rename(tmp_path / "set-aside.db")
    for beside in (tmp_path / "home").glob("clew.db-*"):
        beside.unlink()
    alone = clew("retrieve", "splice_41 rope", "--repo", repository, "--json").json
    assert together.pop("as_of")["generation"] >= alone.pop("as_of")["generation"]
    assert together == alone


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "CLEW_HOME": str(home)}


def _shell(*words: str, home: Path, stdout: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "clew", *words], env=_environment(home), stdout=stdout, stderr=subprocess.PIPE, check=False
    )  # type: ignore[call-overload]
