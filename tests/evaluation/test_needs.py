"""What a session needed after a cut, as far as what it did next says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clew.errors import NotReadable
from clew.evaluation.cases import EvaluationCase, find_cases
from clew.evaluation.needs import Needs, find_needs
from clew.evaluation.scores import SearchableWindow, score_needs
from tests.transcript.conftest import ClaudeScript


def test_the_cut_stands_where_the_client_compacted_with_its_summary_beside_it(case: EvaluationCase) -> None:
    assert case.kind == "compaction"
    assert case.summary.startswith("The user wants the ledger settled.")
    assert all("wants the ledger settled" not in piece.text for piece in case.pieces)


def test_a_session_that_was_never_compacted_is_cut_at_three_fifths_of_its_calls(whole: Path) -> None:
    [case] = find_cases(whole)

    assert (case.kind, case.summary) == ("share", "")
    assert sum(each.kind == "call" for each in case.before) == int(0.6 * 51)


def test_a_file_that_is_touched_again_was_needed_and_one_that_is_not_was_not(case: EvaluationCase) -> None:
    assert "src/ledger.py" in find_needs(case).files
    assert "src/clock.py" not in find_needs(case).files


def test_the_text_that_an_edit_replaces_was_needed(case: EvaluationCase) -> None:
    [edit] = find_needs(case).edits

    assert (edit.path, edit.lines) == ("src/ledger.py", ("balance = balance.add(entry.amount)",))


def test_a_rare_name_was_needed_with_the_lines_that_hold_it(case: EvaluationCase) -> None:
    [term] = [term for term in find_needs(case).terms if term.text == "XTAX_RATE_2031"]

    assert term.evidence == ("XTAX_RATE_2031 = 0.19 ; from the ministry",)


def test_what_the_next_prompt_says_was_not_needed_from_the_window(case: EvaluationCase) -> None:
    assert "opening_balance" not in [term.text for term in find_needs(case).terms]


def test_what_stands_in_a_line_with_a_word_of_the_prompt_is_one_look_away_and_does_not_count(
    session: Callable[..., ClaudeScript], tmp_path: Path
) -> None:
    """The prompt says `opening_balance`; whoever looks that up finds what stands beside it."""
    script = session(with_summary=True)
    at = next(number for number, record in enumerate(script.records) if b"compact_boundary" in record)
    seen = ClaudeScript()
    seen.calls = 500
    seen.run("grep -rn opening_balance docs", "docs/a.md:3: opening_balance is made by make_ballast_77")
    used = ClaudeScript()
    used.calls = 600
    used.run("grep -rn make_ballast_77 .", "")
    script.records[at:at] = seen.records
    script.records.extend(used.records)

    [case] = find_cases(script.save(tmp_path))

    assert "make_ballast_77" not in [term.text for term in find_needs(case).terms]


def test_a_look_that_is_repeated_with_the_same_answer_could_have_been_spared(case: EvaluationCase) -> None:
    assert [repeat.lines[0] for repeat in find_needs(case).repeats] == ["release train 2031.4 of the ledger service"]


def test_a_name_in_a_bare_list_counts_as_named_and_not_as_kept_with_its_line(case: EvaluationCase) -> None:
    wanted = Needs(terms=tuple(term for term in find_needs(case).terms if term.text == "XTAX_RATE_2031"))

    listed, shown = (
        score_needs(SearchableWindow(window), wanted) for window in ("a, XTAX_RATE_2031, b", f"x\n   17→{wanted.terms[0].evidence[0]}\n")
    )

    assert (listed["terms"], listed["named"]) == (0.0, 1.0)
    assert (shown["terms"], shown["named"]) == (1.0, 1.0)


def test_a_line_behind_a_handle_is_one_unfold_away(case: EvaluationCase) -> None:
    wanted = Needs(edits=find_needs(case).edits)

    scores = score_needs(SearchableWindow("nothing", lambda: "4→        balance = balance.add(entry.amount)"), wanted)

    assert (scores["verbatim"], scores["folded"]) == (0.0, 1.0)


def test_damaged_compressed_data_says_so(compacted: Path, tmp_path: Path) -> None:
    import lzma

    path = tmp_path / "short.jsonl.xz"
    path.write_bytes(lzma.compress(compacted.read_bytes())[:-40])

    with pytest.raises(NotReadable, match="damaged"):
        list(find_cases(path))


def test_a_name_that_stood_in_a_call_counts_with_the_call_as_it_was_said(tmp_path: Path) -> None:
    """Whoever shows the command shows the line, whatever the call's JSON looks like."""
    script = ClaudeScript()
    script.prompt("Bring it out.")
    script.run('deploy --note "first try" --target canary_blue_9', "done")
    for number in range(30):
        script.run(f"ls folder{number}", f"nothing of note in {number}")
    script.prompt("And now?")
    for number in range(20):
        script.run(f"echo {number}", str(number))
    script.run("status --target canary_blue_9", "green")
    path = script.save(tmp_path)
    [case] = find_cases(path, [64])

    [term] = [term for term in find_needs(case).terms if term.text == "canary_blue_9"]

    assert 'deploy --note "first try" --target canary_blue_9' in term.evidence
    assert score_needs(SearchableWindow('$ deploy --note "first try" --target canary_blue_9'), Needs(terms=(term,)))["terms"] == 1.0
