"""A message or a route that a question quotes leads to where it stands, and no route is called a missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.records import MatchKind, Packet, RemarkKind
from clew.settings import Settings

NOISE = "".join(
    f"class PipelineRegistry{at}:\n    'The pipeline registry that owned and disposing pipelines are allowed in.'\n\n"
    f"    def dispose_pipeline(self):\n        return self.registry.pipeline\n\n\n"
    for at in range(12)
)
SOURCES = {
    "src/registry.py": NOISE,
    "src/guard.py": "def ensure(owned, key):\n    if owned:\n"
    "        raise ValueError('Disposing this pipeline is not allowed because it is owned by the registry.')\n"
    "    raise KeyError(f'Unable to find a pipeline for the key {key}. Please register it first.')\n",
    "config/routes.rb": "Rails.draw do\n  get '/login' => 'login#index'\n  post '/login/2fa_check' => 'login#twofa'\n"
    "  get '/domains/:id/origins' => 'origins#list'\n  get '/domains/:id/origins/:at' => 'origins#show'\nend\n",
    "models/domain.rb": "class Domain\n  def update_origins(id, domains)\n    origins(domains, id)\n  end\nend\n",
    "server.py": "@app.route('/users/<id>/badges')\ndef list_badges(id):\n    return id\n\n\n"
    "def users_badges(users, badges, id):\n    return users\n",
    "app/api/sites/[siteId]/stats/route.ts": "export async function GET() { return 1; }\n",
    "app/api/sites/[siteId]/route.ts": "export async function GET() { return 2; }\n",
    "pages/help/index.vue": "<template>\n<p>help</p>\n</template>\n",
    "pages/help/other.vue": "<template>\n<p>other</p>\n</template>\n",
    "a/Dockerfile": "FROM base\n",
    **{f"b{at}/Dockerfile": "FROM base\n" for at in range(6)},
}


def ask(engine: Engine, repo: Path, question: str) -> Packet:
    return engine.retrieve(repo, question, budget_tokens=800, tokenizer="chars4")


@pytest.mark.parametrize(
    ("question", "path", "line"),
    [
        ("Disposing this pipeline is not allowed because it is owned by the registry.", "src/guard.py", 3),
        ("KeyError: \"Unable to find a pipeline for the key 'db'. Please register it first.\"", "src/guard.py", 4),
        ("POST /login/2fa_check", "config/routes.rb", 3),
        ("GET /v2/domains/:id/origins answers 500", "config/routes.rb", 4),
        ("/users/<id>/badges", "server.py", 1),
    ],
)
def test_what_is_quoted_word_for_word_leads_and_its_line_is_shown(engine: Engine, repo: Path, question: str, path: str, line: int) -> None:
    packet = ask(engine, repo, question)

    first = packet.entries[0]
    assert first.path == path
    assert first.start <= line <= first.end
    assert first.why[0].kind is MatchKind.VERBATIM
    assert not packet.remarks


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("GET /api/sites/:id/stats is slow", "app/api/sites/[siteId]/stats/route.ts"),
        ("/api/sites/[siteId]", "app/api/sites/[siteId]/route.ts"),
        ("the page /pages/help", "pages/help/index.vue"),
    ],
)
def test_a_route_that_folders_make_leads_to_its_file(engine: Engine, repo: Path, question: str, path: str) -> None:
    packet = ask(engine, repo, question)

    assert packet.entries[0].path == path
    assert not packet.remarks


@pytest.mark.parametrize(
    "question",
    [
        "GET /nowhere/at/all",
        "which base does the Dockerfile use",
        "process /bin/sh did not complete",
        "what is in config/routes",
        "config/",
    ],
)
def test_a_route_a_name_of_many_files_and_a_place_outside_are_no_missing_files(engine: Engine, repo: Path, question: str) -> None:
    kinds = {remark.kind for remark in ask(engine, repo, question).remarks}

    assert kinds.isdisjoint((RemarkKind.NO_SUCH_PATH, RemarkKind.NOT_READ, RemarkKind.NO_SUCH_NAME))


@pytest.mark.parametrize("question", ["src/guards.py", "why does models/domains.rb fail?", "src/registry/gone"])
def test_a_file_that_is_not_there_is_called_so(engine: Engine, repo: Path, question: str) -> None:
    kinds = {remark.kind for remark in ask(engine, repo, question).remarks}

    assert (RemarkKind.NO_SUCH_PATH in kinds) == ("gone" not in question)


def test_a_folder_that_is_gone_is_called_so_and_its_files_answer_no_route(repo: Path, tmp_path: Path) -> None:
    """Also while the index in memory still names them."""
    gone = ["src/plugins/one.rb", *(f"b{at}/api/sites/[siteId]/stats/route.ts" for at in range(4))]
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        for name in gone:
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text("export const one = 1\n")
        engine.index(repo)
        assert RemarkKind.NO_SUCH_PATH not in {remark.kind for remark in ask(engine, repo, "src/plugins").remarks}

        for name in gone:
            (repo / name).unlink()
        engine.update(repo, gone)

        assert RemarkKind.NO_SUCH_PATH in {remark.kind for remark in ask(engine, repo, "src/plugins").remarks}
        assert ask(engine, repo, "GET /api/sites/:id/stats is slow").entries[0].path == "app/api/sites/[siteId]/stats/route.ts"


def test_a_sentence_of_common_words_leads_to_nothing(engine: Engine, repo: Path) -> None:
    packet = ask(engine, repo, "the pipeline registry that owned and disposing pipelines are allowed in")

    assert all(reason.kind is not MatchKind.VERBATIM for entry in packet.entries for reason in entry.why)


def test_a_run_of_words_that_ends_earlier_in_the_text_is_not_called_longer(engine: Engine, repo: Path) -> None:
    """The text holds "tax rate of a country" and nothing of what follows in the question."""
    (repo / "NOTES.md").write_text("# Money\n\nA ledger applies the tax rate of a country.\n")
    (repo / "tax.py").write_text('def rate_of(country):\n    """Look the tax rate up."""\n    return RATES[country]\n')
    engine.index(repo)

    packet = engine.retrieve(repo, "the tax rate of a country looked up twice", budget_tokens=800, tokenizer="chars4")

    assert packet.entries[0].name == "rate_of"
    assert not [entry for entry in packet.entries for why in entry.why if why.kind is MatchKind.VERBATIM]


def test_a_question_is_not_led_by_what_repeats_it(engine: Engine, repo: Path) -> None:
    question = "Which pipelines of the registry may be disposed, and why not all?"
    (repo / "demo.sh").write_text(f'ask "{question}"\n')
    engine.index(repo)

    packet = engine.retrieve(repo, question, budget_tokens=800, tokenizer="chars4")

    assert not [entry for entry in packet.entries for why in entry.why if why.kind is MatchKind.VERBATIM]
