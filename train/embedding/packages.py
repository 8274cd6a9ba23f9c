"""Packages: fetch a pinned package through its registry's ordinary client, say its licence, list its files.

Four stores: `pypi` (a wheel through pip), `npm` (a package through npm pack), `debian` (a source package through apt-get,
with lists of sources kept in the work folder, so that the machine's own configuration stays as it is), `deb` (a binary package
of a language whose packages are source, through apt-get). A licence is read from the package itself; of Debian's source packages
file by file, of binary ones as a whole.
"""

from __future__ import annotations

import fnmatch
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

# Names of licences as packages write them, in lower case, and what they are.
_PERMISSIVE = (
    (re.compile(r"(the )?(mit|expat)\b"), "MIT"),
    (re.compile(r"(the )?(modified |new |simplified |revised |[23][- ]clause )?0?bsd(?!.*(4|patent|protection|original|advert))"), "BSD"),
    (re.compile(r"(the )?(apache([- ]?(software )?license)?|asl)([,v -]*(version )?2(\.0)?|$)"), "Apache-2.0"),
)
_CLASSIFIERS = {"mit license": "MIT", "bsd license": "BSD", "apache software license": "Apache-2.0"}
_TEXTS = (
    (re.compile(r"Apache License\s+Version 2\.0", re.IGNORECASE), "Apache-2.0"),
    (re.compile(r"Permission is hereby granted, free of charge", re.IGNORECASE), "MIT"),
    (re.compile(r"Redistribution and use in source and binary forms", re.IGNORECASE), "BSD"),
)
_COPYLEFT = re.compile(r"GENERAL PUBLIC LICENSE|Mozilla Public License|Eclipse Public License", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned package: its store, name and version, its licence, and its side of the split."""

    store: str
    name: str
    version: str
    licence: str
    split: str


def permissive(written: str) -> str:
    """The licence that a text such as `MIT OR GPL-2` lets one choose, among MIT, BSD and Apache-2.0; "" if none."""
    written = written.strip().strip("()").lower()
    for choice in re.split(r"\s+or\s+|\s*\|\|?\s*|\s*/\s*(?=apache|mit)", written):
        parts = [part.strip(" ()") for part in re.split(r"\s+and\s+|,\s*", choice) if part.strip(" ()")]
        named = [next((name for pattern, name in _PERMISSIVE if pattern.match(part)), "") for part in parts]
        if named and all(named):
            return "+".join(sorted(set(named)))
    return ""


def fetch(source: Source, work: Path) -> Path:
    """The folder that holds the package's archives; fetched at most once. Raises CalledProcessError if the client fails."""
    folder = work / "packages" / source.store / source.name.replace("/", "+")
    if any(folder.glob("*")):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    pinned = f"{source.name}{'==' if source.store == 'pypi' else '@' if source.store == 'npm' else '='}{source.version}"
    wanted = pinned if source.version else source.name
    if source.store == "pypi":
        options = ("-q", "--no-deps", "--only-binary", ":all:", "--python-version", "3.11", "-d", str(folder))
        run(sys.executable, "-m", "pip", "download", *options, wanted)
    elif source.store == "npm":
        run("npm", "pack", "-s", "--pack-destination", str(folder), wanted)
    elif source.store == "deb":
        run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", wanted, cwd=folder)
    else:
        run("apt-get", *_apt(work), "-qq", "source", "--download-only", wanted, cwd=folder)
    return folder


def _apt(work: Path) -> tuple[str, ...]:
    """Options that give apt-get lists of sources of its own, fetched once."""
    home = (work / "apt").absolute()
    parts, lists = home / "parts", home / "lists"
    options = (f"Dir::Etc::SourceParts={parts}", "Dir::Etc::SourceList=/dev/null", f"Dir::State::Lists={lists}", "APT::Sandbox::User=root")
    words = tuple(word for option in options for word in ("-o", option))
    if not parts.exists():
        parts.mkdir(parents=True)
        (lists / "partial").mkdir(parents=True)
        text = Path("/etc/apt/sources.list.d/debian.sources").read_text(encoding="utf-8")
        (parts / "debian.sources").write_text(re.sub(r"^Types: deb$", "Types: deb-src", text, flags=re.MULTILINE), encoding="utf-8")
        run("apt-get", *words, "-qq", "update")
    return words


def version_of(store: str, folder: Path) -> str:
    """The version of what lies in a package's folder."""
    if store == "pypi":
        return next(folder.glob("*.whl")).name.split("-")[1]
    if store == "npm":
        return str(_manifest(folder)["version"])
    if store == "deb":
        return run("dpkg-deb", "--field", str(next(folder.glob("*.deb"))), "Version").decode().strip()
    text = next(folder.glob("*.dsc")).read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^Version: (\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def licence_of(store: str, folder: Path) -> str:
    """MIT, BSD, Apache-2.0, a sum of them, or "" for every other licence and where none can be told."""
    if store == "pypi":
        return _wheel_licence(next(folder.glob("*.whl")))
    if store == "npm":
        written = _manifest(folder).get("license", "")
        return permissive(str(written["type"] if isinstance(written, dict) and "type" in written else written))
    if store == "deb":
        named = {licence for glob, licence in _rules(_copyright_in(folder)) if not glob.startswith("debian/")}
        return "" if "" in named else "+".join(sorted({one for licence in named for one in licence.split("+")}))
    return dict(_debian_rules(folder)).get("*", "")


def files(store: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every file under a permissive licence, by path."""
    if store == "pypi":
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            for name in sorted(name for name in wheel.namelist() if not name.endswith("/")):
                yield name, wheel.read(name)
        return
    if store == "deb":
        data = run("dpkg-deb", "--fsys-tarfile", str(next(folder.glob("*.deb"))))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in sorted(tar.getmembers(), key=lambda member: member.name):
                stream = tar.extractfile(member) if member.isfile() and member.size <= FILE_BYTES_MAX else None
                if stream is not None and not member.name.startswith("./usr/share/doc/"):
                    yield _SHELF.sub("", member.name.removeprefix("./")), stream.read()
        return
    rules = _debian_rules(folder) if store == "debian" else []
    archives = sorted(folder.glob("*.tgz")) if store == "npm" else sorted(folder.glob("*.orig*.tar.*")) or sorted(folder.glob("*.tar.*"))
    for archive in archives:
        if archive.suffix == ".asc":
            continue
        with tarfile.open(archive) as tar:
            found = {member.name.partition("/")[2]: member for member in tar.getmembers() if member.isfile()}
            # Compressed tars are read from front to back: one pass, then in order of path.
            data = {}
            for name, member in sorted(found.items(), key=lambda item: item[1].offset):
                stream = tar.extractfile(member) if member.size <= FILE_BYTES_MAX else None
                if stream is not None:
                    data[name] = stream.read()
        for name in sorted(data):
            if store == "npm" or next((kind for glob, kind in reversed(rules) if fnmatch.fnmatchcase(name, glob)), ""):
                yield name, data[name]


FILE_BYTES_MAX = 400_000  # larger ones are generated
# Where Debian puts the sources of a language's packages; what follows is the path within the package.
_SHELF = re.compile(
    r"^usr/(share|lib)/(gocode/src|cargo/registry|go-[\d.]+/src|ruby/vendor_ruby|rubygems-integration/[^/]+/gems|php|rustc-src|ruby/gems/[^/]+/gems)/"
)


def _manifest(folder: Path) -> dict[str, object]:
    with tarfile.open(next(folder.glob("*.tgz"))) as tar:
        name = min((name for name in tar.getnames() if name.endswith("/package.json")), key=lambda name: (name.count("/"), name))
        stream = tar.extractfile(name)
        return json.load(stream) if stream else {}


def _wheel_licence(path: Path) -> str:
    with zipfile.ZipFile(path) as wheel:
        meta = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        head = HeaderParser().parsestr(wheel.read(meta).decode("utf-8", "replace"))
        if head["License-Expression"]:
            return permissive(head["License-Expression"])
        classes = [one.split("::")[-1].strip().lower() for one in head.get_all("Classifier", []) if one.startswith("License ::")]
        classes = [one for one in classes if one != "osi approved"]
        if classes:
            named = [_CLASSIFIERS.get(one, "") for one in classes]
            return "+".join(sorted(set(named))) if all(named) else ""
        written = head["License"] or ""
        if permissive(written):
            return permissive(written)
        texts = [wheel.read(name).decode("utf-8", "replace") for name in wheel.namelist() if re.search(r"dist-info/.*LICEN[CS]E", name)]
        texts.append(written)
        if any(_COPYLEFT.search(text) for text in texts):
            return ""
        return "+".join(sorted({name for text in texts for pattern, name in _TEXTS if pattern.search(text)}))


def _debian_rules(folder: Path) -> list[tuple[str, str]]:
    """(glob, licence) in the order of `debian/copyright`; the last that matches a file decides. Empty where it is not in form."""
    text = ""
    for archive in [*folder.glob("*.debian.tar.*"), *folder.glob("*.tar.*")]:
        if archive.suffix == ".asc":
            continue
        with tarfile.open(archive) as tar:
            name = next((name for name in tar.getnames() if name.endswith("debian/copyright")), None)
            stream = tar.extractfile(name) if name else None
            if stream is not None:
                text = stream.read().decode("utf-8", "replace")
                break
    return _rules(text)


def _copyright_in(folder: Path) -> str:
    """The text of the copyright file in a binary package."""
    data = run("dpkg-deb", "--fsys-tarfile", str(next(folder.glob("*.deb"))))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        name = next((name for name in tar.getnames() if name.endswith("/copyright")), None)
        stream = tar.extractfile(name) if name and tar.getmember(name).isfile() else None
        return stream.read().decode("utf-8", "replace") if stream else ""


def _rules(text: str) -> list[tuple[str, str]]:
    """The rules of a copyright file; none where it is not in Debian's form."""
    rules: list[tuple[str, str]] = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Files|License):[ \t]*((?:.*)(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
        if "Files" in fields:
            licence = permissive(fields.get("License", "").split("\n")[0])
            rules.extend((glob.removeprefix("./"), licence) for glob in fields["Files"].split())
    return rules


def run(*command: str, cwd: Path | None = None) -> bytes:
    """Standard output of a command that must succeed."""
    return subprocess.run(command, check=True, capture_output=True, cwd=cwd).stdout
