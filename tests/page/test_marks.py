"""What a person does on the page: pin, drop, correct, end, take back."""

from __future__ import annotations

import re
from html import unescape

import pytest

from clew.samples import TIES
from tests.page.conftest import ORIGIN, SESSION, Page
from tests.page.test_sessions import hostile_transcript

HERE = f"/sessions/{SESSION}"
RULE = "Never break ties by document number"


def form_fields(text: str, holding: str, after: str = "") -> dict[str, str]:
    """The fields of the first form, after some words, that holds some others."""
    forms = re.findall(r"<form method=\"post\".*?</form>", text.partition(after)[2] if after else text, re.DOTALL)
    found = next(form for form in forms if holding in unescape(form))
    return {name: unescape(value) for name, value in re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', found)}


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_record_is_pinned_on_the_page_and_taken_back(page: Page, *, is_stored: bool) -> None:
    if is_stored:
        page.context.get_engine().ingest([page.projects], repo=page.repo)
    text = page.get(f"{HERE}/compactions?budget=1500&fate=folded")
    fields = form_fields(text, 'value="pin"')
    after = page.post(f"{HERE}/mark", **fields, what="pin")

    assert "Decided by you" in page.get(f"{HERE}/compactions?budget=1500")
    whole = page.get(f"{HERE}/compactions?budget=60000")
    assert "pinned by you" in whole
    assert "by a person on the page" in whole
    assert f'id="r{fields["handle"]}"' in whole or after
    undo = form_fields(whole, "Take back")
    page.post(f"{HERE}/mark", **undo)
    assert "Decided by you" not in page.get(f"{HERE}/compactions?budget=1500")


def test_lines_of_a_record_are_dropped(page: Page) -> None:
    text = page.get(f"{HERE}/compactions?budget=60000&fate=kept")
    address = unescape(re.findall(r'data-src="([^"]+)"', text)[0])
    fields = form_fields(page.get(address), 'value="drop"')
    page.post(f"{HERE}/mark", **fields, what="drop", first="1", last="1")

    assert "dropped, lines 1–1" in page.get(f"{HERE}/compactions?budget=60000")
    refused = page.client.post(f"{HERE}/mark", data={**fields, "what": "drop", "first": "9", "last": "100000"}, headers={"origin": ORIGIN})
    assert refused.status_code == 400


def test_a_rule_is_ended_and_taken_back(page: Page) -> None:
    text = page.get(HERE)
    fields = form_fields(text, 'value="rule"')
    assert RULE in fields["was"]
    after = page.post(f"{HERE}/correct", **fields, how="end")

    assert "Corrected by you" in after
    assert RULE not in after.partition("Corrected by you")[0].partition("Constraints, in the user")[2]
    assert f'href="{HERE}/lines?at=2#L2"' in after.partition("Corrected by you")[2]
    back = page.post(f"{HERE}/correct", **form_fields(after, "Take back"))
    assert RULE in back.partition("Constraints, in the user")[2]
    assert "Corrected by you" not in back


def test_a_claim_has_other_words_and_again_others(page: Page) -> None:
    fields = form_fields(page.get(HERE), 'value="rule"')
    page.post(f"{HERE}/correct", **fields, how="reword", now="Ties go by name.")
    again = form_fields(page.get(HERE), "Ties go by name.")
    after = page.post(f"{HERE}/correct", **again, how="reword", now="Ties go by path.")

    assert again["was"] == fields["was"]
    assert "Ties go by path." in after
    assert "Ties go by name." not in after
    assert 'Corrected by you <span class="count">1<' in after


def test_a_check_that_is_not_so_is_no_claim(page: Page) -> None:
    text = page.get(HERE)
    before = text.count('value="check"')
    after = page.post(f"{HERE}/correct", **form_fields(text, 'value="check"'), how="end")

    assert after.count('value="check"') == before - 1


def test_nothing_is_marked_by_get_or_from_elsewhere(page: Page) -> None:
    fields = form_fields(page.get(HERE), 'value="rule"')
    for path in (f"{HERE}/correct", f"{HERE}/mark"):
        assert page.client.get(path, params={**fields, "how": "end"}).status_code in (404, 405)
        assert page.client.post(path, data={**fields, "how": "end"}, headers={"origin": "https://site.example"}).status_code == 403
        assert page.client.post(path, data={**fields, "how": "end"}).status_code == 403
        assert page.stranger().post(path, data={**fields, "how": "end"}, headers={"origin": ORIGIN}).status_code == 401
    for wrong in (
        {**fields, "how": "no"},
        {**fields, "part": "x", "how": "end"},
        {**fields, "uuid": "", "how": "end"},
        {"undo": "zzzzzzzz"},
    ):
        assert page.client.post(f"{HERE}/correct", data=wrong, headers={"origin": ORIGIN}).status_code in (400, 404)
    assert page.context.get_engine().store.roots() == []
    assert "Corrected by you" not in page.get(HERE)


def test_hostile_words_of_a_correction_are_shown_and_obeyed_nowhere(page: Page) -> None:
    session = "33333333-2222-4333-8444-555555555555"
    page.add_transcript(session, hostile_transcript(session))
    here = f"/sessions/{session}"
    fields = form_fields(page.get(here), 'value="request"')
    page.post(f"{here}/correct", **fields, how="reword", now="</textarea><script>alert(1)</script>\u202e")
    pin = form_fields(page.get(f"{here}/compactions"), 'value="pin"')
    page.post(f"{here}/mark", **pin, what="pin")

    for text in (page.get(here), page.get(f"{here}/compactions")):
        assert "<script>alert" not in text
        assert "\u202e" not in text
    assert "Corrected by you" in page.get(here)
    assert page.problems == []


def test_the_sample_is_marked_under_its_own_session(page: Page) -> None:
    assert TIES.is_file()
    text = page.get("/sessions/sample")
    after = page.post("/sessions/sample/correct", **form_fields(text, 'value="rule"'), how="end")

    assert "Corrected by you" in after
