"""A session with the real client, from the first prompt over a compaction, a resume and a clear: does it keep the thread?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from clew.transcript.vocabulary import HANDOFF_HEADING
from tests.real_client.client import LATE, Place, has_mods
from tests.real_client.conftest import end_daemon
from tests.real_client.scenario import LONG, PLANTED, SECRET, TOKEN, Run, prompts_only, run, words
from tests.real_client.scripted_api import Asked

pytestmark = pytest.mark.real_client
MARKER = re.compile(r"clew unfold ([0-9a-z]{8})")


@pytest.fixture(scope="module")
def without(version: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(Place(tmp_path_factory.mktemp("without") / "place", version))


@pytest.fixture(scope="module")
def done(version: str, tmp_path_factory: pytest.TempPathFactory, places: list[Place]) -> Run:
    place = Place(tmp_path_factory.mktemp("with") / "place", version)
    places.append(place)
    place.clew("init")
    return run(place)


@pytest.mark.parametrize("station", ["after compaction", "resumed", "cleared"])
@pytest.mark.parametrize("planted", PLANTED)
def test_the_window_holds_what_was_planted(done: Run, station: str, planted: str) -> None:
    assert PLANTED[planted] in done.windows[station]


def test_without_clew_what_was_planted_is_lost_at_the_compaction(without: Run) -> None:
    """Else the test above would prove nothing."""
    lost = [planted for planted, words in PLANTED.items() if words not in without.windows["cleared"]]

    assert {"constraint", "dead end", "identifier", "open error"} <= set(lost)


def test_the_client_goes_on_as_without_clew(done: Run, without: Run) -> None:
    assert done.answers == without.answers
    assert done.codes == without.codes == [0, 0, 0]


def test_no_model_is_asked_beyond_what_the_client_asks_itself(done: Run, without: Run, version: str) -> None:
    """Where the client has mods, not even for the summary of a compaction."""
    kinds = [sorted(asked.kind for asked in each.asked if asked.kind != "other") for each in (done, without)]
    if has_mods(version):
        kinds[1] = [kind for kind in kinds[1] if kind != "compact"]

    assert kinds[0] == kinds[1]


def test_after_a_compaction_the_state_stands_once_in_the_window(done: Run, without: Run, version: str) -> None:
    """Also where the client has no mods and summarises: neither its instructions nor what it shows of the hook repeat the state."""
    asked = [each for each in done.asked if each.kind == "compact"]
    if has_mods(version):
        assert asked == []
    else:
        [before] = [each for each in without.asked if each.kind == "compact"]
        assert len(asked) == 1
        assert prompt_of(asked[0]) == prompt_of(before)
    window = done.windows["after compaction"]
    assert window.count("# Where the work stands") == 1
    assert "clew_hook" not in window


def prompt_of(asked: Asked) -> str:
    """The words with which the client asks for a summary."""
    return words(Asked("compact", {"messages": asked.body["messages"][-1:]}, {}, 0.0))


def test_what_was_sent_stays_sent(done: Run) -> None:
    """While a conversation grows, the simulated cache finds all that the request before it had sent."""
    main = [asked for asked in done.asked if asked.kind == "main"]
    grown = [(before, after) for before, after in pairwise(main) if len(after.body["messages"]) > len(before.body["messages"])]
    same_process = [(before, after) for before, after in grown if after.at - before.at < 60 and after.read]

    assert len(same_process) >= 9
    assert all(after.read == before.read + before.written for before, after in same_process)


def test_no_more_is_written_to_the_cache_than_without_clew(done: Run, without: Run, version: str) -> None:
    """What is handed over is paid for by what is left out. Where the client summarises as well there is a little more than that."""
    written = {each is done: sum(asked.written for asked in each.asked if asked.kind in ("main", "compact")) for each in (done, without)}

    assert written[True] <= written[False] * (1.0 if has_mods(version) else 1.03)
    # A share, which falls by a thousandth where less is sent in each request.
    assert done.hit_rate >= without.hit_rate - 0.005 or not has_mods(version)


def test_a_hand_off_stands_once_in_a_window(done: Run) -> None:
    for station in ("after compaction", "resumed", "cleared"):
        assert done.windows[station].count(HANDOFF_HEADING) == 1, station


def test_a_long_output_arrives_shorter_once_and_its_exact_text_comes_back(done: Run) -> None:
    results = [each for asked in done.asked if asked.kind == "main" for each in prompts_only(asked)]
    short = next(each for each in results if "400 passed" in each)

    assert "test_case_200" not in short
    assert len(MARKER.findall(short)) == 1
    whole = subprocess.run(["bash", "-c", LONG], capture_output=True, text=True, check=True).stdout.rstrip("\n")
    assert done.place.clew("unfold", MARKER.findall(short)[0]).stdout.rstrip("\n") == whole


def test_a_prompt_gets_what_bears_on_it_once(done: Run) -> None:
    window = done.windows["third"]

    assert len(re.findall(r"\[[0-9a-z]{8}\] calc\.py:\d+-\d+ add_1\b", window)) == 1
    assert len(re.findall(r"\[[0-9a-z]{8}\] calc\.py:\d+-\d+ add_3\b", window)) == 1


def test_a_planted_secret_is_in_no_file(done: Run) -> None:
    """Neither in plain bytes, nor behind any handle."""
    done.place.clew("serve", "--stop", check=False)
    for file in done.place.clew_home.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert SECRET.encode() not in data, file
            assert TOKEN.encode() not in data, file
    code = (
        "import os; from pathlib import Path; from clew.cli.open import open_engine; from clew.settings import find_workspace\n"
        "from clew.packet.options import OriginalCache\n"
        "with open_engine() as engine:\n"
        "    key, _ = find_workspace(Path.cwd()); originals = OriginalCache(engine.store.snapshot('local', key))\n"
        "    for state in originals.snapshot.source_states():\n"
        "        for record in originals.snapshot.records_of_sources(state.source):\n"
        "            for text in record.texts:\n"
        "                print(originals.bytes_of(text).decode('utf-8', 'replace'))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=done.place.repo, env=done.place.env(), capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "echo the key is" in told.stdout  # so it was looked at
    assert SECRET not in told.stdout
    assert TOKEN not in told.stdout


def test_the_doctor_finds_nothing_to_mend_after_it(done: Run) -> None:
    done.place.clew("serve", "--detach")
    told = json.loads(done.place.clew("doctor", "--json", check=False).stdout)

    wrong = [each for each in told["findings"] if each["is_wrong"] and not any(words in each["what"] for words in LATE)]
    assert wrong == []  # but for what the machine could not do in time


def test_status_knows_the_session(done: Run) -> None:
    told = json.loads(done.place.clew("status", "--json").stdout)

    assert done.session in {each["session"] for each in told["running"]["sessions"]}


def test_a_daemon_that_is_killed_in_the_middle_is_not_noticed(place: Place, without: Run) -> None:
    """Supervisor and worker at once, as a power cut would: the session goes on as without clew, and the doctor knows."""
    place.clew("init")
    cut = run(place, between=lambda: end_daemon(place, hard=True))

    assert cut.codes == [0, 0, 0]
    assert cut.answers == without.answers
    told = place.clew("doctor", check=False)
    assert "killed" in told.stdout or "did not stop by itself" in told.stdout


def test_a_worker_that_is_killed_is_started_again_and_nothing_is_missed(place: Place, without: Run) -> None:
    place.clew("init")
    cut = run(place, between=lambda: _kill_worker(place))

    assert cut.answers == without.answers
    assert all(words in cut.windows["after compaction"] for words in PLANTED.values())


def _kill_worker(place: Place) -> None:
    os.kill(place.daemon()["worker"], signal.SIGKILL)


def test_a_daemon_that_hangs_is_asked_once_and_left_alone(place: Place, without: Run) -> None:
    """What that costs is measured in bench/inside."""
    place.clew("init")
    stopped = run(place, between=lambda: [os.kill(place.daemon()[name], signal.SIGSTOP) for name in ("pid", "worker")])

    assert stopped.answers == without.answers
    told = (place.clew_home / "run" / "problems.jsonl").read_text()
    assert 1 <= told.count("did not answer in time") <= 4  # hooks, relay and MCP may ask at the same time, before one has noted it


def test_a_locked_database_is_not_noticed(place: Place, without: Run) -> None:
    place.clew("init")
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import sqlite3, time; c = sqlite3.connect({str(place.clew_home / 'clew.db')!r}); c.execute('begin exclusive'); print('held', flush=True); time.sleep(120)"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        locked = run(place)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()

    assert locked.answers == without.answers
    assert locked.codes == [0, 0, 0]


def test_a_full_disk_is_not_noticed(place: Place, without: Run) -> None:
    """The disk of the data folder fills up in the middle of the session; the doctor knows."""
    place.clew_home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place.clew_home)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("MISSING: the right to mount a small file system, to fill it up")
    try:
        place.clew("init")
        full = run(place, between=lambda: _fill(place.clew_home / "filling"))
        told = place.clew("doctor", check=False)
    finally:
        end_daemon(place)
        _unmount(place.clew_home)

    assert full.answers == without.answers
    assert full.codes == [0, 0, 0]
    assert "make room" in told.stdout


def _unmount(folder: Path, within_s: float = 30) -> None:
    """Take the file system away once the last process of the client's has let go of it."""
    end = time.monotonic() + within_s
    while subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
        assert time.monotonic() < end, f"{folder} is still in use"
        time.sleep(0.2)  # the system tells of no process that ends


def _fill(path: Path) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(number, b"x" * 4096)
    except OSError:  # it is full, as was wanted
        os.close(number)


def test_the_gateway_gives_the_same_answers(place: Place, without: Run) -> None:
    place.clew("init")
    place.clew("serve", "--stop")
    address = json.loads((place.clew_home / "run" / "address.json").read_text())

    def through(url: str) -> str:
        place.clew("serve", "--detach", CLEW_GATEWAY_UPSTREAM=url)
        return f"https://127.0.0.1:{address['port']}/gateway/{address['gateway']}"

    place.more["NODE_EXTRA_CA_CERTS"] = str(place.clew_home / "run" / "loopback.crt")
    done = run(place, base_url=through)

    assert done.answers == without.answers
    assert done.codes == [0, 0, 0]


def test_uninstall_after_a_session_leaves_nothing_of_ours(place: Place) -> None:
    settings = place.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(b'{"theme": "dark",\n   "cleanupPeriodDays":7}')
    place.clew("init")
    from tests.real_client.scripted_api import ScriptedAPI

    with ScriptedAPI(["One.", "Two."]) as api:
        assert place.claude("-p", "hello", url=api.url).returncode == 0
    place.clew("uninstall")

    assert settings.read_bytes() == b'{"theme": "dark",\n   "cleanupPeriodDays":7}'
    ours = [file for file in place.home.rglob("*") if file.is_file() and b"clew_hook" in file.read_bytes()]
    left = [file for file in ours if "projects" not in file.parts]  # the client's own record of the session names the hook that ran
    assert left == []
    assert not list((place.home / ".claude" / "plugins").rglob("clew*")) if (place.home / ".claude" / "plugins").exists() else True


def test_the_client_finds_the_plugin_valid(place: Place) -> None:
    place.clew("init")
    for folder in ("plugin", "plugin/clew"):
        told = subprocess.run(
            [str(place.program), "plugin", "validate", str(place.clew_home / folder)],
            env=place.env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout
        assert "Invalid" not in told.stdout


def test_compaction_by_itself_hands_over_as_well(place: Place, version: str) -> None:
    """The window fills up, the client compacts in the middle of a turn, and what was planted is still there."""
    from tests.real_client.scenario import FIRST
    from tests.real_client.scripted_api import ScriptedAPI, use

    place.clew("init")
    big = "A sentence that takes room and says nothing at all. " * 1900
    script = [[use("Bash", command="true", description="look")], big, big, big, big, "The end."]
    with ScriptedAPI(script) as api, place.session(url=api.url, CLAUDE_CODE_AUTO_COMPACT_WINDOW="100000") as session:
        session.ask(FIRST)
        for number in range(5):
            session.ask(f"Go on with part {number} of it, please.")
        window = json.dumps(api.of("main")[-1].body["messages"], ensure_ascii=False)
        summaries = len(api.of("compact"))

    assert HANDOFF_HEADING in window
    assert "generated.py" in window
    assert "OPS-7731" in window
    assert (summaries == 0) is has_mods(version) or place.was_late()


def test_ten_sessions_at_once_keep_to_themselves(place: Place) -> None:
    import threading
    import uuid

    from tests.real_client.scripted_api import ScriptedAPI, use

    place.clew("init")
    names = [str(uuid.UUID(int=number + 1, version=4)) for number in range(10)]
    codes: dict[str, int] = {}
    with ScriptedAPI() as api:
        for at, name in enumerate(names):
            command = f"for i in $(seq 1 300); do echo \"suite-{at}::test_$i PASSED\"; done; echo '300 passed in 1.0s'"
            api.by_session[name] = [[use("Bash", command=command, description="run")], f"Done with MARKER-{at}."]

        def one(at: int, name: str) -> None:
            codes[name] = place.claude(
                "-p", f"Run suite MARKER-{at} of the tests", "--session-id", name, url=api.url, timeout=120
            ).returncode

        threads = [threading.Thread(target=one, args=pair) for pair in enumerate(names)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(codes.values()) == {0}
        for at, name in enumerate(names):
            last = api.of("main", name)[-1]
            window = json.dumps(last.body["messages"])
            # In what its own tools answered: what a session before it left behind may be handed to one that starts after it.
            found = {int(number) for number in re.findall(r"suite-(\d+)::", json.dumps(prompts_only(last)))}
            assert found <= {at}
            assert "clew unfold" in window


def test_the_tools_are_loaded_from_the_start_and_answer(place: Place) -> None:
    from tests.real_client.scripted_api import ScriptedAPI, use

    place.clew("init")
    name = "mcp__plugin_clew_clew__"
    script = [
        [use(f"{name}remember", text="OPS-7731 is paid by the hour", kind="fact", about=["calc.py"])],
        [use(f"{name}recall", question="how is OPS-7731 paid?")],
        [use(f"{name}unfold", handle="zzzzzzzz")],
        [use(f"{name}impact", names=["calc.py"])],
        "Done.",
    ]
    with ScriptedAPI(script) as api, place.session(url=api.url) as session:
        session.ask("Use the tools.")
        asked = api.of("main")

    tools = {tool["name"] for tool in asked[0].body["tools"]}
    assert {f"{name}{tool}" for tool in ("recall", "unfold", "impact", "remember", "explain")} <= tools
    results = prompts_only(asked[-1])
    assert "Remembered as" in results[0]
    assert "paid by the hour" in results[1]
    assert "not known here" in results[2]
    assert len(results) == 4


def test_the_status_line_shows_in_the_terminal(place: Place, version: str) -> None:
    import shutil

    from tests.real_client.client import KEY
    from tests.real_client.scripted_api import ScriptedAPI

    if shutil.which("tmux") is None:
        pytest.skip("MISSING: tmux, in which the client's terminal is looked at")
    place.clew("init")
    about = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [KEY[-20:]]},
        "projects": {str(place.repo): {"hasTrustDialogAccepted": True}},
    }
    (place.home / ".claude.json").write_text(json.dumps(about))
    socket = place.folder / "tmux"
    tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    with ScriptedAPI(["Hello from the script."]) as api:
        env = place.env(api.url)
        subprocess.run([*tmux, "new-session", "-d", "-x", "150", "-y", "45", str(place.program)], cwd=place.repo, env=env, check=True)
        try:
            screen = _until(tmux, lambda shown: "❯" in shown or ">" in shown)
            subprocess.run([*tmux, "send-keys", "hello there", "Enter"], env=env, check=True)
            screen = _until(tmux, lambda shown: "clew " in shown and "window" in shown)
        finally:
            subprocess.run([*tmux, "kill-server"], env=env, check=False)

    assert re.search(r"clew window \d+% of", screen), screen


def _until(tmux: list[str], is_it: object, within_s: float = 30) -> str:
    assert callable(is_it)
    end = time.monotonic() + within_s
    screen = ""
    while time.monotonic() < end:
        screen = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False).stdout
        if is_it(screen):
            return screen
        time.sleep(0.2)  # a terminal tells of nothing
    return screen


def test_the_path_of_the_repository_is_in_nothing_that_a_team_shares(place: Place) -> None:
    place.clew("init", "--scope", "project")
    shared = (place.repo / ".claude" / "settings.json").read_text()

    assert json.loads(shared)["enabledPlugins"] == {"clew@clew": True}
    assert str(Path.home()) not in shared
    assert str(place.home) not in shared
