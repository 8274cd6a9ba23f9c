"""Apply to a work tree what git commands do to files, the index and the commits, by their words and by what git printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from clew.records import FileStatus, SimpleCommand
from clew.task.commands import is_path
from clew.task.ended_line import EndedLine, is_any, joined
from clew.task.file_commands import move_all, remove_all
from clew.task.git import (
    GitCommit,
    GitEffectKind,
    count_dropped_commits,
    has_git_refused,
    parse_git_effect,
    read_commit_summary,
    shows_problem,
)
from clew.task.work_tree import COMMITS_MAX, UNKNOWN_REPO, FileVersion, SessionCommit, TrackedFile, WorkTree, is_created

_LOOKS = frozenset(("diff", "show", "log", "stash", "merge", "pull", "status"))
_COMMIT_VALUES = frozenset(
    ("--message", "--file", "--author", "--date", "--template", "--reuse-message", "--reedit-message", "--fixup", "--squash", "--trailer")
)
_ADD_FAILED = re.compile(
    r"^(?:fatal: pathspec|The following paths are ignored|error: (?:unable|insufficient|open)|fatal: .*index)", re.MULTILINE
)
_STATUS = re.compile(r"[ MTADRCU?!]{2} \S")
_MODIFIED = re.compile(r"^(?:\t(?:modified|new file): {1,12}| ?[MA][ MD] ?)(?=\S)(.+)$", re.MULTILINE)
_ENDED = re.compile(r"^(?:Successfully rebased|Merge made by|Fast-forward|Updating [0-9a-f]{5,40}\.\.)", re.MULTILINE)


def run_git(tree: WorkTree, line: EndedLine, simple: SimpleCommand) -> bool:
    """Apply a git command to files, the index and the commits; return whether it made a commit."""
    verb = simple.words[1] if len(simple.words) > 1 else ""
    folder = line.folder
    if simple.folder:
        folder = joined(folder, simple.folder)
    inner = replace(line, folder=folder)
    if verb == "commit" or (verb in ("rebase", "merge", "cherry-pick", "revert", "am") and "--continue" in simple.words):
        return _make_commit(tree, inner, simple, verb)
    if verb == "status":
        _read_status(tree, inner, simple)
    if (
        simple.is_conditional
        or simple.is_repeated
        or (shows_problem(line.output) and verb not in ("pull", "merge", "rebase", "cherry-pick", "add"))
        or (verb == "add" and _ADD_FAILED.search(line.output))
    ):
        return False
    has_run = line.is_ok or simple.is_status_lost or simple is not line.command.commands[-1]
    if folder is None or (not has_run and verb not in ("merge", "rebase", "cherry-pick", "revert", "pull", "stash")):
        return False
    repo, rest = tree.repository_of(folder), simple.words[2:]
    names = [word for word in rest if not word.startswith("-")]
    if verb in ("add", "stage"):
        _stage(tree, inner, repo, rest, names)
    elif verb == "rm" and not {"-n", "--dry-run"} & set(rest):
        listed = re.findall(r"^rm '(.+)'$", line.output, re.MULTILINE)
        if "--cached" in rest:
            _uncache(tree, inner, repo, names)
        elif listed:
            for path in listed:
                known = [file.path for file in tree.of(repo) if is_created(file.path, path)]
                for each in known or [f"{repo}/{path}" if repo else path]:
                    tree.remove(each, inner.observation, is_staged=True)
        else:
            is_deep = any("r" in word for word in rest if word.startswith("-") and word[1:2] != "-")
            remove_all(tree, inner, names, is_forced=is_deep, is_staged=True)
    elif verb == "mv":
        move_all(tree, inner, names, is_staged=True)
    elif verb == "reset":
        _reset(tree, inner, repo, rest, names)
    elif verb == "restore" and "--staged" in rest and "--worktree" not in rest:
        _unstage(tree, repo, inner.matching(names))
    elif verb == "clean" and not {"-n", "--dry-run"} & set(rest):
        for removed in re.findall(r"^Removing (\S.*)$", line.output, re.MULTILINE):
            remove_all(tree, inner, [removed.strip()], is_forced=True)
    elif verb == "stash":
        _stash_changes(tree, inner, repo, rest, names)
    elif verb in ("merge", "rebase", "cherry-pick", "pull", "am"):
        _integrate(tree, inner, repo, verb, rest)
    else:
        _take_back(tree, inner, repo, simple)
    return False


def _read_status(tree: WorkTree, line: EndedLine, simple: SimpleCommand) -> None:
    """Note which changes git no longer sees: somebody has committed them, or taken them back."""
    commands = line.command.commands
    at = next(at for at, each in enumerate(commands) if each is simple)
    if (
        line.folder is None
        or any(each.reads_pipe for each in commands[at + 1 : at + 2])
        or any(word[:1] != "-" for word in simple.words[2:])
    ):
        return
    named = {path.strip('"') for path in _MODIFIED.findall(line.output)}
    for file in tree.of(tree.repository_of(line.folder)):  # git sees changes in a file that was committed: they are not
        if not file.is_dirty and file.taken and any(is_created(file.path, path) for path in named):
            file.taken, file.staged, file.doubtful = [], None, -1
    listed: set[str] = set()
    if {"-s", "--short", "--porcelain"} & set(simple.words):
        lines = [each for each in line.output.split("\n") if each.strip() and not each.startswith("## ")]
        if len(commands) > 1 or not all(_STATUS.match(each) for each in lines):
            return
        listed = {path.strip('"') for each in lines for path in each[3:].split(" -> ")}
    elif "nothing to commit, working tree clean" not in line.output:
        return
    for file in tree.of(tree.repository_of(line.folder)):
        if file.is_dirty and not any(is_created(file.path, path.rstrip("/")) or file.path.startswith(path) for path in listed):
            file.doubtful = file.now.number


def _stage(tree: WorkTree, line: EndedLine, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
    options = [word for word in rest if word.startswith("-") and word != "--"]
    if {"-n", "--dry-run"} & set(options):
        return
    is_partial = bool({"-p", "--patch", "-i", "-e"} & set(options))
    only_tracked = bool({"-u", "--update"} & set(options))
    matches = line.matching(names) if names else is_any
    if not names and not ({"-A", "--all", "--no-ignore-removal"} & set(options) or only_tracked):
        return
    for file in tree.of(repo):
        if not matches(file.path) or (only_tracked and file.is_new):
            continue
        file.doubt_if_uncached()
        is_gone = file.now.state is FileStatus.REMOVED or file.now.moved_to
        if is_gone and file.is_tracked is False:
            continue
        if is_partial or (only_tracked and file.is_new is None):
            file.doubtful = file.now.number
        elif file.now.number != file.committed.number:
            file.staged = file.now


def _unstage(tree: WorkTree, repo: str, matches: Callable[[str], bool]) -> None:
    for file in tree.of(repo):
        if matches(file.path):
            file.staged = None
            file.doubt_if_uncached()


def _uncache(tree: WorkTree, line: EndedLine, repo: str, names: Sequence[str]) -> None:
    """Take files out of the index, so that git knows nothing of those that stay in the work tree."""
    tree.is_unsure = True
    matches = line.matching(names)
    for file in tree.of(repo):
        if matches(file.path) and file.is_tracked is not False:
            file.is_uncached = bool(file.taken) or file.is_tracked is None
            file.taken, file.staged, file.is_tracked = [], None, False


def _make_commit(tree: WorkTree, line: EndedLine, simple: SimpleCommand, verb: str) -> bool:
    """Let a commit take what is staged, what it names, or all; return whether it was made."""
    rest = simple.words[2:]
    is_all, paths = _parse_commit(rest) if verb == "commit" else (False, [])
    if {"--dry-run", "--skip", "--abort", "--quit"} & set(rest):
        return False
    report = _report_of(line, simple)
    if report is None and verb != "commit" and _ENDED.search(line.output):
        report = GitCommit()
    if report is None:
        if not _is_refused(line, simple):
            _doubt(tree, line)
        return False
    if line.folder is None:
        _doubt(tree, line)
        tree.commits.append(SessionCommit(tree.next_number(), report, UNKNOWN_REPO, line.observation.uuid))
        return True
    repo = tree.repository_of(line.folder)
    tree.begun.pop(repo, None)
    if verb == "rebase" and "Successfully rebased" in line.output:
        _rehash(tree, repo)
    is_amended = "--amend" in rest
    is_also_staged = bool({"-i", "--include"} & set(rest))
    matches = line.matching(paths)
    takes: list[tuple[TrackedFile, FileVersion]] = []
    doubtful: list[TrackedFile] = []
    for file in tree.of(repo):
        if paths and not (is_also_staged and not matches(file.path)):
            version = file.now if matches(file.path) else None
        elif is_all and file.is_new is False:
            version = file.now
        elif is_all and file.is_new is None:
            doubtful.append(file)
            continue
        else:
            version = file.staged
        if version and version.number != file.committed.number:
            takes.append((file, version))
    commit = SessionCommit(tree.next_number(), report, repo, line.observation.uuid)
    if is_amended and tree.commits and tree.commits[-1].repo == repo:
        previous = tree.commits.pop()
        for file in tree.of(repo):
            file.taken = [(commit if old.number == previous.number else old, version) for old, version in file.taken]
    tree.commits.append(commit)
    del tree.commits[:-COMMITS_MAX]
    count = sum(not version.moved_to for _, version in takes)
    is_exact = is_amended or report.files is None or count <= report.files
    for file, version in takes:
        is_gone = version.state is FileStatus.REMOVED or bool(version.moved_to)
        is_denied = not is_gone and any(is_created(file.path, path) for path in report.deleted)
        if not is_denied and (is_exact or any(is_created(file.path, path) for path in report.listed)):
            file.taken.append((commit, version))
            file.is_tracked = version.state is not FileStatus.REMOVED and not version.moved_to
        else:
            file.doubtful = file.now.number
        file.staged = None
    if report.files is not None and report.files <= count and not is_amended:
        doubtful = []
    elif report.files is not None and not is_amended and not paths:
        doubtful = [file for file in tree.of(repo) if file.is_dirty]
    for file in doubtful:
        file.doubtful = file.now.number
    for file in tree.of(repo):
        file.is_uncached = False
    return True


def _report_of(line: EndedLine, simple: SimpleCommand) -> GitCommit | None:
    """The commit that a command made; None where it made none, or nobody knows."""
    if line.reports:
        return line.reports.pop(0)
    commands = line.command.commands
    others = any(each.program == "git" and set(each.words[1:2]) & _LOOKS for each in commands)
    if not others and (summary := read_commit_summary(line.output)):
        return summary
    is_own = line.is_ok and not simple.is_status_lost and not simple.is_conditional and not simple.is_repeated
    has_status = any(each.words[:2] == ("git", "status") for each in commands)
    return GitCommit() if is_own and (has_status or not has_git_refused(line.output)) else None


def _is_refused(line: EndedLine, simple: SimpleCommand) -> bool:
    """Say whether a commit that git did not report was certainly not made: git would have reported it."""
    if simple.is_background or (line.call.result and line.call.result.job):
        return False
    is_quiet = any(re.match(r"-[a-zA-Z]*q|--quiet", word) for word in simple.words[2:]) or bool(simple.writes)
    at = next(at for at, each in enumerate(line.command.commands) if each is simple)
    is_filtered = any(after.reads_pipe for after in line.command.commands[at + 1 : at + 2])
    return has_git_refused(line.output) or not (is_quiet or is_filtered)


def _doubt(tree: WorkTree, line: EndedLine) -> None:
    """Note that a commit may have taken any change."""
    for file in tree.files.values() if line.folder is None else tree.of(tree.repository_of(line.folder)):
        file.doubtful = file.now.number


def _reset(tree: WorkTree, line: EndedLine, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
    kept = {"--merge", "--keep"} & set(rest)  # changes that are not staged stay
    is_hard, is_soft = "--hard" in rest or bool(kept), "--soft" in rest
    revision = next((name for name in names if tree.find_commit(name) is not None or count_dropped_commits(name) is not None), "")
    paths = [name for name in names if name != revision]
    if "--" in rest:
        paths = list(rest[rest.index("--") + 1 :])
    has_target = bool(names) and not revision and len(names) == 1 and not is_path(names[0]) and "--" not in rest
    if paths and not is_hard and not is_soft and not has_target:
        _unstage(tree, repo, line.matching(paths))
        return
    target = tree.find_commit(revision)
    dropped = count_dropped_commits(revision)
    if target is None and not has_target and not (is_hard and names and dropped is None) and dropped is not None:
        own = [commit for commit in tree.commits if commit.repo == repo]
        gone = own[len(own) - dropped :] if dropped else []
        if dropped > len(own) or any(not commit.is_known for commit in gone):
            gone = own
    elif target is not None:
        gone = [commit for commit in tree.commits if commit.repo == repo and commit.number > target.number]
    else:  # to a commit that nobody here has seen made
        _forget(tree, repo, with_changes=is_hard)
        return
    numbers = {commit.number for commit in gone}
    tree.commits = [commit for commit in tree.commits if commit.number not in numbers]
    for file in list(tree.of(repo)):
        was_taken = any(commit.number in numbers for commit, _ in file.taken)
        staged = file.staged or (file.committed if was_taken and file.taken else None)
        file.taken = [(commit, version) for commit, version in file.taken if commit.number not in numbers]
        if is_soft:
            file.staged = staged
            continue
        is_new = file.is_new and not was_taken
        is_own = file.now.number not in (0, file.committed.number) and file.now != file.staged
        file.staged = None
        file.doubt_if_uncached()
        if kept and not was_taken and (is_own or "--keep" in kept):
            continue
        if is_hard and is_new is None:
            del tree.files[file.path]
        elif is_hard and not is_new:
            tree.restore(file, file.committed)
        elif was_taken and not file.taken and not is_hard and file.now.state is FileStatus.WRITTEN:
            file.is_tracked = None


def _forget(tree: WorkTree, repo: str, *, with_changes: bool) -> None:
    """Note that the repository stands at an unknown commit; `with_changes` also of the work tree."""
    for file in list(tree.of(repo)):
        if with_changes and (file.taken or file.doubtful == file.now.number or file.is_new is None):
            del tree.files[file.path]
        elif with_changes and not file.is_new:
            file.put(FileVersion())
        elif file.taken:
            file.taken, file.doubtful = [], file.now.number
        file.staged = None
    tree.commits = [commit for commit in tree.commits if commit.repo != repo]


def _stash_changes(tree: WorkTree, line: EndedLine, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
    what = names[0] if names else "push"
    if what in ("pop", "apply"):
        at = next((int(found[1]) for name in names[1:] if (found := re.search(r"(\d{1,3})\}?$", name))), 0)
        if at < len(tree.stashes) and "CONFLICT" not in line.output:
            for path, version in tree.stashes[-1 - at].items():
                if file := tree.files.get(path):
                    file.put(version)
                    file.is_stashed = False
                    tree.outdate(file)
            if what == "pop":
                del tree.stashes[-1 - at]
        elif at < len(tree.stashes):
            for path in tree.stashes[-1 - at]:
                tree.files.pop(path, None)
    elif what in ("drop", "clear"):
        gone = tree.stashes[-1:] if what == "drop" and len(names) < 2 else list(tree.stashes)
        for path in {path for stash in gone for path in stash}:
            if file := tree.files.get(path):
                file.is_stashed = False
        tree.stashes = tree.stashes[: len(tree.stashes) - len(gone)]
    elif what in ("push", "save") or (rest and rest[0].startswith("-")):
        paths = list(rest[rest.index("--") + 1 :]) if "--" in rest else _pushed_paths(rest) if what == "push" else []
        if not line.is_ok and "Saved working directory" not in line.output:
            return
        matches = line.matching(paths) if paths else is_any
        with_untracked = any(re.fullmatch(r"-[a-z]*[ua][a-z]*|--include-untracked|--all", word) for word in rest)
        kept: dict[str, FileVersion] = {}
        for file in list(tree.of(repo)):
            is_new = file.is_new
            if not file.is_dirty or not matches(file.path):
                continue
            if is_new is None and not with_untracked:
                del tree.files[file.path]
            elif with_untracked or not is_new:
                kept[file.path] = file.now
                tree.restore(file, file.committed)
                file.staged, file.is_stashed = None, True
        tree.stashes.append(kept)


def _integrate(tree: WorkTree, line: EndedLine, repo: str, verb: str, rest: Sequence[str]) -> None:
    """Follow `git merge`, `rebase`, `cherry-pick`, `pull`: what came in, where it stopped at a conflict, or was given up."""
    if "--abort" in rest:
        for path, version in tree.begun.pop(repo, {}).items():
            if (file := tree.files.get(path)) and file.now.number != version.number:
                file.put(version)
                tree.outdate(file)
        return
    if "CONFLICT" in line.output or "could not apply" in line.output:
        tree.begun[repo] = {file.path: file.now for file in tree.of(repo)}
        tree.doubt_committed(repo)
    elif "Already up to date" in line.output or "is up to date." in line.output:
        return
    if "Successfully rebased" in line.output:
        _rehash(tree, repo)
    report = line.reports.pop(0) if line.reports and verb in ("cherry-pick", "merge") else GitCommit()
    is_own = verb == "merge" and "Merge made by" in line.output
    if verb != "rebase" and line.is_ok:
        tree.commits.append(
            SessionCommit(tree.next_number(), report, repo, line.observation.uuid, is_known=is_own or verb == "cherry-pick")
        )
    for file in tree.of(repo):  # they were checked without what came in
        for form, (check, run) in file.checks.items():
            file.checks[form] = replace(check, is_stale=True), run


def _rehash(tree: WorkTree, repo: str) -> None:
    """Forget the hashes of commits that a rebase made anew."""

    def renamed(commit: SessionCommit) -> SessionCommit:
        return replace(commit, report=replace(commit.report, digest="")) if commit.repo == repo else commit

    tree.commits = [renamed(commit) for commit in tree.commits]
    for file in tree.of(repo):
        file.taken = [(renamed(commit), version) for commit, version in file.taken]


def _take_back(tree: WorkTree, line: EndedLine, repo: str, simple: SimpleCommand) -> None:
    """Apply `checkout`, `switch`, `restore` and `revert`."""
    effect = parse_git_effect(simple)
    if {"--theirs", "--ours"} & set(simple.words):  # whatever that is
        matches = line.matching([word for word in simple.words[2:] if not word.startswith("-")])
        for file in [file for file in tree.of(repo) if matches(file.path)]:
            del tree.files[file.path]
    if effect is None:
        options = set(simple.words[2:])
        if simple.words[1] == "checkout" and options & {"-f", "--force"} and all(word[:1] == "-" for word in options):
            _reset(tree, line, repo, ("--hard",), ())
        elif simple.words[1] == "revert" and {"-n", "--no-commit"} & set(simple.words):
            for file in [file for file in tree.of(repo) if file.taken or file.now.state is FileStatus.REVERTED]:
                del tree.files[file.path]
        return
    if effect.kind is GitEffectKind.REVERT:
        _revert(tree, line, repo, effect.names)
    elif effect.kind is GitEffectKind.SWITCH and line.path(effect.names[0]) not in tree.files:
        if effect.is_new or _switched(line.output) is not None or simple.words[1] == "switch" or (line.is_ok and not line.output.strip()):
            _switch(tree, repo, effect.names[0], is_new=effect.is_new)
    elif effect.kind in (GitEffectKind.PUT_BACK, GitEffectKind.SWITCH):
        source = _source(simple)
        names = [name for name in effect.names if name != source]
        matches = line.matching(names or ["."])
        if not names and not effect.names and "." not in simple.words:
            matches = is_any
        for file in list(tree.of(repo)):
            is_new = file.is_new
            if not matches(file.path) or is_new:
                continue
            if is_new is None:
                if file.path not in names:
                    del tree.files[file.path]
                    continue
                file.is_tracked = True  # else git had complained
            if source and source not in ("HEAD", "@") and ((to := tree.find_commit(source)) is None or not tree.is_newest(to)):
                if file.taken or file.staged:
                    del tree.files[file.path]
                else:
                    file.put(FileVersion())
                continue
            is_whole = bool(source) or "--staged" in simple.words
            tree.restore(file, file.committed if is_whole else file.staged or file.committed)
            file.staged = None if is_whole else file.staged


def _revert(tree: WorkTree, line: EndedLine, repo: str, names: Sequence[str]) -> None:
    """Apply a commit that undoes earlier ones."""
    if "CONFLICT" in line.output:
        tree.doubt_committed(repo)
    reports = [line.reports.pop(0)] if line.reports else [GitCommit()] if line.is_ok else []
    if not reports:
        return
    name = names[0] if names else "HEAD"
    own = [commit for commit in tree.commits if commit.repo == repo]
    back = count_dropped_commits(name)
    undone = own[-1 - back] if back is not None and back < len(own) else tree.find_commit(name)
    if undone and any(not each.is_known for each in own[own.index(undone) :]):
        undone = None
    commit = SessionCommit(tree.next_number(), reports[0], repo, line.observation.uuid)
    tree.commits.append(commit)
    for file in list(tree.of(repo)):
        if undone is None or len(names) > 1:
            file.doubtful = file.now.number
            if file.now.state not in (FileStatus.EDITED, FileStatus.WRITTEN):
                del tree.files[file.path]
            continue
        if not file.taken or all(old.number != undone.number for old, _ in file.taken):
            continue
        before = file.taken[-2][1] if len(file.taken) > 1 else FileVersion()
        if file.taken[-1][0].number == undone.number and file.now.number == file.committed.number:
            file.taken.append((commit, before))
            file.put(before)
        else:
            file.doubtful, file.taken, file.checks = file.now.number, [], {}
        tree.outdate(file)


def _switch(tree: WorkTree, repo: str, name: str, *, is_new: bool) -> None:
    tree.branches[repo] = name
    for file in tree.of(repo) if not is_new else ():
        if file.taken:
            for form, (check, run) in file.checks.items():
                file.checks[form] = replace(check, is_stale=True), run


def _pushed_paths(rest: Sequence[str]) -> list[str]:
    """The paths of `git stash push -m text a.py b.py`."""
    pairs = zip(("", *rest), rest, strict=False)
    return [word for before, word in pairs if word[:1] != "-" and word != "push" and before not in ("-m", "--message")]


def _parse_commit(rest: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether `git commit` takes all tracked files, and the paths that it names."""
    is_all, paths, words = False, list[str](), iter(rest)
    for word in words:
        if word == "--":
            paths += words
        elif word.startswith("--"):
            is_all = is_all or word == "--all"
            if word in _COMMIT_VALUES:
                next(words, None)
        elif word.startswith("-"):
            for at, letter in enumerate(word[1:], 1):
                is_all = is_all or letter == "a"
                if letter in "mFCctS":
                    if at == len(word) - 1 and letter != "S":
                        next(words, None)
                    break
        else:
            paths.append(word)
    return is_all, paths


def _source(simple: SimpleCommand) -> str:
    """The commit from which `git checkout` or `git restore` takes files, "" for the index."""
    words = simple.words[2:]
    for at, word in enumerate(words):
        if word.startswith("--source="):
            return word.partition("=")[2]
        if word in ("--source", "-s") and at + 1 < len(words):
            return words[at + 1]
    if simple.words[1] != "checkout":
        return ""
    before = words[: words.index("--")] if "--" in words else words[:1] if len(words) > 1 else ()
    plain = [word for word in before if not word.startswith("-")]
    is_revision = bool(plain) and ("--" in words or not is_path(plain[0]))
    return plain[0] if is_revision else ""


def _switched(output: str) -> str | None:
    found = re.search(
        r"^(?:Switched to (?:a new )?branch '([^']+)'|Note: switching to '([^']+)'|HEAD is now at (\w+))", output, re.MULTILINE
    )
    return next((group for group in found.groups() if group), None) if found else None
