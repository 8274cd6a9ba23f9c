"""Actions: cancel what runs in a process of its own."""

from __future__ import annotations

from clew.adapters.page.sessions import NotFound
from clew.adapters.page.views.view import Form, Query, Viewer


def cancel(viewer: Viewer, query: Query, _: Form) -> str:
    """Cancel a long action, and return the address of the view that shows it."""
    action = viewer.actions.cancel(query.path["action"])
    if action is None:
        raise NotFound("there is no such action any more")
    return action.address
