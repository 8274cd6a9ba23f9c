"""Hostile files: transcripts with fields of any type, repositories, the client's settings, and every file of the data folder."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.adapters.claude_code.manifest import ClientFileInvalid
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.doctor import DoctorInput, Finding, run_checks
from clew.adapters.hooks import HookHandlers
from clew.samples import TIES
from clew.sessions.context import DaemonContext
from clew.settings import Settings, load_settings_leniently
from clew.transcript import parse
from clew.transcript.dialects import DIALECTS
from clew.transcript.follow import read_deltas
from clew.transcript.parse import TranscriptReader
from tests.adapters.daemon import repository
from tests.drills import doors
from tests.drills.inputs import DEEP, VALUES

ARGUMENTS, OUTPUT = '{"command":["bash","-lc","ls"],"workdir":"/r"}', '{"output":"a","metadata":{"exit_code":0}}'
CODEX = [
    {"type": "session_meta", "timestamp": "2026-01-02T03:04:05Z", "payload": {"id": "s", "cwd": "/r", "git": {"branch": "main"}}},
    {"type": "event_msg", "timestamp": "2026-01-02T03:04:06Z", "payload": {"type": "user_message", "message": "fix it", "images": []}},
    {"type": "response_item", "payload": {"type": "function_call", "name": "shell", "call_id": "c", "arguments": ARGUMENTS}},
    {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": OUTPUT}},
    {"type": "response_item", "payload": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]}},
    {"type": "turn_context", "payload": {"cwd": "/r", "model": "m"}},
]
SAMPLES = {
    "claude-code": [json.loads(line) for line in TIES.read_bytes().splitlines()],
    "codex": CODEX,
}
"""Lines of a transcript of each dialect."""
CONTENTS = (b"", b"{", b"\xff\xfe\x80", b"\0" * 500, DEEP, b'{"a":' * 100_000, b"[1, 2]", b'"x"', b"7" * 5000)
"""What a file of the data folder or of the client is overwritten with."""


# -- Transcripts ----------------------------------------------------------------------------------------


def test_every_dialect_has_a_sample() -> None:
    assert {dialect.name for dialect in DIALECTS} == set(SAMPLES)


def places_in(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in inner for found in ((*here, key), *places_in(each, (*here, key)))]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_field_of_any_type_costs_its_own_line_at_most(name: str) -> None:
    """Any value of any line may be of any type: the other lines are read, and what is wrong is counted."""
    chance = random.Random(name)
    plain = [json.dumps(line).encode() for line in SAMPLES[name]]
    for _ in range(20):
        lines = list(plain)
        for at in chance.sample(range(1, len(plain)), 3):
            changed = json.loads(plain[at])
            *way, last = chance.choice(places_in(changed))
            inside = changed
            for key in way:
                inside = inside[key]
            inside[last] = chance.choice(VALUES)
            lines[at] = json.dumps(changed).encode()
        deltas = list(read_deltas([line + b"\n" for line in lines]))
        assert deltas
        assert deltas[-1].state is not None
        assert deltas[-1].state.status == "indexed"


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_recognised_transcript_that_expands_without_end_is_read_to_where_it_does(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "EXPANSION_FREE_BYTES", 1 << 20)
    pack: Callable[[bytes], bytes] = {"": bytes, ".gz": gzip.compress, ".xz": partial(lzma.compress, preset=0)}[suffix]
    file = tmp_path / f"s.jsonl{suffix}"
    file.write_bytes(pack(TIES.read_bytes()[:20_000].rpartition(b"\n")[0] + b"\n" + (b" " * 99 + b"\n") * 100_000))
    reading = TranscriptReader(file)
    seen = sum(len(batch.observations) for batch in reading.read_batches())

    assert seen > 3
    broken = reading.resume_point().broken
    assert ("expands to more than 400 times its size" in broken[-1][1]) if suffix == ".xz" else not broken


def test_a_first_line_without_an_end_is_given_up_early(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.touch()
    os.truncate(file, 1 << 40)  # a hole of a terabyte
    [delta] = read_deltas(file)

    assert delta.state is not None
    assert delta.state.status == "unrecognised"


# -- Repositories ---------------------------------------------------------------------------------------


def test_a_repository_of_hostile_files_is_indexed(tmp_path: Path) -> None:
    """Manifests, configurations, ignore lists, sources and links: each is read, left out or named, and the sound file is found."""
    root = repository(tmp_path / "repo")
    names = "package.json tsconfig.json composer.json Cargo.toml go.mod pyproject.toml .gitignore"
    names += " a.py a.ts a.c a.json a.toml a.yaml a.md a.ipynb a.sql"
    for number, content in enumerate((*CONTENTS, b"a = " + DEEP, b"(" * 50_000, b"{" * 50_000, b"#" * 50_000)):
        folder = root / f"f{number}"
        folder.mkdir()
        for name in names.split():
            (folder / name).write_bytes(content)
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("/etc")
    (root / "dangling.py").symlink_to("/nowhere")
    os.mkfifo(root / "pipe.py")
    (root / "hole.py").touch()
    os.truncate(root / "hole.py", 1 << 40)
    (root / ("n" * 250 + ".py")).write_text("def long_name():\n    return 1\n")
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        engine.index(root)
        found = engine.retrieve(root, "add_one", budget_tokens=500, tokenizer="claude")

    assert any(entry.name == "add_one" for entry in found.entries)
    assert not any(entry.path.startswith(("out", "pipe")) for entry in found.entries)


def test_a_git_file_may_lead_anywhere(tmp_path: Path) -> None:
    for content in (*CONTENTS, b"gitdir: loop", b"gitdir: /dev", b"gitdir: ../../../../etc", b"gitdir: " + b"n" * 5000, b"gitdir: a\0b"):
        root = tmp_path / "work"
        root.mkdir(exist_ok=True)
        (root / "loop").unlink(missing_ok=True)
        (root / "loop").symlink_to("loop")
        (root / ".git").write_bytes(content)
        (root / "a.py").write_text("def a():\n    return 1\n")
        with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
            engine.index(root)


# -- Files of the data folder and of the client ----------------------------------------------------------


def test_no_content_of_a_file_of_the_data_folder_stops_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file but the database, with each content: commands and events still answer, and the database keeps its records."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    root, home = repository(tmp_path / "repo"), tmp_path / "home"
    settings = Settings(home, jobs=1)
    paths = DaemonPaths(home)
    paths.make_dirs()
    told = {"session_id": "s1", "cwd": str(root), "transcript_path": str(TIES), "source": "startup", "prompt": "add_one"}

    def use() -> list[str]:
        """Ask what a session asks; return what was recorded as failed."""
        problems: list[str] = []
        load_settings_leniently({"CLEW_HOME": str(home)})
        with closing(DaemonContext(settings, lambda where, what, _: problems.append(f"{where}: {what!r}"[:200]))) as context:
            engine, hooks = context.get_engine(), HookHandlers(context)
            for event in ("SessionStart", "UserPromptSubmit", "mod/compact", "Stop"):
                hooks.handle_event(event, dict(told))
            hooks.format_statusline(dict(told))
            assert any(entry.name == "add_one" for entry in engine.retrieve(root, "add_one", budget_tokens=500, tokenizer="claude").entries)
            engine.forget(root, dry_run=True)
            engine.find_copies_holding()
        found = run_checks(DoctorInput(settings, paths, tmp_path / "claude", root, None))
        assert all(isinstance(each, Finding) for each in found)
        return problems

    with clew.open(settings=settings) as engine:
        engine.index(root)
        engine.ingest([TIES], repo=root)
    use()
    for name in ("address.json", "serve.json", "fault", "upstream", "problems.jsonl", "installed.json"):
        (home / "run" / name).touch()
    for name in ("config.toml", "models.json", "training_sets.json", "forgetting.json", "copies.jsonl"):
        (home / name).touch()
    files = [path for path in home.rglob("*") if path.is_file() and not path.name.startswith("clew.db-") and path.name != "clew.db"]
    assert len(files) >= 13, files
    for content in CONTENTS:
        kept = {file: file.read_bytes() for file in files if file.exists()}
        for file in kept:
            file.write_bytes(content)
        use()
        for file, data in kept.items():
            file.write_bytes(data)


@pytest.mark.parametrize("content", CONTENTS[1:])
def test_settings_of_the_client_that_are_no_json_object_are_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    from tests.adapters.test_install_shared import Client

    client = Client(tmp_path)
    client.settings.write_bytes(content)
    with pytest.raises(ClientFileInvalid):
        client.init()

    assert client.settings.read_bytes() == content


# -- No file is read without a drill -----------------------------------------------------------------------

OWN = {"cli/output", "codebase/languages/description", "recall/scores", "store/postgres/migrations", "store/sqlite/migrations/__init__",
       "store/tables/statements", "task/runners/formats", "task/vocabulary", "text/patterns", "text/secrets", "text/tokens",
       "transcript/reduce/output_kind", "adapters/claude_code/plugin_files", "adapters/claude_code/checks", "adapters/doctor",
       "sessions/processes", "usecases/worker", "enrich/history", "files"}  # fmt: skip
"""Modules that open files of the wheel, of the system, or to be written or locked alone."""
DRILLED = {
    "adapters/claude_code/file_changes": "tests/adapters/test_install_shared.py",
    "adapters/claude_code/install": "tests/drills/test_files.py",
    "adapters/claude_code/managed": "tests/adapters/test_install_shared.py",
    "adapters/claude_code/manifest": "tests/drills/test_files.py",
    "adapters/claude_code/plugin/clew/clew_ask": "tests/drills/test_files.py",
    "adapters/daemon_files": "tests/drills/test_files.py",
    "adapters/gateway/proxy": "tests/drills/test_files.py",
    "adapters/http/certificate": "tests/adapters/test_strangers.py",
    "adapters/http/supervise": "tests/adapters/test_daemon.py",
    "codebase/file_changes": "tests/drills/test_files.py",
    "codebase/scan": "tests/drills/test_files.py",
    "enrich/models/gguf": "tests/enrich/test_models.py",
    "enrich/models/gguf_header": "tests/enrich/test_models.py",
    "enrich/models/known": "tests/drills/test_files.py",
    "enrich/models/states": "tests/enrich/test_model_states.py",
    "evaluation/keeping": "tests/evaluation/test_keeping.py",
    "lifecycle/copies": "tests/drills/test_files.py",
    "lifecycle/exchange": "tests/store/test_export_file.py",
    "lifecycle/training_sets": "tests/drills/test_files.py",
    "sessions/fencing": "tests/drills/test_files.py",
    "sessions/folds": "tests/drills/test_files.py",
    "sessions/live": "tests/drills/test_files.py",
    "settings": "tests/drills/test_files.py",
    "store/sqlite/connections": "tests/store/test_verify.py",
    "store/sqlite/repair": "tests/store/test_verify.py",
    "store/tables/index_files": "tests/drills/test_files.py",
    "store/tombstones": "tests/drills/test_files.py",
    "text/embed": "tests/cli/test_bad_input.py",
    "transcript/follow": "tests/drills/test_files.py",
    "transcript/parse": "tests/drills/test_files.py",
    "transcript/session_files": "tests/drills/test_commands.py",
    "trial/log": "tests/trial/test_log.py",
    "usecases/copies": "tests/cli/test_backup.py",
    "usecases/forget": "tests/drills/test_files.py",
    "usecases/freshness": "tests/drills/test_files.py",
    "usecases/write": "tests/drills/test_messages.py",
}
"""Modules that open a file which others can write, and where they are given hostile ones."""


def test_every_module_that_opens_a_file_has_a_drill() -> None:
    """One that is new is drilled, and named here; one that opens files no more is taken out."""
    assert doors.reading_modules() == OWN | set(DRILLED)
    assert not OWN & set(DRILLED)
    here = Path(__file__).parents[2]
    assert [where for where in DRILLED.values() if not (here / where).is_file()] == []
