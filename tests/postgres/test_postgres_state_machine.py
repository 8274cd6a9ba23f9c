"""Whatever is done to it, and however often it is closed in between, the PostgreSQL store answers as the one in memory does."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from clew.store.ports import Writer
from tests.postgres.server import make_opener, needs_postgres, new_tenant
from tests.store.test_state_machine import Stores


class ServerStores(Stores):
    def __init__(self) -> None:
        self.tenant = new_tenant()
        super().__init__()

    def open(self) -> Writer:
        return make_opener(self.folder, self.tenant)()


ServerStores.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
test_postgres_answers_as_memory_does = needs_postgres(ServerStores.TestCase)
