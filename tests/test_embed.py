"""The shipped embedding: small, the same everywhere, and near to what it means."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clew.errors import NotReadable
from clew.text import embed
from clew.text.embed import TABLE_PATH, Embedder, TableEmbedder, load_builtin_embedder, load_embedder, pack_table
from clew.text.postings import hash_term

BYTES_MAX = 8_000_000
STATED = json.loads(TABLE_PATH.with_suffix(".json").read_text(encoding="utf-8"))
FUNCTIONS = {
    "remove a directory tree with everything in it": "def rmtree(path):\n    for entry in os.scandir(path):\n        if entry.is_dir():\n"
    "            rmtree(entry.path)\n        else:\n            os.unlink(entry.path)\n    os.rmdir(path)",
    "compress data with gzip": "def deflate(data, level):\n    writer = zlib.compressobj(level, zlib.DEFLATED, 31)\n"
    "    return writer.compress(data) + writer.flush()",
    "parse a date from a string": "def to_datetime(text):\n    match = ISO8601.match(text)\n"
    "    year, month, day = map(int, match.groups())\n"
    "    return datetime(year, month, day)",
    "send an http request and follow redirects": "func (c *Client) Do(req *Request) (*Response, error) {\n"
    "\tresp, err := c.transport.RoundTrip(req)\n"
    '\tif resp.StatusCode == 302 {\n\t\treturn c.Do(newRequest(resp.Header.Get("Location")))\n\t}\n\treturn resp, err\n}',
    "multiply two matrices": "fn matmul(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {\n    let mut out = zeros(a.rows(), b.cols());\n"
    "    gemm(1.0, a, b, 0.0, &mut out);\n    out\n}",
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Embedder:
    return load_builtin_embedder()


def near(model: Embedder, question: str, answers: list[str]) -> NDArray[np.float32]:
    return model.embed(answers) @ model.embed([question])[0]


def test_the_weights_are_small_and_their_name_and_card_agree_with_their_bytes(model: Embedder) -> None:
    data = TABLE_PATH.read_bytes()
    whole = blake2b(data, digest_size=16).hexdigest()

    assert len(data) <= BYTES_MAX
    assert model.name == f"clew:{blake2b(data[8:16] + data[24:], digest_size=8).hexdigest()}" == STATED["name"]
    assert STATED["blake2b"] == whole
    assert whole in (Path(__file__).parents[1] / "train" / "embedding" / "README.md").read_text(encoding="utf-8")


def test_the_setting_builtin_names_the_shipped_model(model: Embedder) -> None:
    assert load_embedder("builtin") is model


def test_a_damaged_table_is_refused_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "static.bin"
    monkeypatch.setattr(embed, "TABLE_PATH", path)
    for data in (b"", b"clewemb0" + bytes(100), TABLE_PATH.read_bytes()[:1000]):
        path.write_bytes(data)
        with pytest.raises(NotReadable, match="is no model"):
            embed.load_builtin_embedder.__wrapped__()


def test_vectors_have_length_one_and_a_text_of_unknown_words_gives_zeros(model: Embedder) -> None:
    rows = model.embed(["read the file", "", "qzxv ~ ∅", "file"])

    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 0, 1], atol=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others_and_in_another_process(model: Embedder) -> None:
    texts = [*FUNCTIONS, *FUNCTIONS.values(), "", "the " * 3000, "x" * 10_000, "résumé 検索 \ud800"]
    together = model.embed(texts)

    assert all(np.array_equal(model.embed([text])[0], row) for text, row in zip(texts, together, strict=True))
    code = "import sys, json; from clew.text.embed import load_builtin_embedder as load;"
    code += "sys.stdout.buffer.write(load().embed(json.load(sys.stdin)).tobytes())"
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], input=json.dumps(texts).encode(), env=env, capture_output=True, check=True)
        assert done.stdout == together.tobytes()


@pytest.mark.parametrize("question", FUNCTIONS)
def test_a_question_is_nearest_to_the_function_that_does_it(model: Embedder, question: str) -> None:
    """Among five functions that share few words with their questions."""
    found = near(model, question, list(FUNCTIONS.values()))

    assert list(FUNCTIONS)[int(found.argmax())] == question


def test_rounding_to_bytes_turns_a_text_by_less_than_one_degree() -> None:
    rng = np.random.default_rng(1)
    terms = [f"q{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(200)]  # three letters: no stem is cut off
    rows = rng.standard_normal((len(terms), 64), dtype=np.float32)
    packed = TableEmbedder(pack_table(np.array([hash_term(term) for term in terms], np.uint64), rows))
    exact = rows[:20].sum(axis=0)

    vector = packed.embed([" ".join(terms[:20])])[0]

    assert vector @ exact / np.linalg.norm(exact) > np.cos(np.radians(1))
