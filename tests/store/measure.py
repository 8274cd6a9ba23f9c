"""Measure the SQLite store on made-up data of a real shape, and print one row per figure.

    python tests/store/measure.py [--files 1600] [--records 36] [--bytes 16000] [--folder DIR]

The defaults are the shape of a large Python repository: 1,600 files, about 58,000 records, 25 MB of
originals. Content is drawn from words with a fixed seed, so that zstd and the postings have real work.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from clew.records import Blob, Delta, Layer, Record, Resolution, SourceState, Text, identify
from clew.store.originals import digest_of
from clew.store.sqlite import SqliteStore
from clew.text.postings import Document, Use, pack


def make_delta(rng: random.Random, words: list[str], at: int, records: int, size: int) -> Delta:
    """One file: `records` symbols, each a span of the file's bytes, with a name, a signature and a folded text."""
    path, source = f"package{at % 40}/module{at}.py", f"file:package{at % 40}/module{at}.py"
    chunks = [
        "def "
        + rng.choice(words)
        + "(self):\n"
        + "\n".join("    " + " ".join(rng.choices(words, k=6)) for _ in range(size // records // 50))
        for _ in range(records)
    ]
    data = "\n".join(chunks).encode()
    digest = digest_of(data)
    found: list[Record] = []
    documents: list[Document] = []
    start = line = 0
    for number, chunk in enumerate(chunks):
        name = f"Class{number % 5}.{chunk[4 : chunk.index('(')]}{number}"
        subject = f"symbol:{path}::{name}"
        end, lines = start + len(chunk.encode()), chunk.count("\n") + 1
        signature = chunk.partition("\n")[0]
        texts = (
            Text(Resolution.NAME, len(name), name),
            Text(Resolution.SIGNATURE, len(signature), signature),
            Text(Resolution.FOLDED, len(signature) + 20, f"{signature}\n    … {lines} lines"),
            Text(Resolution.FULL, end - start, blob=digest, start=start, end=end, start_line=line + 1, end_line=line + lines),
        )
        record_id = identify(subject, chunk)
        found.append(Record(record_id, Layer.FACT, "method", subject, source, digest, name, texts, seq=line, path=path, language="python"))
        uses = tuple((rng.choice(words), Use.CALL, 1) for _ in range(8))
        documents.append(Document(record_id, "fact", "method", path, (name, path, signature, "", chunk), (name, subject), uses))
        start, line = end + 1, line + lines
    state = SourceState(source, digest, len(data), 1_700_000_000_000_000_000 + at)
    return Delta("measure/1", source, True, tuple(found), blobs=(Blob(digest, data),), segment=pack(documents), state=state)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1600)
    parser.add_argument("--records", type=int, default=36)
    parser.add_argument("--bytes", type=int, default=16000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    folder: Path = arguments.folder or Path(tempfile.mkdtemp(prefix="clew-measure-"))
    path = folder / "clew.db"
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(3, 12))) for _ in range(20000)]
    deltas = [make_delta(rng, words, at, arguments.records, arguments.bytes) for at in range(arguments.files)]
    records, size = sum(len(delta.records) for delta in deltas), sum(len(blob.data) for delta in deltas for blob in delta.blobs)
    print(
        f"{len(deltas)} deltas, {records} records, {size / 1e6:.1f} MB of originals, {sum(len(d.segment) for d in deltas) / 1e6:.1f} MB of segments"
    )
    store = SqliteStore(path)
    store.open_workspace("measure", "/measure")
    for title, batch in (("apply, all new", arguments.batch), ("apply, nothing changed", arguments.batch), ("apply, one at a time", 1)):
        chosen = deltas if batch > 1 else deltas[:200]
        began, cpu = perf_counter(), process_time()
        for at in range(0, len(chosen), batch):
            store.apply("measure", chosen[at : at + batch])
        wall, cpu, held = perf_counter() - began, process_time() - cpu, sum(len(delta.records) for delta in chosen)
        amount = sum(len(blob.data) for delta in chosen for blob in delta.blobs)
        print(
            f"{title:28} {batch:4} a call  {wall:6.2f} s wall {cpu:6.2f} s cpu  {1e6 * cpu / held:6.1f} µs/record {amount / 1e6 / wall:6.1f} MB/s"
        )
    print(f"database {path.stat().st_size / 1e6:.1f} MB, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    began = perf_counter()
    refreshed = store.refresh("measure")
    print(
        f"refresh {perf_counter() - began:.2f} s {refreshed}; snapshot {sum(f.stat().st_size for f in path.parent.glob('*.snapshots/*')) / 1e6:.1f} MB"
    )
    ids = [record.id for delta in deltas[::8] for record in delta.records][:200]
    store.close()
    probe = (
        "import sys; from time import perf_counter as t; from pathlib import Path; a = t(); from clew.store.sqlite import SqliteStore; b = t();"
        "s = SqliteStore(Path(sys.argv[1])); ids = sys.argv[2].split(); c = t(); s.records('measure', ids); d = t(); i = s.index('measure'); e = t();"
        "s.records('measure', ids); f = t(); s.unusual('measure'); s.standings('measure', ids); g = t(); s.workspaces(); h = t();"
        "print(f'import {1e3*(b-a):.0f} ms, open {1e3*(c-b):.1f} ms, first 200 records {1e3*(d-c):.1f} ms, index {1e3*(e-d):.1f} ms '"
        "f'({s.index_origin(\"measure\")}), 200 records again {1e3*(f-e):.1f} ms, unusual + 200 standings {1e3*(g-f):.1f} ms, workspaces {1e3*(h-g):.1f} ms')"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", probe, str(path), " ".join(ids)], check=True)
    if arguments.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
