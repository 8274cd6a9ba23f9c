"""What clew does with a model, done with a real one: the GGUF file that ./check-models names."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import clew
from bench.nextaction.likelihood import LikelihoodModel
from clew.adapters.hooks import create_daemon_context
from clew.enrich.models import GgufModel, KnownModels, ModelRequest, describe_model, measure_model, open_model
from clew.enrich.models.gguf import STATE_BATCH
from clew.enrich.models.prefix import identify_model
from clew.enrich.models.states import ModelStates
from clew.errors import ModelRefused, ModelStopped, NoUsableAnswers
from clew.settings import Settings, load_settings
from tests.adapters.test_gateway import asked
from tests.enrich.compressing import SESSION, compress, log, turn

SOURCE = Path(clew.__file__).parents[1]

pytestmark = pytest.mark.real_model


@pytest.fixture
def path() -> Path:
    if not os.environ.get("CLEW_TEST_MODEL"):
        pytest.skip("CLEW_TEST_MODEL names no file; ./check-models fetches one")
    return Path(os.environ["CLEW_TEST_MODEL"])


@pytest.fixture
def model(path: Path, tmp_path: Path) -> Iterator[GgufModel]:
    with closing(open_model(str(path), folder=tmp_path, timeout_s=300)) as opened:
        assert isinstance(opened, GgufModel)
        yield opened


def test_it_is_measured_and_described(model: GgufModel, tmp_path: Path) -> None:
    known = KnownModels(tmp_path)
    estimated = describe_model(model, "gguf", known).memory_mb
    measure_model(model, known)
    told = describe_model(model, "gguf", known)

    assert told.name.endswith(f"@{told.sha256[:12]}")
    assert min(told.prefill_tokens_per_s or 0, told.generate_tokens_per_s or 0, told.context or 0) > 0
    assert 0 < (told.memory_mb or 0) < 1.3 * (estimated or 0)
    assert told.fits


def test_the_first_token_comes_with_its_probabilities(model: GgufModel) -> None:
    answer = model.complete(ModelRequest("Answer with one word.", "Which colour has a clear sky?", 1, choices=10))

    assert len(answer.choices) == 10
    assert answer.choices[0][1] == max(value for _, value in answer.choices) <= 0
    assert answer.input_tokens > 5


def test_the_same_request_has_the_same_answer(model: GgufModel) -> None:
    request = ModelRequest("You are brief.", "Name three animals.", 12, choices=1)

    assert model.complete(request) == model.complete(request)


def test_a_request_longer_than_the_context_is_refused_by_name(model: GgufModel) -> None:
    with pytest.raises(ModelRefused, match="exceeds the available context size"):
        model.complete(ModelRequest("You are brief.", "word " * (model.context + 100), 1, choices=1))


def test_a_child_that_is_killed_is_an_error_and_the_next_request_starts_another(model: GgufModel) -> None:
    request = ModelRequest("You are brief.", "Say yes.", 1, choices=1)
    model.complete(request)
    [child] = psutil.Process().children()
    child.kill()

    with pytest.raises(ModelStopped, match="was ended by signal 9"):
        model.complete(request)
    assert model.complete(request).text
    assert len(psutil.Process().children()) == 1


def test_a_command_that_is_killed_takes_its_child_with_it(path: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, psutil; from pathlib import Path; from clew.enrich.models import ModelRequest, open_model\n"
        "model = open_model(sys.argv[1], folder=Path(sys.argv[2]), timeout_s=300)\n"
        "model.complete(ModelRequest('You are brief.', 'Say yes.', 1, choices=1))\n"
        "print(psutil.Process().children()[0].pid, flush=True); time.sleep(300)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)}
    command = subprocess.Popen([sys.executable, "-c", code, str(path), str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    assert command.stdout is not None
    child = psutil.Process(int(command.stdout.readline()))
    command.kill()
    command.wait()
    command.stdout.close()

    assert not psutil.wait_procs([child], timeout=20)[1]


def test_nobody_else_can_reach_it(model: GgufModel) -> None:
    """It listens on a socket in a folder of this user's alone, and on no port."""
    model.complete(ModelRequest("You are brief.", "Say yes.", 1, choices=1))
    [child] = psutil.Process().children()

    listening = [one for one in child.net_connections("all") if one.status == psutil.CONN_LISTEN]
    folder = Path(next(word for word in child.cmdline() if word.endswith("model.sock"))).parent

    assert listening == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_state_is_restored_in_another_process_and_the_model_goes_on_alike(path: Path, tmp_path: Path) -> None:
    """The prefix is read back in less than a fifth of the time that it took, and 24 tokens are written as after a fresh evaluation."""
    states = ModelStates(tmp_path, 10**9)
    text = Path(clew.__file__).with_name("settings.py").read_text("utf-8")

    def opened() -> GgufModel:
        model = open_model(str(path), folder=tmp_path, timeout_s=300, states=states.folder)
        assert isinstance(model, GgufModel)
        return model

    with closing(opened()) as model:
        server = model.open_server()
        identity = identify_model(server.props(), KnownModels(tmp_path), batch=STATE_BATCH, build=model.build)
        tokens = server.tokenize(text)[:700]
        stored = states.store(server, identity, tokens, model=model.name, slot=0, is_checked=True)
        fresh = server.complete(tokens, slot=0, tokens_max=24, is_fresh=True)
    with closing(opened()) as model:
        server = model.open_server()
        started = time.perf_counter()
        assert states.load(server, stored, slot=0)
        restored_s = time.perf_counter() - started
        again = server.complete(tokens, slot=0, tokens_max=24, is_fresh=False)

    assert len(stored.tokens) == again.reused == 640
    assert again.tokens == fresh.tokens
    assert restored_s < stored.prefill_s / 5


def test_a_session_is_compressed_or_its_answers_are_refused_by_name(model: GgufModel, tmp_path: Path) -> None:
    """A small model's lines are mostly of no use; what counts here is that each part was asked and judged."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    session = tmp_path / f"{SESSION}.jsonl"
    session.write_text("\n".join(turn(0, "Move ledger 0 to its shard.", "python move_rows.py", log(0, 12), "Ledger 0 is moved.")) + "\n")
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True) as engine:
        try:
            kept = compress(engine, tmp_path / "repo", session, model).lines
        except NoUsableAnswers as error:
            kept = len(error.reasons)

    assert kept > 0


def test_a_text_is_likelier_behind_one_that_says_it_and_the_rest_of_the_batch_changes_nothing(path: Path) -> None:
    with LikelihoodModel(path, context=2048, threads=1) as likelihood:
        told, other = (likelihood.tokens(f"The key is {word}. " * 3, at_start=True) for word in ("zebra-417", "lemon-22"))
        then = likelihood.tokens("The key is zebra-417.")
        long = [*likelihood.tokens("word " * 600, at_start=True), *told[1:]]
        behind_told, behind_other = (likelihood.log_probabilities(before, then).sum() for before in (told, other))

        assert behind_told > behind_other + 5
        assert likelihood.log_probabilities(told, then).sum() == pytest.approx(behind_told, abs=1e-3)
        assert likelihood.log_probabilities(long, then).sum() > behind_other
        with pytest.raises(ValueError, match="2048"):
            likelihood.log_probabilities(told, then * 400)


def test_queued_work_is_done_by_a_process_that_may_be_killed(path: Path, tmp_path: Path) -> None:
    """The whole way with a file: queued by one command, killed at work with its model, done by the next."""
    home, repo = tmp_path / "home", tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    session = tmp_path / f"{SESSION}.jsonl"
    session.write_text("\n".join(turn(0, "Move ledger 0 to its shard.", "python move_rows.py", log(0, 12), "Ledger 0 is moved.")) + "\n")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "CLEW_HOME": str(home), "CLEW_MODEL": str(path)}

    def clew_command(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "clew", *words], env=environment, stdout=subprocess.PIPE, text=True, cwd=repo)

    clew_command("compress", str(session), "--later", "--quiet").communicate(timeout=120)
    worker = clew_command("models", "work", "--quiet")
    deadline = time.monotonic() + 60
    while not psutil.Process(worker.pid).children() and time.monotonic() < deadline:
        time.sleep(0.05)
    children = psutil.Process(worker.pid).children()
    worker.kill()
    worker.communicate()
    before = json.loads(clew_command("models", "--json").communicate(timeout=60)[0])["queue"]
    done = json.loads(clew_command("models", "work", "--json").communicate(timeout=300)[0])

    assert children
    assert not psutil.wait_procs(children, timeout=20)[1]
    assert before["queued"] == 1
    assert (done["done"], done["left"]) == (1, 0)


def test_functions_are_judged_and_what_the_model_thinks_is_stored_with_its_provenance(path: Path, model: GgufModel, tmp_path: Path) -> None:
    """After an index the pairs are queued with their cost, the model judges them, and an edit queues anew only what it changed."""
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "writer.py").write_text('def write_ledger(rows, out):\n    out.write(f"{rows.shard}|{rows.ledger_total}|{rows.quarantine}")\n')
    (root / "reader.py").write_text(
        'def read_ledger(line):\n    shard, ledger_total, quarantine = line.split("|")\n    return ledger_total\n'
    )
    with clew.open(settings=Settings(tmp_path / "home", jobs=1, core_functions=10, model=str(path)), is_in_memory=True) as engine:
        core = engine.index(root).core.core
        [queued] = engine.describe_queue()
        done = engine.work(model)
        status = engine.read_status(root)
        (root / "reader.py").write_text(
            'def read_ledger(line):\n    shard, ledger_total, quarantine = line.split("\\t")\n    return shard\n'
        )
        engine.index(root)
        [again] = engine.describe_queue()
        [handle] = [link[2] for link in engine.explain(root, "writer.py").links if link[0] == "contains"]
        links = {how for how, *_ in engine.explain(root, handle).links}

    assert core == 2
    assert queued.read_tokens > 0
    assert (done.done, done.failed) == (2, [])
    assert status.core is not None
    assert status.core.judged == 2
    assert again.queued == 2
    assert "may change with" in links
    assert "a model thinks it changes with" not in links


SERVER = """
import importlib, os, sys
os.nice(10)
llama = importlib.import_module("xllamacpp")
params = llama.CommonParams()
params.model.path, params.hostnames, params.port, params.slot_save_path = sys.argv[1], ["127.0.0.1"], int(sys.argv[2]), sys.argv[3] + "/"
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.n_ctx, params.n_parallel, params.n_gpu_layers, params.warmup, params.verbosity = 4096, 1, 0, False, 0
params.swa_full, params.n_ctx_checkpoints, params.cache_ram_mib, params.endpoint_slots = True, 0, 0, True
server = llama.Server(params)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_second_session_through_the_gateway_begins_with_a_restored_state(path: Path, tmp_path: Path) -> None:
    """The server was started again in between, and reports that it read the prefix from its cache."""
    states = ModelStates(tmp_path, 10**9)
    states.make_folder()
    context = create_daemon_context(replace(load_settings({}), data_dir=tmp_path))
    rules = Path(clew.__file__).with_name("settings.py").read_text("utf-8")[:2600]
    read: list[int] = []
    for words in ("Name one setting.", "What is read from the environment?"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path), str(port), str(states.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        body = {"model": "m", "max_tokens": 4, "system": rules, "messages": [{"role": "user", "content": words}]}
        status, _, chunks = asked(context, f"http://127.0.0.1:{port}", json.dumps(body).encode())
        assert status == 200
        read.append(json.loads(b"".join(chunks))["usage"]["cache_read_input_tokens"])
        process.communicate(b"")
    context.close()

    [state] = states.states()
    assert state.is_checked
    assert len(state.tokens) % 512 == 0
    assert read == [len(state.tokens)] * 2
