"""Connect Claude Code to clew, and undo that.

The client's files are written in the form of its own `plugin install` (checked with 2.1.197 and 2.1.330), because its command also
rewrites unrelated files. `installed.json` in the data folder stores, for each file, its bytes before and every entry that clew wrote.
`uninstall` restores the bytes of a file that is as `init` left it; from a file that was changed since it removes only the entries that
are as written, and reports the others.

All files are read and checked for writability before the first is written; a write that fails undoes those before it.
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
from clew.adapters.claude_code.file_changes import FileReplacement, FilesNotWritable
from clew.adapters.claude_code.manifest import (
    INSTALLATION_KEYS,
    MANIFEST_NAME,
    ClientFileInvalid,
    FileRecord,
    InstallManifest,
    decode_bytes,
    dump_object,
    find_entries,
    parse_object,
    read_bytes,
    read_client_file,
    read_manifest,
    restore_content,
)
from clew.adapters.claude_code.owned_entries import OwnedEntry, as_mapping
from clew.adapters.daemon_files import DaemonAddress, DaemonPaths, ensure_address, read_address
from clew.adapters.http import certificate
from clew.errors import NotReadable, UsageError

SCOPES = ("user", "project", "local")


@dataclass(slots=True)
class InstallResult:
    """What `init` or `uninstall` did: `actions` in order, and `notes` that a person should read, a sentence each.

    is_incomplete  some file could not be restored; `uninstall` can be called again.
    """

    actions: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class InstallTarget:
    """Client, repository and scope that clew is installed into.

    client_dir   the client's folder (`~/.claude`).
    root         the repository.
    scope        one of SCOPES.
    managed_dir  folder of the administrator's settings.
    """

    client_dir: Path
    root: Path
    scope: str
    managed_dir: Path = field(default_factory=managed.managed_settings_dir)

    @property
    def settings(self) -> Path:
        """Settings file of the scope."""
        return locate_settings(self.client_dir, self.root)[self.scope]

    @property
    def private_settings(self) -> Path:
        """Settings file for values of this machine: never the one that a team shares."""
        return locate_settings(self.client_dir, self.root)["local"] if self.scope == "project" else self.settings

    @property
    def plugin_cache(self) -> Path:
        """Folder of the client's copies of the plugin, one subfolder a version."""
        return self.client_dir / "plugins" / "cache" / plugin_files.PLUGIN_NAME / plugin_files.PLUGIN_NAME


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """Options of `clew init`, and what the client's environment says.

    base_url            API URL in the client's environment; "" for its default.
    extra_certificates  certificate file in the client's environment; "" for none.
    has_mods            the client runs mods, so that fewer hooks are written.
    """

    with_statusline: bool
    with_gateway: bool
    base_url: str = ""
    extra_certificates: str = ""
    has_mods: bool = False


@dataclass(slots=True)
class FileDraft:
    """Client file being edited: its present bytes, its new value, and the entries in it that will be clew's."""

    path: Path
    current: bytes | None
    value: dict[str, Any]
    record: FileRecord | None
    before: bytes | None
    entries: list[OwnedEntry]
    actions: list[str] = field(default_factory=list[str])


class PlannedChanges:
    """Drafts of all files that one `init` changes, each file read once."""

    def __init__(self, known: list[FileRecord]) -> None:
        self._known = {Path(each.path): each for each in known}
        self._by_real = {each.real: each for each in known if each.real}
        self.drafts: dict[Path, FileDraft] = {}
        self.own_files: list[FileReplacement] = []  # files of ours that go with them
        self.has_gateway = False

    def get_draft(self, path: Path) -> FileDraft:
        """Return the draft of a file, read at the first call. Raises ClientFileInvalid, FilesNotWritable."""
        found = file_changes.resolve_links(path)
        if found not in self.drafts:
            value, now = read_client_file(path), read_bytes(found)
            known = self._known.get(path) or self._by_real.get(str(found))
            draft = FileDraft(path, now, value, known, now, [])
            if known is not None:
                left = restore_content(known, now)
                draft.before = left.data
                draft.entries = [*left.removed, *left.changed]
            self.drafts[found] = draft
        return self.drafts[found]

    def add_entry(self, path: Path, entry: OwnedEntry, does: str, *, replaces_ours: bool = False) -> None:
        """Insert an entry into a file's draft. Raises ClientFileInvalid where it has no place there.

        does           what that does, for the report; "" for nothing.
        replaces_ours  the present value was written by clew, so that it is not kept as the user's.
        """
        draft = self.get_draft(path)
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
        draft.actions.append(does)


class Installer:
    """One run of `clew init` or `clew uninstall`; with `is_dry` it reports and writes nothing."""

    def __init__(self, paths: DaemonPaths, *, is_dry: bool = False) -> None:
        self.paths, self.is_dry = paths, is_dry
        self.result = InstallResult()
        self.manifest = read_manifest(paths)

    # -- init ---------------------------------------------------------------------------------------

    def check(self, target: InstallTarget, wanted: InstallOptions) -> None:
        """Raise what `install` would raise for files that cannot be parsed or written. Writes nothing."""
        self._plan_checked(target, wanted)
        self.result = InstallResult()

    def install(self, target: InstallTarget, wanted: InstallOptions) -> InstallResult:
        """Set the client up, all or nothing. Raises ClientFileInvalid, NotReadable, FilesNotWritable; UsageError for a gateway in project
        scope.
        """
        drafts = self._plan_checked(target, wanted)
        changes: list[FileReplacement] = []
        cache = target.plugin_cache / clew.__version__
        has_run = self.paths.run_dir.exists()
        if not self.is_dry:
            ensure_address(self.paths)  # made, if need be: what is written from here on names it
            self.result = InstallResult()
            drafts = self._plan(target, wanted)
            files = plugin_files.render_plugin(self.paths, has_mods=wanted.has_mods)
            changes.extend(plugin_files.plan_tree_changes(plugin_files.marketplace_dir(self.paths), files))
            changes.extend(plugin_files.plan_tree_changes(cache, plugin_files.select_plugin_files(files)))
            changes.extend(FileReplacement(path, None) for path in self._outdated(target))
            changes.extend(drafts.own_files)
        changes.extend(self._record_file(draft, target.scope) for draft in drafts.drafts.values() if draft.actions)
        self.result.actions.append(f"wrote the plugin: {plugin_files.marketplace_dir(self.paths)}, and the client's copy {cache}")
        for path, draft in drafts.drafts.items():
            if does := ", ".join(each for each in draft.actions if each):
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
        ours = [draft.path for draft in drafts.drafts.values() if draft.actions]
        for folder in [each for path in (*ours, target.plugin_cache) for each in file_changes.list_missing_dirs(path)]:
            if str(folder) not in self.manifest.folders:
                self.manifest.folders.append(str(folder))
        self.manifest.starter = plugin_files.build_start_command(self.paths)
        try:
            file_changes.apply_changes(
                [self._manifest_change(), *changes]
            )  # in this order: what stood there is durable before it is replaced
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
        """Return the files of other versions in the client's plugin cache: they may hold the token of an earlier daemon."""
        versions = [each for each in target.plugin_cache.iterdir() if each.name != clew.__version__] if target.plugin_cache.is_dir() else []
        return [path for version in versions for path in (version, *version.rglob("*")) if path.is_file() or path.is_symlink()]

    def _plan_checked(self, target: InstallTarget, wanted: InstallOptions) -> PlannedChanges:
        if wanted.with_gateway and target.scope == "project":
            raise UsageError("--gateway names this machine and a token, and project settings are shared\nhint: use --scope local or user")
        drafts = self._plan(target, wanted)
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
        file_changes.check_writable([*(draft.path for draft in drafts.drafts.values() if draft.actions), *new, *trees])
        return drafts

    def _plan(self, target: InstallTarget, wanted: InstallOptions) -> PlannedChanges:
        """Return the client's files with all of clew's entries in them."""
        drafts = PlannedChanges(self.manifest.files)
        plugins = target.client_dir / "plugins"
        market = str(plugin_files.marketplace_dir(self.paths))
        source = {"source": "directory", "path": market}
        declared = OwnedEntry(["extraKnownMarketplaces", plugin_files.PLUGIN_NAME], {"source": source})
        there, found = owned_entries.look_up(drafts.get_draft(target.client_dir / "settings.json").value, declared.place)
        if not there or as_mapping(found).get("source") != source or declared.matches(found):  # else ours, and the user has added to it
            drafts.add_entry(target.client_dir / "settings.json", declared, "declared where the plugin comes from")
        record = {"source": source, "installLocation": market, "lastUpdated": _now()}
        drafts.add_entry(
            plugins / "known_marketplaces.json", OwnedEntry([plugin_files.PLUGIN_NAME], record, same_by=["source"]), "told the client of it"
        )
        listed = plugins / "installed_plugins.json"
        known = drafts.get_draft(listed).value
        if known and known.get("version") != 2:
            raise ClientFileInvalid(listed, f"is of version {known.get('version')!r}, and 2 is known")
        if not known:
            drafts.add_entry(listed, OwnedEntry(["version"], 2, is_frame=True), "")
        installed = OwnedEntry(
            ["plugins", plugin_files.PLUGIN_ID], self._installed(target, known), is_element=True, same_by=INSTALLATION_KEYS
        )
        drafts.add_entry(listed, installed, f"installed the plugin in {target.scope} scope")
        drafts.add_entry(target.settings, OwnedEntry(["enabledPlugins", plugin_files.PLUGIN_ID], True), "enabled it")
        self._put_rule(drafts, target.settings)
        if wanted.with_statusline:
            self._put_statusline(drafts, target)
        if wanted.with_gateway or is_gateway_url(_base_url_in(drafts.get_draft(target.private_settings).value)):
            self._put_gateway(drafts, target, wanted)
        return drafts

    def _put_rule(self, drafts: PlannedChanges, path: Path) -> None:
        """Allow the five tools, unless the user has decided otherwise."""
        draft = drafts.get_draft(path)
        permissions = as_mapping(draft.value.get("permissions"))
        rule = OwnedEntry(["permissions", "allow"], plugin_files.TOOLS_PERMISSION, is_element=True)
        before = find_entries(draft.record)[0] if draft.record is not None else []
        was_removed = any(each.has_same_target(rule) for each in before) and not any(each.has_same_target(rule) for each in draft.entries)
        for name in ("deny", "ask"):
            if plugin_files.TOOLS_PERMISSION in _strings(permissions.get(name)):
                self.result.notes.append(f"{path}: permissions.{name} names clew's tools, so they were not allowed")
                return
        if was_removed and draft.current != decode_bytes(cast("FileRecord", draft.record).before):
            hint = f"add {plugin_files.TOOLS_PERMISSION!r} to permissions.allow for the tools to be used without a question"
            self.result.notes.append(f"{path}: the permission for clew's tools was taken out since, and was not granted again; {hint}")
            return
        drafts.add_entry(path, rule, "allowed its five tools")

    def _put_statusline(self, drafts: PlannedChanges, target: InstallTarget) -> None:
        command = shlex.join([*plugin_files.build_script_command(self.paths), "statusline"])
        draft = drafts.get_draft(target.private_settings)
        own = draft.value.get("statusLine")
        line = OwnedEntry(["statusLine"], {"type": "command", "command": command})
        found = as_mapping(own).get("command") or as_mapping(read_client_file(target.client_dir / "settings.json").get("statusLine")).get(
            "command"
        )
        if found == command and own is not None and not line.matches(own):
            return  # ours, and the user has added to it: it stays, and so does what is known of it
        if "clew_hook" in str(as_mapping(own).get("command")):  # of an earlier call: what else the user has set of it stays
            line.value = {**as_mapping(own), **line.value}
            drafts.add_entry(target.private_settings, line, "set the status line", replaces_ours=True)
        elif found is None or "clew_hook" in str(found):
            drafts.add_entry(target.private_settings, line, "set the status line")
        else:
            self.result.notes.append(f"another status line is set and was left: to have clew's, set statusLine.command to {command}")

    def _put_gateway(self, drafts: PlannedChanges, target: InstallTarget, wanted: InstallOptions) -> None:
        """Route the client's requests through the gateway, and have it trust the gateway's certificate beside its present ones."""
        found = read_address(self.paths)
        where = found if found is not None and found.gateway else DaemonAddress(0, "", "KEY")  # made before anything is written
        drafts.has_gateway = True
        env = as_mapping(drafts.get_draft(target.private_settings).value.get("env"))
        asks = _base_url_in(drafts.get_draft(target.private_settings).value)
        before = asks or wanted.base_url
        if before and not is_gateway_url(before):
            drafts.own_files.append(FileReplacement(self.paths.run_dir / "upstream", (before + "\n").encode()))
            self.result.notes.append(f"the gateway asks {before}, whom the client asked before")
        url = OwnedEntry(["env", "ANTHROPIC_BASE_URL"], build_gateway_url(where))
        drafts.add_entry(target.private_settings, url, "sent the client's requests through the gateway", replaces_ours=is_gateway_url(asks))
        trusted = str(env.get("NODE_EXTRA_CA_CERTS") or wanted.extra_certificates)
        if trusted not in ("", str(self.paths.trust_bundle)):
            try:
                drafts.own_files.append(FileReplacement(self.paths.other_certificates, Path(trusted).read_bytes()))
            except OSError as error:
                raise NotReadable(
                    trusted, error.strerror or str(error), "NODE_EXTRA_CA_CERTS names it; correct it, or take it out"
                ) from error
        trusts = OwnedEntry(["env", "NODE_EXTRA_CA_CERTS"], str(self.paths.trust_bundle))
        drafts.add_entry(
            target.private_settings, trusts, "had it trust the gateway's certificate", replaces_ours=trusted == str(self.paths.trust_bundle)
        )

    def _installed(self, target: InstallTarget, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of this installation for the client's list."""
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

    def _record_file(self, draft: FileDraft, scope: str) -> FileReplacement:
        """Add a draft's bytes and entries to the manifest, and return the change that writes the file."""
        same = draft.current is not None and json.dumps(draft.value) == json.dumps(parse_object(draft.current))
        data = draft.current if same and draft.current is not None else dump_object(draft.value, draft.current)
        found = file_changes.resolve_links(draft.path)
        mode = stat.S_IMODE(found.stat().st_mode) if draft.current is not None else 0o600
        noted = FileRecord(
            str(draft.path),
            None if draft.before is None else base64.b64encode(draft.before).decode(),
            mode,
            base64.b64encode(data).decode(),
            draft.record.scope if draft.record is not None else scope,
            real=str(found),
            entries=draft.entries,
            containers=owned_entries.find_created_containers(parse_object(draft.before), draft.value, draft.entries),
        )
        others = [each for each in self.manifest.files if each is not draft.record]
        self.manifest.files = [*others, noted]
        return FileReplacement(draft.path, data)

    def _manifest_change(self) -> FileReplacement:
        """Return the change that writes the manifest."""
        self.manifest.version = clew.__version__
        return FileReplacement(self.paths.home / MANIFEST_NAME, msgspec.json.format(msgspec.json.encode(self.manifest), indent=1), 0o600)

    # -- uninstall ----------------------------------------------------------------------------------

    def disable_autostart(self) -> None:
        """Delete the file without which nothing starts the daemon, before everything else, so that no session starts it meanwhile."""
        if not self.is_dry:
            with suppress(OSError):  # `uninstall` takes its folder away, and says so where that fails
                plugin_files.installation_marker(self.paths).unlink(missing_ok=True)

    def uninstall(self) -> InstallResult:
        """Undo everything that `init` did, in all scopes. What cannot be undone is reported, and the rest goes on."""
        self.disable_autostart()
        undone = [touched for touched in reversed(self.manifest.files) if not self._restore(touched)]
        for tree in self.manifest.trees:
            if Path(tree).is_dir():
                self._delete_tree(Path(tree))
        if plugin_files.marketplace_dir(self.paths).is_dir():
            self._delete_tree(plugin_files.marketplace_dir(self.paths))
        if not self.is_dry:
            for made in sorted(set(self.manifest.folders), key=len, reverse=True):
                with suppress(OSError):  # somebody else has put something there: it stays
                    Path(made).rmdir()
            self._forget_restored(list(reversed(undone)))
        return self.result

    def _forget_restored(self, undone: list[FileRecord]) -> None:
        """Delete the manifest, or keep in it only the files that are still to be restored."""
        path = self.paths.home / MANIFEST_NAME
        try:
            (self.paths.run_dir / "upstream").unlink(missing_ok=True)
            if undone:
                self.result.is_incomplete = True
                self.manifest = InstallManifest(files=undone, folders=self.manifest.folders, version=self.manifest.version)
                file_changes.apply_changes([self._manifest_change()])
                self.result.notes.append("call `clew uninstall` again once that can be written")
            else:
                path.unlink(missing_ok=True)
        except (OSError, FilesNotWritable) as error:
            self.result.notes.append(f"{path} could not be taken away ({error})")

    def _delete_tree(self, tree: Path) -> None:
        if not self.is_dry:
            shutil.rmtree(tree, ignore_errors=True)
            if tree.exists():
                self.result.notes.append(f"{tree} could not be taken away: rm -r {shlex.quote(str(tree))}")
                return
        self.result.actions.append(f"took away {tree}")

    def _restore(self, touched: FileRecord) -> bool:
        """Remove clew's entries from a file. Returns whether nothing is left to do there."""
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
            now = read_bytes(file_changes.resolve_links(path))
            left = restore_content(touched, now)
        except (OSError, ClientFileInvalid, FilesNotWritable) as error:
            what = str(error).partition(", so nothing")[0]
            self.result.notes.append(f"{what}; {_by_hand(touched.entries or find_entries(touched)[0])} of {path} by hand")
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
                file_changes.apply_changes([FileReplacement(path, left.data)])
        except FilesNotWritable as error:
            self.result.notes.append(f"{path} cannot be written ({error.reason}), and was left; {_by_hand(left.removed)} by hand")
            return False
        if left.data is None:
            self.result.actions.append(f"took away {path}")
        elif left.is_original:
            self.result.actions.append(f"restored {path}")
        else:
            self.result.actions.append(f"took what is ours out of {path}, which was changed since")
        return True


def _by_hand(entries: list[OwnedEntry]) -> str:
    return ", ".join(entry.undo_instruction for entry in entries) or "take what is clew's out"


def _hooks_off(target: InstallTarget) -> list[str]:
    """Return a sentence for each of the user's settings files that disables hooks."""
    said: list[str] = []
    for file in dict.fromkeys(locate_settings(target.client_dir, target.root).values()):
        with suppress(ClientFileInvalid):  # one that is not ours to write: `clew doctor` tells of it
            if read_client_file(file).get("disableAllHooks") is True:
                said.append(f"{file} sets disableAllHooks: no hook of clew will run")
    return said


def locate_settings(client: Path, root: Path) -> dict[str, Path]:
    """Return the client's settings files by scope: `client` is its folder, `root` the repository."""
    return {
        "user": client / "settings.json",
        "project": root / ".claude" / "settings.json",
        "local": root / ".claude" / "settings.local.json",
    }


def build_gateway_url(where: DaemonAddress) -> str:
    """Return the base URL of the gateway for the client: TLS, so that a foreign process on the port learns nothing."""
    return f"https://127.0.0.1:{where.port}/gateway/{where.gateway}"


def is_gateway_url(url: str) -> bool:
    """Return whether a base URL is that of clew's gateway, of this release or an earlier one."""
    return re.fullmatch(r"https?://127\.0\.0\.1:\d+/gateway/[0-9a-f]{64}", url) is not None


def _base_url_in(value: Mapping[str, Any]) -> str:
    """Return the API base URL in a settings value, "" for none."""
    return str(as_mapping(value.get("env")).get("ANTHROPIC_BASE_URL") or "")


def _strings(value: object) -> list[str]:
    return [str(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
