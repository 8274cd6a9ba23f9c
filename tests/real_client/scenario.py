"""The session that the end-to-end tests run, with clew and without: what is planted in it, and what came of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from clew.transcript.vocabulary import HANDOFF_HEADING
from tests.real_client.client import Place
from tests.real_client.scripted_api import Asked, ScriptedAPI, Turn, text, use

SECRET = "AKIA" + "QPLANTED7SECRET9X"[:16]
TOKEN = "ghp_" + "plantedplantedplantedplanted12345678"
PLANTED = {
    "constraint": "generated.py",
    "dead end": "frobnicate",
    "identifier": "OPS-7731",
    "changed file": "calc.py",
    "open error": "add_2 is wrong",
}
PADDING = "This paragraph says little and takes room. " * 500
LONG = "for i in $(seq 1 400); do echo \"tests/test_calc.py::test_case_$i PASSED [ 50%]\"; done; echo '400 passed in 3.21s'"
FIRST = "Never touch generated.py, it is made by a tool. Ticket OPS-7731: make `add_1` in calc.py add two, and run the tests."


def turns(repo: Path) -> list[Turn]:
    """The model's answers, one for each request of the main conversation."""
    return [
        [text("I look at it first."), use("Read", file_path=f"{repo}/calc.py")],
        [text("I try the frobnicate plugin to do it."), use("Bash", command="python3 -m frobnicate calc.py", description="try")],
        [text("It is not there; I give it an argument."), use("Bash", command="python3 -m frobnicate --all", description="again")],
        [
            text("That does not work, frobnicate is not installed. I edit the file by hand instead."),
            use("Edit", file_path=f"{repo}/calc.py", old_string="return x + 1\n", new_string="return x + 2\n"),
        ],
        [use("Bash", command=LONG, description="run the tests")],
        [use("Bash", command=f"echo the key is {SECRET} and {TOKEN}", description="show the settings")],
        [
            use(
                "Bash",
                command="python3 -c \"from calc import add_2; assert add_2(1) == 4, 'add_2 is wrong'\"",
                description="check",
            )
        ],
        "The edit is made, and the check of add_2 still fails. " + PADDING,
        [use("Agent", description="look", prompt="Say where add_3 is.", subagent_type="general-purpose", run_in_background=False)],
        "The subagent has answered. " + PADDING,
        "Another answer. " + PADDING,
        "After the compaction.",
        "After the resume.",
        "After the clear.",
        "After the clear, again.",
    ]


@dataclass
class Run:
    """What came of a session. `windows` holds what the model was sent last at each station.

    skipped  stages that the machine was too slow for: what they give comes one prompt later.
    """

    place: Place
    asked: list[Asked] = field(default_factory=list[Asked])
    answers: list[str] = field(default_factory=list[str])
    windows: dict[str, str] = field(default_factory=dict[str, str])
    hit_rate: float = 0.0
    session: str = ""
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    codes: list[int] = field(default_factory=list[int])
    skipped: list[str] = field(default_factory=list[str])


def run(place: Place, *, between: object = None, base_url: object = None) -> Run:
    """Run the whole session. `between` is called after the first prompt; `base_url` makes another address of the API's."""
    done = Run(place)
    with ScriptedAPI(turns(place.repo), subagent=["add_3 is in calc.py."]) as api:
        url = base_url(api.url) if callable(base_url) else api.url
        with place.session(url=url) as session:

            def ask(station: str, prompt: str) -> None:
                started = time.perf_counter()
                told = session.ask(prompt)
                done.seconds[station] = time.perf_counter() - started
                done.answers.append(str(told.get("result", ""))[:40])
                if api.of("main"):
                    done.windows[station] = words(api.of("main")[-1])

            ask("first", FIRST)
            if callable(between):
                between()
            ask("subagent", "Now ask a subagent where add_3 is.")
            ask("third", "Go on with the next thing, please.")
            ask("compact", "/compact")
            ask("after compaction", "What is left to do?")
            if callable(between) and HANDOFF_HEADING not in done.windows["after compaction"] and place.owes():
                done.skipped.append("the hand-off after the compaction")  # the daemon was just being started again
                api.main.insert(0, "Once more.")
                session.ask("Please?")
                done.windows["after compaction"] = words(api.of("main")[-1])
            done.session = session.id
            done.codes.append(session.close())
        resumed = place.claude("-p", "And now?", "--resume", done.session, url=url)
        done.codes.append(resumed.returncode)
        done.answers.append(resumed.stdout.strip()[:40])
        done.windows["resumed"] = words(api.of("main")[-1])
        with place.session("--resume", done.session, url=url) as session:
            session.ask("/clear")
            session.ask("Where were we?")
            done.windows["cleared"] = words(api.of("main")[-1])
            if (
                HANDOFF_HEADING not in done.windows["cleared"] and place.owes()
            ):  # the machine could not make it in the time of a session's start
                done.skipped.append("the hand-off at the start of the cleared session")
                session.ask("Where were we?")
                done.windows["cleared"] = words(api.of("main")[-1])
            done.codes.append(session.close())
        done.asked, done.hit_rate = list(api.asked), api.hit_rate()
    return done


def words(asked: Asked) -> str:
    """What a request says to the model in its messages, without the tools and the system prompt."""
    return json.dumps(asked.body["messages"], ensure_ascii=False)


def prompts_only(asked: Asked) -> list[str]:
    """The tool results in a request."""
    found: list[str] = []
    for message in asked.body["messages"]:
        if isinstance(message["content"], list):
            found.extend(
                json.dumps(block["content"], ensure_ascii=False) for block in message["content"] if block.get("type") == "tool_result"
            )
    return found
