"""A server that is away, refuses the user, is too new, or hangs up: a clear error, nothing lost, and a session that goes on."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

import clew
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.errors import (
    BadStoreAddress,
    NotForServer,
    SchemaTooNew,
    StoreBusy,
    StoreError,
    StoreUnreachable,
    StoreUnusable,
    StoreUnwritable,
)
from clew.sessions.context import DaemonContext
from clew.settings import BadSetting, Settings, load_settings
from tests.adapters.test_hooks import Told, payload
from tests.looking import look
from tests.postgres.server import USER, address, make_database, make_opener, needs_postgres, new_tenant, run, start_server
from tests.store.conformance import SPACE, make_delta

pytestmark = needs_postgres
psycopg = pytest.importorskip("psycopg", reason="./check-postgres installs it")

from clew.store.postgres import PostgresStore  # noqa: E402  # psycopg may be missing
from clew.store.postgres.migrations import STEPS  # noqa: E402

FIRST, SECOND = make_delta("file:a", [("s", "x")]), make_delta("file:b", [("t", "y")])
HANG_UP = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'clew'"


def test_a_server_that_is_away_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="is the server running") as raised:
        PostgresStore("postgresql://who:hidden@127.0.0.1:9/clew", tmp_path)

    assert "postgresql://who@127.0.0.1:9/clew" in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_an_address_that_cannot_be_read_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(BadStoreAddress) as raised:
        PostgresStore("postgresql://who:hidden@h/clew?no_such_option=1", tmp_path)
    with pytest.raises(BadSetting) as unread:
        load_settings({"CLEW_HOME": str(tmp_path), "CLEW_STORE": "mysql://who:hidden@h/clew"})

    assert "hidden" not in str(raised.value) + str(unread.value)


def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    server = start_server()
    rules = server.pgdata / "pg_hba.conf"
    rules.write_text("local all with_password scram-sha-256\n" + rules.read_text())
    run("CREATE ROLE with_password LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    wrong = address(user="with_password").replace("with_password@", "with_password:wrong@")
    deadline = time.monotonic() + 10
    while True:  # the server reads its rules anew in its own time, and lets the role in without a password until then
        try:
            PostgresStore(wrong, tmp_path, is_read_only=True)
        except StoreUnreachable as error:
            said = str(error)
            break
        except StoreError:
            assert time.monotonic() < deadline

    assert "password authentication failed" in said
    assert "wrong" not in said


def test_a_database_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="no_such_database"):
        PostgresStore(address("no_such_database"), tmp_path)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    name = make_database()
    PostgresStore(address(name), tmp_path).close()
    run("CREATE OR REPLACE FUNCTION clew.schema_number() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 99'", database=name)

    for is_read_only in (False, True):
        with pytest.raises(SchemaTooNew, match="schema 99 is newer"):
            PostgresStore(address(name), tmp_path, is_read_only=is_read_only)
    assert run("SELECT clew.schema_number()", database=name) == [(99,)]


def test_an_older_schema_is_upgraded(tmp_path: Path) -> None:
    name = make_database()
    PostgresStore(address(name), tmp_path, steps=STEPS[:1]).close()
    assert run("SELECT clew.schema_number()", database=name) == [(1,)]
    store = PostgresStore(address(name), tmp_path)
    store.open_workspace(SPACE, "/r")

    assert store.apply(SPACE, [FIRST]).added == 1
    assert store.describe().schema == len(STEPS)
    store.close()


def test_a_schema_of_another_program_is_refused(tmp_path: Path) -> None:
    name = make_database()
    run("CREATE SCHEMA clew", "CREATE TABLE clew.records (id int)", database=name)

    with pytest.raises(StoreUnusable, match="not clew's"):
        PostgresStore(address(name), tmp_path)


def test_a_reader_makes_no_schema_and_writes_nothing(tmp_path: Path) -> None:
    name = make_database()
    with pytest.raises(StoreUnwritable, match="opened for reading only"):
        PostgresStore(address(name), tmp_path, is_read_only=True)
    PostgresStore(address(name), tmp_path).close()
    reader = PostgresStore(address(name), tmp_path, is_read_only=True)
    with pytest.raises(StoreUnwritable):
        reader.open_workspace(SPACE, "/r")
    assert reader.workspaces() == []
    reader.close()


def test_two_processes_that_open_a_new_database_make_its_schema_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    name = make_database()
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: PostgresStore(address(name), tmp_path), range(8)))
    for store in stores:
        store.close()
    assert run("SELECT clew.schema_number()", database=name) == [(len(STEPS),)]


def test_a_role_that_may_not_make_the_schema_is_told_who_may(tmp_path: Path) -> None:
    name = make_database()
    run("CREATE ROLE reader LOGIN")
    with pytest.raises(StoreUnwritable, match="database's owner"):
        PostgresStore(address(name, "reader"), tmp_path)


def test_a_connection_that_is_lost_between_two_calls_is_replaced(tmp_path: Path) -> None:
    store = make_opener(tmp_path)()
    store.open_workspace(SPACE, "/r")
    run(HANG_UP)

    assert store.apply(SPACE, [FIRST]).generation == 1
    run(HANG_UP)
    assert look(store, SPACE).records([FIRST.records[0].id]) == list(FIRST.records)
    store.close()


def test_a_connection_that_is_lost_in_the_middle_of_a_write_stores_nothing_of_it(tmp_path: Path) -> None:
    store = make_opener(tmp_path)()
    store.open_workspace(SPACE, "/r")
    store.apply(SPACE, [FIRST])

    def hang_up_in_the_middle() -> None:
        with store._writing() as connection:
            connection.execute("workspaces.advance", store._locked(connection, SPACE).number)
            run(HANG_UP)
            connection.execute("workspaces.advance", 1)

    with pytest.raises(StoreUnreachable, match="make the call again"):
        hang_up_in_the_middle()

    assert look(store, SPACE).generation == 1
    assert store.apply(SPACE, [SECOND]).generation == 2
    store.close()


def test_a_connection_that_is_lost_under_a_snapshot_is_said(tmp_path: Path) -> None:
    store = make_opener(tmp_path)()
    store.open_workspace(SPACE, "/r")
    store.apply(SPACE, [FIRST])
    with store.snapshot("local", SPACE) as snapshot:
        run(HANG_UP)
        with pytest.raises(StoreUnreachable):
            snapshot.records([FIRST.records[0].id])
    assert len(look(store, SPACE).records([FIRST.records[0].id])) == 1
    store.close()


def test_a_writer_waits_for_another_one_and_then_says_so(tmp_path: Path) -> None:
    tenant = new_tenant()
    one = PostgresStore(address(), tmp_path, tenant=tenant)
    two = PostgresStore(address(), tmp_path, tenant=tenant, busy_timeout_s=0.1)
    one.open_workspace(SPACE, "/r")
    one.open_workspace("other", "/o")
    with one._writing() as connection:
        one._locked(connection, SPACE)
        with pytest.raises(StoreBusy):
            two.apply(SPACE, [FIRST])
        assert two.apply("other", [FIRST]).added == 1
        with two.snapshot("local", SPACE) as snapshot:
            assert snapshot.generation == 0
    assert two.apply(SPACE, [FIRST]).added == 1
    one.close()
    two.close()


def test_a_write_is_on_disk_where_the_server_would_not_wait_for_it(tmp_path: Path) -> None:
    name = make_database()
    run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = PostgresStore(address(name), tmp_path)
    with store._writing() as connection:
        assert connection.raw.execute("SHOW synchronous_commit").fetchone() == ("on",)
    store.close()


def test_the_daemon_says_in_a_few_words_that_the_server_is_away(tmp_path: Path) -> None:
    context = DaemonContext(Settings(tmp_path, store="postgresql://127.0.0.1:9/clew"), lambda *_: None)
    with pytest.raises(StoreUnreachable):
        context.get_engine()

    assert context.find_problem() == "database server is away"


def test_commands_for_the_file_of_one_machine_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clew.cli.open import load_file_settings

    monkeypatch.setenv("CLEW_HOME", str(tmp_path))
    monkeypatch.setenv("CLEW_STORE", address())
    with pytest.raises(NotForServer, match="pg_dump"):
        load_file_settings("`pg_dump` copies it")


def test_every_command_uses_the_server_that_the_settings_name(tmp_path: Path) -> None:
    settings = Settings(tmp_path, store=address(), tenant=new_tenant())
    with clew.open(settings=settings) as engine:
        assert isinstance(engine.store, PostgresStore)
        assert engine.store.describe().place.startswith(f"postgresql://{USER}@/")
    assert [file.name for file in tmp_path.iterdir()] == []


def test_without_the_setting_nothing_of_it_is_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys, clew; clew.open(sys.argv[1]).close(); print([name for name in sys.modules if 'psycopg' in name or 'postgres' in name])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_hooks_say_nothing_while_the_server_is_away_and_are_back_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes on meanwhile, and what it said is read when the server is there again."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setattr("clew.sessions.context._REOPEN_AFTER_S", 0.0)
    repo, home, tenant = tmp_path / "repo", tmp_path / "home", new_tenant()
    for folder in (repo, home):
        folder.mkdir()
    (repo / "calc.py").write_text("def add_one(x):\n    return x + 1\n")
    session = Told(tmp_path / "s1.jsonl", repo, "s1")
    session.user("Ticket OPS-7731: make `add_one` in calc.py add two.")
    events = (
        ("SessionStart", {"source": "startup"}),
        ("UserPromptSubmit", {"prompt": "where is `add_one` in calc.py, and who calls it?"}),
        (
            "PostToolUse",
            {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_response": {"stdout": "x\n" * 900}, "tool_use_id": "t"},
        ),
        ("Stop", {}),
        ("SessionEnd", {"reason": "clear"}),
    )
    context = create_daemon_context(Settings(home, jobs=1, store="postgresql://127.0.0.1:9/clew"))
    DaemonPaths(home).make_dirs()
    hooks = HookHandlers(context)
    for event, more in events:
        with contextlib.suppress(StoreUnreachable):  # the daemon answers {} then, as for every error
            assert hooks.handle_event(event, payload(event, session, **more), client_pid=1) == {}, event
    assert context.find_problem() == "database server is away"
    context.settings = Settings(home, jobs=1, store=address(), tenant=tenant)
    hooks.handle_event("SessionStart", payload("SessionStart", session, source="startup"), client_pid=1)
    assert context.run_pending_jobs(60)
    assert context.find_problem() == ""
    assert [place.root for place in context.get_engine().store.workspaces()] == [str(repo)]
    context.close()
