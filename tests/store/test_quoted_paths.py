"""Which file a written path means, whoever wrote it and wherever it was written."""

from __future__ import annotations

import pytest

from clew.store.quoted_paths import find_file, find_files

FILES = ("a.py", "src/a.py", "lib/src/a.py", "src/b.py", "backend/jobs/run.py", "web/[id]/page.tsx", "release notes.md")
BASENAMES = {
    name: sorted(path for path in FILES if path.rpartition("/")[2] == name) for name in {path.rpartition("/")[2] for path in FILES}
}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/Users/ada/shop/src/a.py", "src/a.py"),
        ("C:\\shop\\lib\\src\\a.py", "lib/src/a.py"),
        ("b.py", "src/b.py"),
        ("a/src/b.py", "src/b.py"),
        ("file:///srv/web/[id]/page.tsx", "web/[id]/page.tsx"),
        ("/usr/lib/python3/site-packages/src/b.py", "src/b.py"),
        ("release notes.md", "release notes.md"),
    ],
)
def test_a_path_of_another_machine_is_found_by_its_end(written: str, meant: str) -> None:
    assert find_file(BASENAMES, written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "/elsewhere/c.py", "/opt/other/b.py", "/app/jobs/run.py", "node_modules/pkg/b.py", "/go/pkg/mod/x.org/y@v1/src/b.py",
        "/usr/lib/python3.12/b.py", "",
    ],
)  # fmt: skip
def test_a_file_of_another_place_that_is_called_the_same_is_not_meant(written: str) -> None:
    assert find_files(BASENAMES, written) == ()


def test_of_several_files_none_is_the_one_and_what_the_index_lacks_is_asked_for() -> None:
    assert find_file({"x.py": ["p/x.py", "q/x.py"]}, "x.py") == ""
    assert find_file(BASENAMES, "/home/ada/shop/assets/logo.svg", lambda path: path == "assets/logo.svg") == "assets/logo.svg"
