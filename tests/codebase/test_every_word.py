"""Everything in a file is in some field: decorators, annotations, attributes, headers, and what stands between symbols."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.codebase.file_records import build_file_delta
from clew.codebase.parse import parse_file
from clew.text.postings import hash_term, unpack_postings
from clew.text.words import extract_words, split_word

MARKED = {
    "a.py": '# header_mark\n@app.route("/route_mark")\n@limit("7 per fortnight")\ndef f():\n    """Docs."""\n\n\ngap_mark()\n',
    "a.ts": '@Controller("route_mark")\nexport class A {\n  /** Docs. */\n  @Get("inner_mark/:id")\n  one(id: string) { return id; }\n}\n',
    "A.java": '@RequestMapping("/route_mark")\nclass A {\n  @GetMapping("/inner_mark")\n  String one() { return ""; }\n}\n',
    "A.cs": '[Route("route_mark")]\nclass A {\n  [HttpGet("inner_mark")]\n  string One() => "";\n}\n',
    "a.rs": '/// Docs.\n#[derive(Debug, DeriveMark)]\n#[get("/route_mark")]\npub fn one() {}\n',
    "A.kt": '@RequestMapping("/route_mark")\nclass A {\n    @GetMapping("/inner_mark")\n    fun one() = ""\n}\n',
    "A.php": "<?php\nclass A {\n    #[Route('/route_mark', name: 'inner_mark')]\n    public function one() { return ''; }\n}\n",
    "A.swift": '@MainActor\nclass A {\n    @available(iOS 15, *, message: "route_mark")\n    func one() -> String { return "" }\n}\n',
    "a.rb": 'class A\n  desc "route_mark"\n  get "/inner_mark" do\n    ""\n  end\nend\n',
    "a.go": 'package a\n\n//go:generate tool_mark\ntype A struct {\n\tB string `json:"inner_mark"`\n}\n',
    "a.js": 'app.get("/route_mark", async function handle(req, res) { res.send(1); });\nrouter.post("/inner_mark", (req) => req);\n',
}


def missing_words(path: str, data: bytes) -> list[str]:
    facts = parse_file(path, data)
    segment = build_file_delta(path, data, facts, (), size=len(data), stamp=1).segment
    assert segment is not None
    known = set(unpack_postings(segment).terms.tolist())
    words = extract_words(data.decode("utf-8", "replace"))
    return [word for word in words if not known.issuperset(hash_term(term) for term in split_word(word))]


@pytest.mark.parametrize("path", MARKED)
def test_every_word_of_a_file_is_in_some_field(path: str) -> None:
    assert not missing_words(path, MARKED[path].encode())


LINES = st.sampled_from(
    [line for text in MARKED.values() for line in text.splitlines()]
    + ["", "}", "{", "# comment_mark", "/* block_mark */", "élan = Größe", "名前 = RedisPool"]
)


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(sorted(MARKED)), lines=st.lists(LINES, max_size=30))
def test_no_word_is_lost_whatever_the_lines(path: str, lines: list[str]) -> None:
    assert not missing_words(path, "\n".join(lines).encode())


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("max-retries", "maxRetries"), ("MAX_RETRIES", "max-retries"), ("Straße", "strasse"),
        ("findAll", "findall"), ("find_all", "FindAll"), ("user_service", "UserService"), ("userservice", "user_service"),
        ("berechneGröße", "größe"), ("НайтиСтроку", "найти"), ("启动时使用RedisPool预热", "RedisPool"),
        ("采购订单自动审批流程", "审批流程"),
        (unicodedata.normalize("NFD", "zähle_bestände"), "bestände"), ("HTTPServer2", "http_server2"), ("XMLParser", "parser"),
    ],
)  # fmt: skip
def test_joined_and_separated_forms_meet_in_every_script(written: str, asked: str) -> None:
    held = {term for word in extract_words(written) for term in split_word(word)}

    assert held.issuperset(split_word(asked)[-1:])


@given(st.text(st.characters(max_codepoint=127, exclude_characters="-")))
def test_words_of_ascii_are_runs_of_letters_digits_and_underscores(text: str) -> None:
    assert extract_words(text) == re.findall(r"[A-Za-z0-9_]+", text)


@given(
    st.lists(st.sampled_from(["größe", "名前", "x_1", "é", "e\u0301", "a", "\ud800", "→", "\u3000", "\xa0"])),
    st.sampled_from(list("+. \n\x1f")),
)
def test_ascii_signs_part_words_of_every_script(words: list[str], sign: str) -> None:
    apart = [found for word in words for found in extract_words(word)]

    assert extract_words(sign.join(words)) == apart
