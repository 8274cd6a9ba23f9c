"""Bill: what sessions were billed, what they would have cost with clew, and what the client's own compactions took; losses as losses."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from starlette.responses import Response

from clew.adapters.page.actions import Report
from clew.adapters.page.sessions import FoundSession
from clew.adapters.page.views.evaluation import LIMITS_OFFERED, find_places, read_limit
from clew.adapters.page.views.places import list_roots
from clew.adapters.page.views.view import Form, Query, Viewer, page, turn_to
from clew.errors import UsageError
from clew.evaluation.billing import ARMS, BillReport, SessionBill, build_bill_report, price_quietly, price_session
from clew.evaluation.evaluate import find_main_transcripts, select_newest
from clew.evaluation.repricing import BOTH
from clew.transcript.pricing import ANTHROPIC_PRICES

KIND = "bill"
ROWS = 30
PACKETS_MAX = 500
READ_BYTES_MAX = 1_000_000  # a longer transcript takes half a second or more of a core: it is priced in a process of its own
_KEPT_MAX = 32
_kept: OrderedDict[tuple[object, ...], SessionBill | None] = OrderedDict()
_lock = threading.Lock()


def price_all(paths: tuple[Path, ...], report: Report) -> BillReport:
    """Price every session, and tell how many are done."""
    found: list[SessionBill | str | None] = []
    report(0, len(paths))
    for path in paths:
        found.append(price_quietly(path))
        report(len(found), len(paths))
    return build_bill_report(found)


def show_bill(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the bills of many sessions as they were last priced, and the form that prices them anew."""
    asked = query.get("run")
    action = viewer.actions.find(asked) if asked else viewer.actions.find_latest(KIND)
    shown = action if action is None or action.result is not None else viewer.actions.find_latest(KIND, is_done=True)
    report = shown.result if shown is not None and isinstance(shown.result, BillReport) else None
    order = sorted(report.bills, key=lambda bill: (bill.compare(BOTH), bill.session), reverse=True) if report else []
    return page(
        "bill.html", "/bill", "Bill",
        action=action, shown=shown, is_gone=bool(asked) and action is None, report=report, rows=turn_to(order, query, ROWS), arms=ARMS,
        both=BOTH, roots=list_roots(viewer), limits=LIMITS_OFFERED, prices=ANTHROPIC_PRICES,
    )  # fmt: skip


def start_bill(viewer: Viewer, _: Query, form: Form) -> str:
    """Start to price a repository's sessions, one session or all, and return the address of the progress."""
    paths, title = find_places(viewer, form)
    mains, problems = find_main_transcripts(paths)
    newest = select_newest(mains, read_limit(form))
    if not newest:
        raise UsageError(
            f"{problems[0] if problems else 'there is no transcript to price'}\nhint: choose the sessions of another repository"
        )
    key = f"{form.get('w')}\n{form.get('session')}\n{len(newest)}"
    return viewer.actions.start(KIND, key, price_all, tuple(newest), title=f"Pricing {title}", address="/bill").address


def show_session_bill(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show what one session was billed, and what it would have cost otherwise."""
    found = viewer.catalogue.find(query.path["session"])
    is_long = found.row.file is not None and found.row.bytes > READ_BYTES_MAX
    live = next((each for each in viewer.live.list_recent() if each.id == found.row.id), None)
    packets, _total = viewer.engine.list_packets(found.path, found.row.id, first=0, count=PACKETS_MAX)
    given = [each.packet.tokens for each in packets if each.packet.is_shown and each.packet.entries]
    return page(
        "session_bill.html", "/", "Bill",
        session=found.row, head=viewer.catalogue.read_head(found.row), tab="bill", is_long=is_long, is_gone=found.row.file is None,
        bill=None if is_long or found.row.file is None else _price(viewer, found), arms=ARMS, prices=ANTHROPIC_PRICES,
        added=sum(given), additions=len(given), shortened=live.reduced if live else 0, saved=live.saved_tokens if live else 0,
    )  # fmt: skip


def _price(viewer: Viewer, found: FoundSession) -> SessionBill | None:
    """The bill of a session, made once for each state of its transcript."""
    key = viewer.catalogue.stamp(found)
    with _lock:
        if key in _kept:
            return _kept[key]
    made = price_session(found.row.file) if found.row.file else None
    with _lock:
        _kept[key] = made
        while len(_kept) > _KEPT_MAX:
            _kept.popitem(last=False)
    return made
