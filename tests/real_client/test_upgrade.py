"""An upgrade with the real client: a session that runs goes on, the next one has the new release, and all of it can be taken back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from tests.real_client.client import Place
from tests.real_client.scripted_api import ScriptedAPI
from tests.upgrades.homes import archives, unpack

pytestmark = pytest.mark.real_client
MINE = b'{"theme": "dark",\n   "cleanupPeriodDays":7}'


@pytest.fixture(params=archives(), ids=lambda path: path.name.partition(".")[0])
def code(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The clew of an earlier commit."""
    with tempfile.TemporaryDirectory(prefix="clew-up-", dir="/tmp") as folder:
        yield unpack(request.param, Path(folder)).code


def test_a_session_goes_on_over_an_upgrade_and_the_next_has_the_new_release(place: Place, code: Path) -> None:
    settings = place.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(MINE)
    old = str(code)
    place.clew("init", PYTHONPATH=old)
    with ScriptedAPI(["One.", "Two.", "Three."]) as api:
        with place.session(url=api.url) as session:
            assert session.ask("first")["subtype"] == "success"
            place.clew("init")
            assert session.ask("second")["subtype"] == "success"
        assert session.process.returncode == 0
        assert place.claude("-p", "third", url=api.url).returncode == 0
    running = json.loads(place.clew("status", "--json").stdout)["running"]

    assert running["version"] == clew.__version__
    assert len({each["session"] for each in running["sessions"]} - {session.id}) == 1
    assert [each for each in json.loads(place.clew("doctor", "--json", check=False).stdout)["findings"] if each["is_wrong"]] == []
    place.clew("uninstall")
    assert settings.read_bytes() == MINE
    assert not list((place.home / ".claude").rglob("plugins/**/*clew*"))
