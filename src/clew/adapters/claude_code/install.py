"""Install: connect Claude Code to clew, and take that back byte for byte.

The client's files are written in the form in which its own `plugin install` writes them (checked with 2.1.197 and 2.1.330), because
its command also rewrites files that are no concern of ours. Before a file is first touched, its bytes are kept in
`installed.json` in the data folder; `uninstall` puts them back. Where somebody else has changed the file meanwhile, only what is
ours is taken out of it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec

import clew
from clew.adapters.claude_code import plugin_files
from clew.adapters.http import certificate
from clew.adapters.places import Address, Places, address
from clew.errors import ClewError, NotReadable, UsageError

SCOPES = ("user", "project", "local")
MANIFEST = "installed.json"


class NotOurs(ClewError):
    """A file of the client cannot be understood, so it is not touched."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(f"{path}: {found}, so nothing was changed\nhint: mend the file, then call `clew init` again")


class Touched(msgspec.Struct):
    """A file of the client before we touched it, and what we left there. `before` is base64, None where there was no file."""

    path: str
    before: str | None
    mode: int
    after: str
    scope: str
    places: list[list[str]] = []


class Manifest(msgspec.Struct):
    """All that `init` did on this machine, newest form only. `folders` and `trees` were made by us."""

    touched: list[Touched] = []
    folders: list[str] = []
    trees: list[str] = []
    projects: list[str] = []
    version: str = ""


@dataclass(slots=True)
class Done:
    """What `init` or `uninstall` did: sentences, in order; and what a person should still know."""

    did: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Target:
    """Where the client is set up. `client` is its folder (`~/.claude`), `root` the repository."""

    client: Path
    root: Path
    scope: str

    @property
    def settings(self) -> Path:
        """The settings file of the scope."""
        return {
            "user": self.client / "settings.json",
            "project": self.root / ".claude" / "settings.json",
            "local": self.root / ".claude" / "settings.local.json",
        }[self.scope]

    @property
    def own(self) -> Path:
        """The settings file for what names this machine: never the one that a team shares."""
        return self.root / ".claude" / "settings.local.json" if self.scope == "project" else self.settings


class Installer:
    """One call of `init` or `uninstall`. With `is_dry` nothing is written."""

    def __init__(self, places: Places, *, is_dry: bool = False) -> None:
        self.places, self.is_dry = places, is_dry
        self.done = Done()
        self.manifest = manifest(places)

    # -- init ---------------------------------------------------------------------------------------

    def install(
        self, target: Target, *, with_statusline: bool, with_gateway: bool, base_url: str = "", extra_certificates: str = "",
        has_mods: bool = False,
    ) -> Done:  # fmt: skip
        """Set the client up. Every file is read and understood before the first is written.

        base_url  whom the client asks now, by its environment; "" for its default.
        extra_certificates  the file of those that the client trusts now, by its environment; "" for none.
        has_mods  the client runs mods, and then loads fewer hooks.
        Raises NotOurs, NotReadable, UsageError.
        """
        if with_gateway and target.scope == "project":
            raise UsageError("--gateway names this machine and a token, and project settings are shared\nhint: use --scope local or user")
        edits = self._edits(
            target, with_statusline=with_statusline, with_gateway=with_gateway, base_url=base_url, others=extra_certificates
        )
        files = plugin_files.rendered(self.places, has_mods=has_mods) if not self.is_dry else {}
        cache = target.client / "plugins" / "cache" / plugin_files.NAME / plugin_files.NAME / clew.__version__
        if not self.is_dry:
            plugin_files.write(self.places, plugin_files.folder(self.places), files)
            self._make_folder(cache.parent.parent.parent)
            self._note_tree(cache.parent.parent)
            self._note_tree(target.client / "plugins" / "data" / f"{plugin_files.NAME}-{plugin_files.NAME}")  # which the client makes
            plugin_files.write(self.places, cache, plugin_files.of_plugin(files))
        self.done.did.append(f"wrote the plugin: {plugin_files.folder(self.places)}, and the client's copy {cache}")
        for path, (value, ours, what) in edits.items():
            self._write(path, value, target.scope, ours)
            self.done.did.append(f"{what}: {path}")
        if target.scope != "user" and str(target.root) not in self.manifest.projects:
            self.manifest.projects.append(str(target.root))
        self._keep()
        return self.done

    def _edits(
        self, target: Target, *, with_statusline: bool, with_gateway: bool, base_url: str, others: str
    ) -> dict[Path, tuple[dict[str, Any], list[list[str]], str]]:
        """The new contents of each file of the client, the places in them that are ours, and what that does."""
        values: dict[Path, dict[str, Any]] = {}
        ours: dict[Path, list[list[str]]] = {}
        what: dict[Path, list[str]] = {}

        def put(path: Path, place: list[str], value: object, does: str) -> None:
            at = values.setdefault(path, read_object(path))
            for name in place[:-1]:
                below = at.setdefault(name, {})
                if not isinstance(below, dict):
                    raise NotOurs(path, f"{'.'.join(place[:-1])} is no object")
                at = cast("dict[str, Any]", below)
            at[place[-1]] = value
            ours.setdefault(path, []).append(place)
            what.setdefault(path, []).append(does)

        plugins = target.client / "plugins"
        market = str(plugin_files.folder(self.places))
        source = {"source": "directory", "path": market}
        put(
            target.client / "settings.json",
            ["extraKnownMarketplaces", plugin_files.NAME],
            {"source": source},
            "declared where the plugin comes from",
        )
        put(
            plugins / "known_marketplaces.json", [plugin_files.NAME],
            {"source": source, "installLocation": market, "lastUpdated": _now()}, "told the client of it",
        )  # fmt: skip
        known = read_object(plugins / "installed_plugins.json")
        if known and known.get("version") != 2:
            raise NotOurs(plugins / "installed_plugins.json", f"is of version {known.get('version')!r}, and 2 is known")
        installed = self._installed(target, known)
        if not known:
            put(plugins / "installed_plugins.json", ["version"], 2, "")
        put(plugins / "installed_plugins.json", ["plugins", plugin_files.ID], installed, f"installed the plugin in {target.scope} scope")
        put(target.settings, ["enabledPlugins", plugin_files.ID], True, "enabled it")
        allowed = _strings(_mapping(read_object(target.settings).get("permissions")).get("allow"))
        if plugin_files.TOOLS_RULE not in allowed:
            put(target.settings, ["permissions", "allow"], [*allowed, plugin_files.TOOLS_RULE], "allowed its five tools")
        self._put_own(target, put, with_statusline=with_statusline, with_gateway=with_gateway, base_url=base_url, others=others)
        return {path: (values[path], ours[path], ", ".join(does for does in what[path] if does)) for path in values}

    def _put_own(self, target: Target, put: Any, *, with_statusline: bool, with_gateway: bool, base_url: str, others: str) -> None:
        own = read_object(target.own)
        asks = str(_mapping(own.get("env")).get("ANTHROPIC_BASE_URL") or "")
        if with_statusline:
            command = shlex.join([*plugin_files.shim(self.places), "statusline"])
            found = _mapping(own.get("statusLine")).get("command") or _mapping(
                read_object(target.client / "settings.json").get("statusLine")
            ).get("command")
            if found in (None, command) or "clew_hook" in str(found):
                put(target.own, ["statusLine"], {"type": "command", "command": command}, "set the status line")
            else:
                self.done.notes.append(f"another status line is set and was left: to have clew's, set statusLine.command to {command}")
        if with_gateway or is_gateway(asks):
            where = address(self.places)
            url = gateway_url(where)
            before = asks or base_url
            if before and not is_gateway(before):
                if not self.is_dry:
                    (self.places.run / "upstream").write_text(before + "\n", "utf-8")
                self.done.notes.append(f"the gateway asks {before}, whom the client asked before")
            put(target.own, ["env", "ANTHROPIC_BASE_URL"], url, "sent the client's requests through the gateway")
            trusted = str(_mapping(own.get("env")).get("NODE_EXTRA_CA_CERTS") or others)
            if trusted not in ("", str(self.places.trusted)) and not self.is_dry:
                self.places.others.write_bytes(Path(trusted).read_bytes())
            put(target.own, ["env", "NODE_EXTRA_CA_CERTS"], str(self.places.trusted), "had it trust the gateway's certificate")
            if not self.is_dry:
                certificate.trust(self.places)

    def _installed(self, target: Target, known: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The client's list of where the plugin is installed, with this scope."""
        entry: dict[str, Any] = {
            "scope": target.scope,
            "installPath": str(target.client / "plugins" / "cache" / plugin_files.NAME / plugin_files.NAME / clew.__version__),
            "version": clew.__version__,
            "installedAt": _now(),
            "lastUpdated": _now(),
        }
        if target.scope != "user":
            entry["projectPath"] = str(target.root)
        same = (entry["scope"], entry.get("projectPath"))
        before = _mapping(known.get("plugins")).get(plugin_files.ID)
        others = [_mapping(each) for each in cast("list[object]", before)] if isinstance(before, list) else []
        kept = [dict(each) for each in others if (each.get("scope"), each.get("projectPath")) != same]
        return [*kept, entry]

    def _write(self, path: Path, value: dict[str, Any], scope: str, ours: list[list[str]]) -> None:
        """Write a file of the client, having kept what stood there. Links are followed, modes stay."""
        if self.is_dry:
            return
        real = path.resolve()
        before = real.read_bytes() if real.is_file() else None
        data = _dumped(value, before)
        known = next((each for each in self.manifest.touched if each.path == str(path)), None)
        if known is None:
            mode = stat.S_IMODE(real.stat().st_mode) if before is not None else 0o600
            kept = None if before is None else base64.b64encode(before).decode()
            known = Touched(str(path), kept, mode, "", scope)
            self.manifest.touched.append(known)
        known.after = base64.b64encode(data).decode()
        known.places.extend(place for place in ours if place not in known.places)
        self._keep()  # what stood there is durable before it is replaced
        self._make_folder(real.parent)
        beside = real.with_name(f"{real.name}.clew")
        beside.write_bytes(data)
        beside.chmod(known.mode)
        beside.replace(real)

    def _make_folder(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700)
            self.manifest.folders.append(str(each))

    def _note_tree(self, tree: Path) -> None:
        if str(tree) not in self.manifest.trees:
            self.manifest.trees.append(str(tree))

    def _keep(self) -> None:
        if self.is_dry:
            return
        self.manifest.version = clew.__version__
        path = self.places.home / MANIFEST
        beside = path.with_suffix(".new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(self.manifest), indent=1))
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        except OSError as error:
            raise NotReadable(str(path), error.strerror or str(error), "without it nothing could be taken back") from error

    # -- uninstall ----------------------------------------------------------------------------------

    def uninstall(self) -> Done:
        """Take everything back that `init` did, in all scopes. What cannot be taken back is said, and the rest goes on."""
        for touched in reversed(self.manifest.touched):
            self._restore(touched)
        for tree in self.manifest.trees:
            if Path(tree).is_dir():
                if not self.is_dry:
                    shutil.rmtree(tree)
                self.done.did.append(f"took away {tree}")
        if not self.is_dry:
            for made in sorted(set(self.manifest.folders), key=len, reverse=True):
                with suppress(OSError):  # somebody else has put something there: it stays
                    Path(made).rmdir()
            shutil.rmtree(plugin_files.folder(self.places), ignore_errors=True)
            (self.places.run / "upstream").unlink(missing_ok=True)
            (self.places.home / MANIFEST).unlink(missing_ok=True)
        self.done.did.append(f"took away {plugin_files.folder(self.places)}")
        return self.done

    def _restore(self, touched: Touched) -> None:
        path = Path(touched.path)
        real = path.resolve()
        before = None if touched.before is None else base64.b64decode(touched.before)
        now = real.read_bytes() if real.is_file() else None
        if now == before:
            return
        if now is None:
            self.done.notes.append(f"{path} is gone; it was left so")
            return
        if now != base64.b64decode(touched.after):
            try:
                left = _without(json.loads(now), _parsed(before), touched.places)
            except ValueError:
                self.done.notes.append(
                    f"{path} is no JSON any more; take {', '.join('.'.join(place) for place in touched.places)} out of it by hand"
                )
                return
            if left != _parsed(before) and not (before is None and _is_bare(left)):
                self._put_back(real, _dumped(left, now), touched.mode)
                self.done.did.append(f"took what is ours out of {path}, which was changed since")
                return
        if before is None:
            if not self.is_dry:
                real.unlink()
            self.done.did.append(f"took away {path}")
        else:
            self._put_back(real, before, touched.mode)
            self.done.did.append(f"restored {path}")

    def _put_back(self, real: Path, data: bytes, mode: int) -> None:
        if self.is_dry:
            return
        beside = real.with_name(f"{real.name}.clew")
        beside.write_bytes(data)
        beside.chmod(mode)
        beside.replace(real)


def gateway_url(where: Address) -> str:
    """Return the base URL by which the client asks through the gateway: TLS, so that nothing is said to a stranger who has the port."""
    return f"https://127.0.0.1:{where.port}/gateway/{where.gateway}"


def is_gateway(url: str) -> bool:
    """Whether a base URL is that of a gateway of clew's, of this release or of one before."""
    return re.fullmatch(r"https?://127\.0\.0\.1:\d+/gateway/[0-9a-f]{64}", url) is not None


def manifest(places: Places) -> Manifest:
    """Return what `init` did on this machine; an empty one where nothing was done. Raises NotOurs for a broken one."""
    path = places.home / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise NotOurs(path, str(error)) from error


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object of the client, {} where there is no file. Raises NotOurs for anything else."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotOurs(path, error.strerror or str(error)) from error
    if not data.strip():
        return {}
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise NotOurs(path, f"is no JSON ({error})") from error
    if not isinstance(told, dict):
        raise NotOurs(path, "is no JSON object")
    return cast("dict[str, Any]", told)


def _without(value: dict[str, Any], before: dict[str, Any], ours: list[list[str]]) -> dict[str, Any]:
    """The value with what stood at our places before, and nothing where nothing did; objects that this empties go, if we made them."""
    for place in ours:
        at, was = value, before
        chain: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
        for name in place[:-1]:
            chain.append((at, name, was))
            at, was = _mutable(at.get(name)), _mutable(was.get(name))
        if place[-1] in was:
            at[place[-1]] = was[place[-1]]
        else:
            at.pop(place[-1], None)
        for above, name, had in reversed(chain):
            if not above.get(name) and name not in had:
                above.pop(name, None)
    return value


def _mutable(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_bare(value: dict[str, Any]) -> bool:
    """Whether nothing but the client's own frame is left."""
    return not any(each for name, each in value.items() if name != "version")


def _parsed(data: bytes | None) -> dict[str, Any]:
    if data is None or not data.strip():
        return {}
    told = json.loads(data.decode("utf-8-sig"))
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _dumped(value: dict[str, Any], before: bytes | None) -> bytes:
    """JSON in the manner of what stood there: its indent, its line ends."""
    indent: int | str = 2
    for line in (before or b"").splitlines()[1:2]:
        lead = line[: len(line) - len(line.lstrip())]
        indent = "\t" if lead.startswith(b"\t") else len(lead) or 2
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    return text.replace("\n", "\r\n").encode() if before and b"\r\n" in before else text.encode()


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [str(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
