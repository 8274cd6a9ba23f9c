"""The arms of the chunked compressor: what is asked of a model, in which order, and what its answers rank."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compress.arms import LETTERS, STATES, Answers, ArmCounts, OutOfTime, compress_chunks, count_lines, find_means, shift_chunks
from clew.enrich.chunks import SessionChunk, split_session
from clew.enrich.models import ModelAnswer, ModelRequest
from clew.text.tokens import make_counter
from clew.transcript.session_files import find_session_files
from tests.enrich.compressing import session_of


class Lettered:
    """A model that finds the line likeliest which says `row 7`, and sums up in four words."""

    name, place = "lettered", "this process"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self.asked.append(request.text)
        if not request.choices:
            return ModelAnswer("Rows of ledger moved.", input_tokens=9, output_tokens=5)
        shown = {line[0]: line for line in request.text.split("\n") if line[1:3] == "| "}
        rates = [(letter, -1.0 if "row 7 " in line else -5.0) for letter, line in shown.items()]
        return ModelAnswer("A", choices=(*sorted(rates, key=lambda each: -each[1]), ("The", -9.0)))

    def close(self) -> None:
        pass


@pytest.fixture
def chunks(tmp_path: Path) -> list[SessionChunk]:
    path = session_of(tmp_path, 1)
    lines, session = path.read_bytes().splitlines(keepends=True), find_session_files(path)
    return split_session(
        lines, session, root=str(tmp_path), base="/w", counter=make_counter("o200k"), chunk_tokens=700, known=lambda ids: ids
    )


def test_a_shifted_cut_holds_the_same_lines_in_order_and_begins_elsewhere(chunks: list[SessionChunk]) -> None:
    shifted = list(shift_chunks(chunks))

    whole = [(at, number) for at, chunk in enumerate(chunks) for number in range(1, count_lines(chunk) + 1)]
    assert [key for _, keys in shifted for key in keys] == whole
    assert [line for chunk, _ in shifted for piece in chunk.pieces for line in piece.lines] == [
        line for chunk in chunks for piece in chunk.pieces for line in piece.lines
    ]
    assert len(shifted) == len(chunks) + 1
    assert all(count_lines(chunk) == len(keys) for chunk, keys in shifted)
    assert all(keys[0][1] > 1 for _, keys in shifted[1:])


def test_each_arm_hands_on_its_state_and_all_requests_about_a_chunk_begin_alike(chunks: list[SessionChunk], tmp_path: Path) -> None:
    model, counts = Lettered(), dict[str, ArmCounts]()
    answers = Answers(tmp_path / "answers", model, lambda: False, lambda: 0.0)

    arms = {arm.name: arm for arm in compress_chunks(chunks, answers, counts, STATES, ["structured"])}

    assert set(arms) == {*STATES, "structured, shifted"}
    of_second = [text for text in model.asked if text.startswith(model.asked[len(STATES) + 1].partition(" end>>")[0])]
    assert len(of_second) == len(STATES) + 1  # a summary is written on in a request of its own
    told = "\n".join(of_second)
    assert "Summary so far: Rows of ledger moved." in told
    assert "Names so far: " in told
    assert "# Where the work stands" in told
    [best, *_] = arms["none"].chosen()
    at = [line for piece in chunks[best[0]].pieces for line in piece.lines][best[1] - 1]
    assert "row 7 " in at
    assert counts["none"].asked == len(chunks)


def test_a_run_that_is_stopped_goes_on_where_it_was(chunks: list[SessionChunk], tmp_path: Path) -> None:
    model, file = Lettered(), tmp_path / "answers"
    with pytest.raises(OutOfTime):
        compress_chunks(chunks, Answers(file, model, lambda: len(model.asked) == 3, lambda: 0.0), {}, STATES, [])
    file.write_bytes(file.read_bytes() + b'{"key": "cut off')
    compress_chunks(chunks, Answers(file, model, lambda: False, lambda: 0.0), {}, STATES, [])
    asked = len(model.asked)
    file_again = Answers(file, model, lambda: True, lambda: 0.0)
    compress_chunks(chunks, file_again, {}, STATES, [])

    assert len(set(model.asked)) == len(model.asked) == asked


def test_what_a_model_says_whatever_stands_in_a_line_is_taken_off(chunks: list[SessionChunk], tmp_path: Path) -> None:
    """A model that likes the letter B names it everywhere; calibrated, the line that is likelier than its letter comes first."""

    class Biased(Lettered):
        def complete(self, request: ModelRequest) -> ModelAnswer:
            plain = super().complete(request)
            return ModelAnswer("B", choices=tuple((letter, value + 9.0 * (letter == "B")) for letter, value in plain.choices))

    arms = compress_chunks(chunks, Answers(tmp_path / "answers", Biased(), lambda: False, lambda: 0.0), {}, ["none"], [])
    plain, calibrated = arms[0].chosen(), arms[0].chosen(find_means(arms))

    assert plain[0][1] == LETTERS.index("B") + 1
    lines = [line for piece in chunks[calibrated[0][0]].pieces for line in piece.lines]
    assert "row 7 " in lines[calibrated[0][1] - 1]
