"""Measure the SQLite store on made-up data of a real shape, and print one row per figure.

    PYTHONPATH=src python tests/store/measure.py [--files 1600] [--records 36] [--bytes 16000] [--batch 50]

The defaults are the shape of a large Python repository: 1,600 files, about 58,000 records, 25 MB of
originals. Content is drawn from random words with a fixed seed, so that packing and joining have real work.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

from clew.records import Blob, Delta, Layer, Record, RecordText, Resolution, SourceState, make_id
from clew.store.originals import digest_of
from clew.store.sqlite import SqliteStore
from clew.text.postings import NameUse, SearchDocument, pack_postings

COLD = """
import sys
from pathlib import Path
from time import perf_counter as now
began = now()
from clew.store.sqlite import SqliteStore
imported, ids = now(), sys.argv[2].split()
store = SqliteStore(Path(sys.argv[1]))
marks = [("import", imported - began), ("open", now() - imported)]
for title, ask in (
    ("first 200 records", lambda: look(store, "w").records(ids)),
    ("index", lambda: look(store, "w").documents),
    ("200 records", lambda: look(store, "w").records(ids)),
    ("200 standings", lambda: look(store, "w").statuses(ids)),
    ("unusual", lambda: look(store, "w").stale_or_cold()),
    ("edges of 200", lambda: look(store, "w").edges(ids)),
    ("workspaces", lambda: store.workspaces()),
):
    began = now()
    ask()
    marks.append((title, now() - began))
print("cold process, ms:", ", ".join(f"{title} {seconds * 1e3:.1f}" for title, seconds in marks), f"({store.index_origin('w')})")
"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make_delta(rng: random.Random, words: Sequence[str], at: int, records: int, size: int) -> Delta:
    """One file: `records` symbols, each a span of the file's bytes, with a name, a signature and a folded text."""
    path = f"package{at % 40}/module{at}.py"
    source = f"file:{path}"
    bodies = ["\n".join("    " + " ".join(rng.choices(words, k=6)) for _ in range(size // records // 50)) for _ in range(records)]
    chunks = [f"def {rng.choice(words)}{number}(self):\n{body}" for number, body in enumerate(bodies)]
    data = "\n".join(chunks).encode()
    digest = digest_of(data)
    found: list[Record] = []
    documents: list[SearchDocument] = []
    start = line = 0
    for number, chunk in enumerate(chunks):
        signature = chunk.partition("\n")[0]
        name = f"Class{number % 5}.{signature[4:].partition('(')[0]}"
        subject = f"symbol:{path}::{name}"
        end, lines = start + len(chunk), chunk.count("\n") + 1
        texts = (
            RecordText(Resolution.NAME, len(name), name),
            RecordText(Resolution.SIGNATURE, len(signature), signature),
            RecordText(Resolution.FOLDED, len(signature) + 20, f"{signature}\n    … {lines} lines"),
            RecordText(Resolution.FULL, end - start, "", digest, start, end, line + 1, line + lines),
        )
        record_id = make_id(subject, chunk)
        found.append(Record(record_id, Layer.FACT, "method", subject, source, digest, name, texts, seq=line, path=path, language="python"))
        uses = tuple((rng.choice(words), NameUse.CALL, 1, 0) for _ in range(8))
        documents.append(SearchDocument(record_id, "fact", "method", path, (name, path, signature, "", chunk), (name, subject), uses))
        start, line = end + 1, line + lines
    state = SourceState(source, digest, len(data), 1_700_000_000_000_000_000 + at)
    return Delta("measure/1", source, True, tuple(found), blobs=(Blob(digest, data),), segment=pack_postings(documents), state=state)


def measure_apply(store: SqliteStore, title: str, deltas: Sequence[Delta], batch: int) -> None:
    """Apply the deltas, `batch` a call, and print what that took."""
    records, size = sum(len(delta.records) for delta in deltas), sum(len(blob.data) for delta in deltas for blob in delta.blobs)
    began, cpu = perf_counter(), process_time()
    for at in range(0, len(deltas), batch):
        store.apply("w", deltas[at : at + batch])
    wall, cpu = perf_counter() - began, process_time() - cpu
    rates = f"{1e6 * cpu / records:5.1f} µs cpu a record, {size / 1e6 / wall:5.1f} MB/s of originals"
    say(f"{title:24} {batch:3} a call: {wall:5.2f} s, {cpu:5.2f} s cpu; {rates}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("files", 1600), ("records", 36), ("bytes", 16000), ("batch", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(3, 12))) for _ in range(20000)]
    deltas = [make_delta(rng, words, at, arguments.records, arguments.bytes) for at in range(arguments.files)]
    records, size = sum(len(delta.records) for delta in deltas), sum(len(blob.data) for delta in deltas for blob in delta.blobs)
    segments = sum(len(delta.segment) for delta in deltas)
    say(f"{len(deltas)} deltas, {records} records, {size / 1e6:.1f} MB of originals, {segments / 1e6:.1f} MB of segments")
    with tempfile.TemporaryDirectory(prefix="clew-measure-") as folder:
        path = Path(folder) / "clew.db"
        store = SqliteStore(path)
        store.open_workspace("w", "/w")
        measure_apply(store, "apply, all new", deltas, arguments.batch)
        measure_apply(store, "apply, nothing changed", deltas, arguments.batch)
        measure_apply(store, "apply, nothing changed", deltas[:200], 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(f"database {path.stat().st_size / 1e6:.1f} MB, peak memory {peak:.0f} MiB, the deltas themselves included")
        began = perf_counter()
        refreshed = store.refresh("w")
        snapshot = sum(file.stat().st_size for file in path.parent.glob("*.snapshots/*"))
        say(f"refresh: {perf_counter() - began:.2f} s for a snapshot of {snapshot / 1e6:.1f} MB ({refreshed})")
        store.close()
        ids = [record.id for delta in deltas[::8] for record in delta.records]
        rng.shuffle(ids)
        for _ in range(3):
            subprocess.run([sys.executable, "-c", COLD, str(path), " ".join(ids[:200])], check=True)


if __name__ == "__main__":
    main()
