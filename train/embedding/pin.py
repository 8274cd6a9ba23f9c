"""Pin: write `sources.toml` from lists of names: the newest version that the client gives, and the licence found in it.

Reads lines `store name`, or `store name held-out`. A package with another licence, or of a project on which clew's retrieval is
measured, is left out and named. Versions that stand in `sources.toml` already are kept.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import packages

HERE = Path(__file__).parent
# The projects of the localization benchmark, and what belongs to them.
MEASURED = re.compile(
    r"astropy|matplotlib|requests|pylint|astroid|pytest|sympy|modin|dask|distributed|docling|keras|yt-?dlp|pypdf|\btrl\b|diffusers|transformers|"
    r"\bruff|fluentd|(^|-)fmt(lib)?$|gson|immutable|^jq$|^nushell|^nu-|prometheus|rubocop|^bat$|tokio|django|flask|werkzeug|jinja|^click$|xarray|"
    r"scikit|sklearn|seaborn|sphinx|^gh$|cli-cli|tracing|ansible|material-ui|^@mui|openlibrary|jackson|rayon|dayjs|clap|^rust-(axum|hyper)"
)  # fmt: skip


def main() -> None:
    """Fetch what is named and write the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--names", type=Path, required=True)
    parser.add_argument("--offline", action="store_true", help="pass over what does not lie in the work folder yet")
    options = parser.parse_args()
    path = HERE / "sources.toml"
    known = {(row["store"], row["name"]): row for row in tomllib.loads(path.read_text(encoding="utf-8"))["source"]} if path.exists() else {}
    for line in options.names.read_text(encoding="utf-8").splitlines():
        store, name, *rest = line.split()
        split = "held-out" if rest else "train"
        if (store, name) in known:
            known[store, name]["split"] = split
            continue
        folder = options.work / "packages" / store / name.replace("/", "+")
        if MEASURED.search(name):
            print(f"left out, measured: {store} {name}")
            continue
        if options.offline and not any(folder.glob("*")):
            continue
        try:
            folder = packages.fetch(packages.Source(store, name, "", "", split), options.work)
            licence = packages.licence_of(store, folder)
        except (subprocess.CalledProcessError, StopIteration, ValueError) as problem:
            print(f"left out, {type(problem).__name__}: {store} {name}")
            continue
        if licence:
            row = {"store": store, "name": name, "version": packages.version_of(store, folder), "licence": licence, "split": split}
            known[store, name] = row
        else:
            print(f"left out, licence: {store} {name}", flush=True)
    rows = sorted(known.values(), key=lambda row: (row["store"], row["name"]))
    head = "# What the embedding is trained and measured on. `split` is by project: what is held out is never trained on.\n"
    head += "# pypi: a wheel; npm: a package; debian: a source package. Written by pin.py; licences are read from the packages.\n"
    body = "".join("\n[[source]]\n" + "".join(f'{key} = "{value}"\n' for key, value in row.items()) for row in rows)
    path.write_text(head + body, encoding="utf-8")
    sys.stdout.write(f"{len(rows)} packages\n")


if __name__ == "__main__":
    main()
