"""Install: connect Claude Code to clew, and take that back.

The client's files are written in the form in which its own `plugin install` writes them (checked with 2.1.197 and 2.1.330), because
its command also rewrites files that are no concern of ours. `installed.json` in the data folder keeps, for each file, its bytes
before and every entry that we wrote. `uninstall` gives a file that stands as we left it its bytes back; out of one that somebody
else has changed it takes those entries that still stand as we wrote them, and says which do not.

Everything is read, understood and checked for whether it can be written before the first byte is; a write that fails takes those
before it back.
"""

from __future__ import annotations

import base64
import copy
import json
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
from clew.adapters.claude_code import file_changes, managed, owned_entries, plugin_files
from clew.adapters.claude_code.file_changes import FileChange, FilesNotWritable
from clew.adapters.claude_code.owned_entries import KeyPath, OwnedEntry, as_mapping
from clew.adapters.daemon_files import DaemonAddress, DaemonPaths, ensure_address, read_address
from clew.adapters.http import certificate
from clew.errors import ClewError, NotReadable, UsageError

SCOPES = ("user", "project", "local")
MANIFEST_NAME = "installed.json"
INSTALLATION_KEYS = ["scope", "projectPath"]  # by these the client tells one installation of a plugin from another


class ClientFileInvalid(ClewError):
    """A file of the client cannot be understood, so it is not touched."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(f"{path}: {found}, so nothing was changed\nhint: mend the file, then call `clew init` again")


class FileRecord(msgspec.Struct):
    """A file of the client: what stood there before us, what we left there, and which entries of that are ours.

    before   base64, None where there was no file.
    real     what `path` led to, where it is a link.
    entries  ours; `containers` are the objects and lists on the way to them that we made.
    key_paths what an earlier release kept instead of entries; read, not written.
    """

    path: str
    before: str | None
    mode: int
    after: str
    scope: str
    key_paths: list[KeyPath] = msgspec.field(name="places", default_factory=list[KeyPath])
    real: str = ""
    entries: list[OwnedEntry] = []
    containers: list[KeyPath] = []


class InstallManifest(msgspec.Struct):
    """All that `init` did on this machine. `folders` and `trees` were made by us; `starter` is the command that starts the daemon."""

    files: list[FileRecord] = msgspec.field(name="touched", default_factory=list[FileRecord])
    folders: list[str] = []
    trees: list[str] = []
    projects: list[str] = []
    version: str = ""
    starter: list[str] = []


@dataclass(slots=True)
class InstallResult:
    """What `init` or `uninstall` did: sentences, in order; and what a person should still know.

    is_undone  something that was to be taken back could not be written: `uninstall` can be called again.
    """

    actions: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class InstallTarget:
    """Where the client is set up.

    client   its folder (`~/.claude`).
    root     the repository.
    managed  the folder of the administrator's settings.
    """

    client_dir: Path
    root: Path
    scope: str
    managed_dir: Path = field(default_factory=managed.managed_settings_dir)

    @property
    def settings(self) -> Path:
        """The settings file of the scope."""
        return locate_settings(self.client_dir, self.root)[self.scope]

    @property
    def private_settings(self) -> Path:
        """The settings file for what names this machine: never the one that a team shares."""
        return locate_settings(self.client_dir, self.root)["local"] if self.scope == "project" else self.settings

    @property
    def plugin_cache(self) -> Path:
        """The client's copies of the plugin, a folder for each version."""
        return self.client_dir / "plugins" / "cache" / plugin_files.PLUGIN_NAME / plugin_files.PLUGIN_NAME


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What is to be set up.

    base_url            whom the client asks now, by its environment; "" for its default.
    extra_certificates  the file of those that the client trusts now, by its environment; "" for none.
    has_mods            the client runs mods, and then loads fewer hooks.
    """

    with_statusline: bool
    with_gateway: bool
    base_url: str = ""
    extra_certificates: str = ""
    has_mods: bool = False


@dataclass(slots=True)
class FileDraft:
    """A file of the client as it will be: its value now, with the entries that are to be ours."""

    path: Path
    now: bytes | None
    value: dict[str, Any]
    known: FileRecord | None
    before: bytes | None
    entries: list[OwnedEntry]
    does: list[str] = field(default_factory=list[str])


class FileDrafts:
    """The files that one `init` changes, each read once."""

    def __init__(self, known: list[FileRecord]) -> None:
        self._known = {Path(each.path): each for each in known}
        self._by_real = {each.real: each for each in known if each.real}
        self.made: dict[Path, FileDraft] = {}
        self.beside: list[FileChange] = []  # files of ours that go with them
        self.has_gateway = False

    def of(self, path: Path) -> FileDraft:
        """The draft of a file. Raises ClientFileInvalid, FilesNotWritable."""
        found = file_changes.resolve_links(path)
        if found not in self.made:
            value, now = read_client_file(path), _bytes(found)
            known = self._known.get(path) or self._by_real.get(str(found))
            draft = FileDraft(path, now, value, known, now, [])
            if known is not None:
                left = _left(known, now)
                draft.before = left.data
                draft.entries = [*left.standing, *left.changed]
            self.made[found] = draft
        return self.made[found]

    def put(self, path: Path, entry: OwnedEntry, does: str, *, replaces_ours: bool = False) -> None:
        """Write an entry into the draft of a file. With `replaces_ours` what stands there is of our making. Raises ClientFileInvalid."""
        draft = self.of(path)
        was = next((each for each in draft.entries if each.has_same_target(entry)), None)
        there, found = owned_entries.look_up(draft.value, entry.place)
        if not entry.is_element:
            if replaces_ours:
                entry.had, entry.before = (was.had, was.before) if was is not None else (False, None)
            elif was is not None and there and was.matches(found):
                entry.had, entry.before = was.had, was.before
            else:
                entry.had, entry.before = there, copy.deepcopy(found)
        elif was is None and any(entry.matches(each) for each in cast("list[Any]", found if isinstance(found, list) else [])):
            return  # somebody else's already
        try:
            owned_entries.insert_entry(draft.value, entry)
        except owned_entries.EntryConflict as error:
            raise ClientFileInvalid(path, str(error)) from error
        draft.entries = [*(each for each in draft.entries if each is not was), entry]
        draft.does.append(does)


class Installer:
    """One call of `init` or `uninstall`. With `is_dry` nothing is written."""

    def __init__(self, paths: DaemonPaths, *, is_dry: bool = False) -> None:
        self.paths, self.is_dry = paths, is_dry
        self.result = InstallResult()
        self.manifest = read_manifest(paths)

    # -- init ---------------------------------------------------------------------------------------

    def check(self, target: InstallTarget, wanted: InstallOptions) -> None:
        """Raise what `install` would raise for files that cannot be understood or written. Writes nothing."""
        self._checked(target, wanted)
        self.result = InstallResult()

    def install(self, target: InstallTarget, wanted: InstallOptions) -> InstallResult:
        """Set the client up: all of it, or nothing. Raises ClientFileInvalid, NotReadable, FilesNotWritable, UsageError."""
        drafts = self._checked(target, wanted)
        changes: list[FileChange] = []
        cache = target.plugin_cache / clew.__version__
        has_run = self.paths.run_dir.exists()
        if not self.is_dry:
            ensure_address(self.paths)  # made, if need be: what is written from here on names it
            self.result = InstallResult()
            drafts = self._drafts(target, wanted)
            files = plugin_files.render_plugin(self.paths, has_mods=wanted.has_mods)
            changes.extend(plugin_files.plan_tree_changes(plugin_files.marketplace_dir(self.paths), files))
            changes.extend(plugin_files.plan_tree_changes(cache, plugin_files.select_plugin_files(files)))
            changes.extend(FileChange(path, None) for path in self._outdated(target))
            changes.extend(drafts.beside)
        changes.extend(self._note(draft, target.scope) for draft in drafts.made.values() if draft.does)
        self.result.actions.append(f"wrote the plugin: {plugin_files.marketplace_dir(self.paths)}, and the client's copy {cache}")
        for path, draft in drafts.made.items():
            if does := ", ".join(each for each in draft.does if each):
                self.result.actions.append(f"{does}: {draft.path}{f' (a link to {path})' if draft.path.is_symlink() else ''}")
        self.result.notes.extend(managed.find_obstacles(target.managed_dir, plugin_files.marketplace_dir(self.paths)))
        self.result.notes.extend(_hooks_off(target))
        if self.is_dry:
            return self.result
        if target.scope != "user" and str(target.root) not in self.manifest.projects:
            self.manifest.projects.append(str(target.root))
        for tree in (
            target.plugin_cache,
            target.client_dir / "plugins" / "data" / f"{plugin_files.PLUGIN_NAME}-{plugin_files.PLUGIN_NAME}",
        ):
            if str(tree) not in self.manifest.trees:  # the second is one that the client makes
                self.manifest.trees.append(str(tree))
        ours = [draft.path for draft in drafts.made.values() if draft.does]
        for folder in [each for path in (*ours, target.plugin_cache) for each in file_changes.list_missing_dirs(path)]:
            if str(folder) not in self.manifest.folders:
                self.manifest.folders.append(str(folder))
        self.manifest.starter = plugin_files.build_start_command(self.paths)
        try:
            file_changes.apply_changes([self._kept(), *changes])  # in this order: what stood there is durable before it is replaced
        except FilesNotWritable:
            if not has_run:
                shutil.rmtree(self.paths.run_dir, ignore_errors=True)
                with suppress(OSError):  # it holds something: then it is not ours alone
                    self.paths.home.rmdir()
            raise
        if drafts.has_gateway:
            certificate.write_trust_bundle(self.paths)
        for version in target.plugin_cache.iterdir():
            if version.name != clew.__version__:
                shutil.rmtree(version, ignore_errors=True)  # folders alone: the files are gone
        return self.result

    def _outdated(self, target: InstallTarget) -> list[Path]:
        """The files of the client's copies of other versions of the plugin: they may hold the token of an earlier daemon."""
        versions = [each for each in target.plugin_cache.iterdir() if each.name != clew.__version__] if target.plugin_cache.is_dir() else []
        return [path for version in versions for path in (version, *version.rglob("*")) if path.is_file() or path.is_symlink()]

    def _checked(self, target: InstallTarget, wanted: InstallOptions) -> FileDrafts:
        if wanted.with_gateway and target.scope == "project":
            raise UsageError("--gateway names this machine and a token, and project settings are shared\nhint: use --scope local or user")
        drafts = self._drafts(target, wanted)
        folder, cache = plugin_files.marketplace_dir(self.paths), target.plugin_cache / clew.__version__
        trees = [path for tree in (folder, cache) if tree.is_dir() for path in tree.rglob("*") if not path.is_dir()]
        trees.extend(self._outdated(target))
        new = [
            self.paths.home / MANIFEST_NAME,
            self.paths.run_dir / "upstream",
            self.paths.trust_bundle,
            plugin_files.installation_marker(self.paths),
            cache / "README.md",
        ]
        file_changes.check_writable([*(draft.path for draft in drafts.made.values() if draft.does), *new, *trees])
        return drafts

    def _drafts(self, target: InstallTarget, wanted: InstallOptions) -> FileDrafts:
        """The files of the client as they will be."""
        drafts = FileDrafts(self.manifest.files)
        plugins = target.client_dir / "plugins"
        market = str(plugin_files.marketplace_dir(self.paths))
        source = {"source": "directory", "path": market}
        declared = OwnedEntry(["extraKnownMarketplaces", plugin_files.PLUGIN_NAME], {"source": source})
        there, found = owned_entries.look_up(drafts.of(target.client_dir / "settings.json").value, declared.place)
        if not there or as_mapping(found).get("source") != source or declared.matches(found):  # else ours, and the user has added to it
            drafts.put(target.client_dir / "settings.json", declared, "declared where the plugin comes from")
        record = {"source": source, "installLocation": market, "lastUpdated": _now()}
        drafts.put(
            plugins / "known_marketplaces.json", OwnedEntry([plugin_files.PLUGIN_NAME], record, same_by=["source"]), "told the client of it"
        )
        listed = plugins / "installed_plugins.json"
        known = drafts.of(listed).value
        if known and known.get("version") != 2:
            raise ClientFileInvalid(listed, f"is of version {known.get('version')!r}, and 2 is known")
        if not known:
            drafts.put(listed, OwnedEntry(["version"], 2, is_frame=True), "")
        installed = OwnedEntry(
            ["plugins", plugin_files.PLUGIN_ID], self._installed(target, known), is_element=True, same_by=INSTALLATION_KEYS
        )
        drafts.put(listed, installed, f"installed the plugin in {target.scope} scope")
        drafts.put(target.settings, OwnedEntry(["enabledPlugins", plugin_files.PLUGIN_ID], True), "enabled it")
        self._put_rule(drafts, target.settings)
        if wanted.with_statusline:
            self._put_statusline(drafts, target)
        if wanted.with_gateway or is_gateway_url(_asked_by(drafts.of(target.private_settings).value)):
            self._put_gateway(drafts, target, wanted)
        return drafts

    def _put_rule(self, drafts: FileDrafts, path: Path) -> None:
        """Allow the five tools, unless the user has said otherwise."""
        draft = drafts.of(path)
        permissions = as_mapping(draft.value.get("permissions"))
        rule = OwnedEntry(["permissions", "allow"], plugin_files.TOOLS_PERMISSION, is_element=True)
        before = _entries_of(draft.known)[0] if draft.known is not None else []
        was_removed = any(each.has_same_target(rule) for each in before) and not any(each.has_same_target(rule) for each in draft.entries)
        for name in ("deny", "ask"):
            if plugin_files.TOOLS_PERMISSION in _strings(permissions.get(name)):
                self.result.notes.append(f"{path}: permissions.{name} names clew's tools, so they were not allowed")
                return
        if was_removed and draft.now != _decoded(cast("FileRecord", draft.known).before):
            hint = f"add {plugin_files.TOOLS_PERMISSION!r} to permissions.allow for the tools to be used without a question"
            self.result.notes.append(f"{path}: the permission for clew's tools was taken out since, and was not granted again; {hint}")
            return
        drafts.put(path, rule, "allowed its five tools")

    def _put_statusline(self, drafts: FileDrafts, target: InstallTarget) -> None:
        command = shlex.join([*plugin_files.build_script_command(self.paths), "statusline"])
        draft = drafts.of(target.private_settings)
        own = draft.value.get("statusLine")
        line = OwnedEntry(["statusLine"], {"type": "command", "command": command})
        found = as_mapping(own).get("command") or as_mapping(read_client_file(target.client_dir / "settings.json").get("statusLine")).get(
            "command"
        )
        if found == command and own is not None and not line.matches(own):
            return  # ours, and the user has added to it: it stays, and so does what is known of it
        if "clew_hook" in str(as_mapping(own).get("command")):  # of an earlier call: what else the user has set of it stays
            line.value = {**as_mapping(own), **line.value}
            drafts.put(target.private_settings, line, "set the status line", replaces_ours=True)
        elif found is None or "clew_hook" in str(found):
            drafts.put(target.private_settings, line, "set the status line")
        else:
            self.result.notes.append(f"another status line is set and was left: to have clew's, set statusLine.command to {command}")

    def _put_gateway(self, drafts: FileDrafts, target: InstallTarget, wanted: InstallOptions) -> None:
        """Send the client's requests through the gateway, and have it trust the gateway's certificate beside those that it trusts now."""
        found = read_address(self.paths)
        where = found if found is not None and found.gateway else DaemonAddress(0, "", "KEY")  # made before anything is written
        drafts.has_gateway = True
        env = as_mapping(drafts.of(target.private_settings).value.get("env"))
        asks = _asked_by(drafts.of(target.private_settings).value)
        before = asks or wanted.base_url
        if before and not is_gateway_url(before):
            drafts.beside.append(FileChange(self.paths.run_dir / "upstream", (before + "\n").encode()))
            self.result.notes.append(f"the gateway asks {before}, whom the client asked before")
        url = OwnedEntry(["env", "ANTHROPIC_BASE_URL"], build_gateway_url(where))
        drafts.put(target.private_settings, url, "sent the client's requests through the gateway", replaces_ours=is_gateway_url(asks))
        trusted = str(env.get("NODE_EXTRA_CA_CERTS") or wanted.extra_certificates)
        if trusted not in ("", str(self.paths.trust_bundle)):
            try:
                drafts.beside.append(FileChange(self.paths.other_certificates, Path(trusted).read_bytes()))
            except OSError as error:
                raise NotReadable(
                    trusted, error.strerror or str(error), "NODE_EXTRA_CA_CERTS names it; correct it, or take it out"
                ) from error
        trusts = OwnedEntry(["env", "NODE_EXTRA_CA_CERTS"], str(self.paths.trust_bundle))
        drafts.put(
            target.private_settings, trusts, "had it trust the gateway's certificate", replaces_ours=trusted == str(self.paths.trust_bundle)
        )

    def _installed(self, target: InstallTarget, known: Mapping[str, Any]) -> dict[str, Any]:
        """The record of this installation in the client's list."""
        entry: dict[str, Any] = {
            "scope": target.scope,
            "installPath": str(target.plugin_cache / clew.__version__),
            "version": clew.__version__,
            "installedAt": _now(),
            "lastUpdated": _now(),
        }
        if target.scope != "user":
            entry["projectPath"] = str(target.root)
        listed = as_mapping(known.get("plugins")).get(plugin_files.PLUGIN_ID)
        for each in cast("list[object]", listed) if isinstance(listed, list) else []:
            earlier = as_mapping(each)
            if all(earlier.get(name) == entry.get(name) for name in INSTALLATION_KEYS) and "installedAt" in earlier:
                entry["installedAt"] = earlier["installedAt"]
        return entry

    def _note(self, draft: FileDraft, scope: str) -> FileChange:
        """Keep what stood in the file and what is ours now; returns the change that writes it."""
        same = draft.now is not None and json.dumps(draft.value) == json.dumps(_parsed(draft.now))
        data = draft.now if same and draft.now is not None else _dumped(draft.value, draft.now)
        found = file_changes.resolve_links(draft.path)
        mode = stat.S_IMODE(found.stat().st_mode) if draft.now is not None else 0o600
        noted = FileRecord(
            str(draft.path),
            None if draft.before is None else base64.b64encode(draft.before).decode(),
            mode,
            base64.b64encode(data).decode(),
            draft.known.scope if draft.known is not None else scope,
            real=str(found),
            entries=draft.entries,
            containers=owned_entries.find_created_containers(_parsed(draft.before), draft.value, draft.entries),
        )
        others = [each for each in self.manifest.files if each is not draft.known]
        self.manifest.files = [*others, noted]
        return FileChange(draft.path, data)

    def _kept(self) -> FileChange:
        """The change that writes the manifest."""
        self.manifest.version = clew.__version__
        return FileChange(self.paths.home / MANIFEST_NAME, msgspec.json.format(msgspec.json.encode(self.manifest), indent=1), 0o600)

    # -- uninstall ----------------------------------------------------------------------------------

    def retire(self) -> None:
        """Take away the file without which nothing starts the daemon any more: first of all, so that no session starts it meanwhile."""
        if not self.is_dry:
            with suppress(OSError):  # `uninstall` takes its folder away, and says so where that fails
                plugin_files.installation_marker(self.paths).unlink(missing_ok=True)

    def uninstall(self) -> InstallResult:
        """Take everything back that `init` did, in all scopes. What cannot be taken back is said, and the rest goes on."""
        self.retire()
        undone = [touched for touched in reversed(self.manifest.files) if not self._restore(touched)]
        for tree in self.manifest.trees:
            if Path(tree).is_dir():
                self._take_away(Path(tree))
        if plugin_files.marketplace_dir(self.paths).is_dir():
            self._take_away(plugin_files.marketplace_dir(self.paths))
        if not self.is_dry:
            for made in sorted(set(self.manifest.folders), key=len, reverse=True):
                with suppress(OSError):  # somebody else has put something there: it stays
                    Path(made).rmdir()
            self._forget(list(reversed(undone)))
        return self.result

    def _forget(self, undone: list[FileRecord]) -> None:
        """Take away what was kept for taking back, but for the files where that is still to be done."""
        path = self.paths.home / MANIFEST_NAME
        try:
            (self.paths.run_dir / "upstream").unlink(missing_ok=True)
            if undone:
                self.result.is_incomplete = True
                self.manifest = InstallManifest(files=undone, folders=self.manifest.folders, version=self.manifest.version)
                file_changes.apply_changes([self._kept()])
                self.result.notes.append("call `clew uninstall` again once that can be written")
            else:
                path.unlink(missing_ok=True)
        except (OSError, FilesNotWritable) as error:
            self.result.notes.append(f"{path} could not be taken away ({error})")

    def _take_away(self, tree: Path) -> None:
        if not self.is_dry:
            shutil.rmtree(tree, ignore_errors=True)
            if tree.exists():
                self.result.notes.append(f"{tree} could not be taken away: rm -r {shlex.quote(str(tree))}")
                return
        self.result.actions.append(f"took away {tree}")

    def _restore(self, touched: FileRecord) -> bool:
        """Take what is ours out of a file. Returns whether nothing is left to be done there."""
        path = Path(touched.path)
        done = self._restore_at(path, touched, path)
        moved = Path(touched.real) if touched.real else path
        with suppress(FilesNotWritable):
            if (
                moved != path and moved.is_file() and moved != file_changes.resolve_links(path)
            ):  # the link led elsewhere when we wrote through it
                done &= self._restore_at(moved, touched, path)
        return done

    def _restore_at(self, path: Path, touched: FileRecord, named: Path) -> bool:
        try:
            now = _bytes(file_changes.resolve_links(path))
            left = _left(touched, now)
        except (OSError, ClientFileInvalid, FilesNotWritable) as error:
            what = str(error).partition(", so nothing")[0]
            self.result.notes.append(f"{what}; {_by_hand(touched.entries or _entries_of(touched)[0])} of {path} by hand")
            return True
        if now is None:
            if touched.before is not None or path != named:
                self.result.notes.append(f"{path} is gone; it was left so")
            return True
        for entry in left.changed:
            self.result.notes.append(
                f"{path}: {entry.description} was changed since, and was left; {entry.undo_instruction} by hand, if it is not wanted"
            )
        if left.data == now:
            return True
        try:
            file_changes.check_writable([path])
            if not self.is_dry:
                file_changes.apply_changes([FileChange(path, left.data)])
        except FilesNotWritable as error:
            self.result.notes.append(f"{path} cannot be written ({error.reason}), and was left; {_by_hand(left.standing)} by hand")
            return False
        if left.data is None:
            self.result.actions.append(f"took away {path}")
        elif left.is_whole:
            self.result.actions.append(f"restored {path}")
        else:
            self.result.actions.append(f"took what is ours out of {path}, which was changed since")
        return True


@dataclass(frozen=True, slots=True)
class Remains:
    """What a file holds when ours is taken out of it; `is_whole` where these are the bytes from before."""

    data: bytes | None
    standing: list[OwnedEntry]
    changed: list[OwnedEntry]
    is_whole: bool


def _left(touched: FileRecord, now: bytes | None) -> Remains:
    """Take what is ours out of the bytes of a file. Raises ClientFileInvalid where they are no JSON object."""
    entries, containers, before = _entries_of(touched)
    if now is None or now == before:
        return Remains(now, [], [], is_whole=True)
    if now == _decoded(touched.after) and before == _decoded(touched.before):
        value = _parsed(now)
        left = owned_entries.remove_entries(value, entries, containers)
        return Remains(before, left.removed, left.changed, is_whole=True)
    try:
        value = _parsed(now)
    except ValueError as error:
        raise ClientFileInvalid(Path(touched.path), f"is no JSON any more ({error})") from error
    left = owned_entries.remove_entries(value, entries, containers)
    if before is None and not left.value:
        return Remains(None, left.removed, left.changed, is_whole=True)
    if before is not None and left.value == _parsed(before):
        return Remains(before, left.removed, left.changed, is_whole=True)
    return Remains(_dumped(left.value, now) if left.removed else now, left.removed, left.changed, is_whole=False)


def _entries_of(touched: FileRecord) -> tuple[list[OwnedEntry], list[KeyPath], bytes | None]:
    """The entries and containers of a file that are ours, and its bytes before.

    An earlier release kept no entries. What it kept as "before" it did not renew when it wrote a file a second time, so where entries
    of somebody else's stand in what it wrote, that, less what is ours, is what stood before.
    """
    before = _decoded(touched.before)
    if touched.entries or not touched.key_paths:
        return touched.entries, touched.containers, before
    was, after = _parsed(before), _parsed(_decoded(touched.after))
    entries = owned_entries.derive_entries(was, after, touched.key_paths, (plugin_files.TOOLS_PERMISSION,), INSTALLATION_KEYS)
    containers = owned_entries.find_created_containers(was, after, entries)
    left = owned_entries.remove_entries(after, entries, containers)
    if left.value != was:
        before = _dumped(left.value, _decoded(touched.after))
    return entries, containers, before


def _by_hand(entries: list[OwnedEntry]) -> str:
    return ", ".join(entry.undo_instruction for entry in entries) or "take what is clew's out"


def _hooks_off(target: InstallTarget) -> list[str]:
    """What the user's own settings say against hooks, a sentence each."""
    said: list[str] = []
    for file in dict.fromkeys(locate_settings(target.client_dir, target.root).values()):
        with suppress(ClientFileInvalid):  # one that is not ours to write: `clew doctor` tells of it
            if read_client_file(file).get("disableAllHooks") is True:
                said.append(f"{file} sets disableAllHooks: no hook of clew will run")
    return said


def locate_settings(client: Path, root: Path) -> dict[str, Path]:
    """Return the client's settings files by their scope: `client` is its folder, `root` the repository."""
    return {
        "user": client / "settings.json",
        "project": root / ".claude" / "settings.json",
        "local": root / ".claude" / "settings.local.json",
    }


def build_gateway_url(where: DaemonAddress) -> str:
    """Return the base URL by which the client asks through the gateway: TLS, so that nothing is said to a stranger who has the port."""
    return f"https://127.0.0.1:{where.port}/gateway/{where.gateway}"


def is_gateway_url(url: str) -> bool:
    """Whether a base URL is that of a gateway of clew's, of this release or of one before."""
    return re.fullmatch(r"https?://127\.0\.0\.1:\d+/gateway/[0-9a-f]{64}", url) is not None


def _asked_by(value: Mapping[str, Any]) -> str:
    """Whom the client asks by these settings, "" where they do not say."""
    return str(as_mapping(value.get("env")).get("ANTHROPIC_BASE_URL") or "")


def read_manifest(paths: DaemonPaths) -> InstallManifest:
    """Return what `init` did on this machine; an empty one where nothing was done. Raises ClientFileInvalid for a broken one."""
    path = paths.home / MANIFEST_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=InstallManifest)
    except FileNotFoundError:
        return InstallManifest()
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ClientFileInvalid(path, str(error)) from error


def read_client_file(path: Path) -> dict[str, Any]:
    """Return a JSON object of the client, {} where there is no file. Raises ClientFileInvalid for anything else."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ClientFileInvalid(path, error.strerror or str(error)) from error
    if not data.strip():
        return {}
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise ClientFileInvalid(path, f"is no JSON ({error})") from error
    if not isinstance(told, dict):
        raise ClientFileInvalid(path, "is no JSON object")
    return cast("dict[str, Any]", told)


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
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold as an escape alone
        text = json.dumps(value, indent=indent) + "\n"
    return text.replace("\n", "\r\n").encode() if before and b"\r\n" in before else text.encode()


def _decoded(kept: str | None) -> bytes | None:
    return None if kept is None else base64.b64decode(kept)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _strings(value: object) -> list[str]:
    return [str(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
