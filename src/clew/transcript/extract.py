"""Extract records from observations: with originals, words for the search index, edges, and which earlier records end.

A call and its result become one record, whose text is what was asked and, byte for byte, the output. Rules that the user
states and decisions of the agent become records of their own beside the message. The raw lines of the transcript are kept
too, in pieces of kind `transcript`, which are found by handle and never by their words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from xxhash import xxh3_64_hexdigest

from clew.records import (
    Blob,
    Delta,
    Edge,
    EdgeKind,
    EndKind,
    EndReason,
    FileChange,
    Layer,
    Observation,
    ObservationKind,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Supersession,
    ToolCall,
    ToolKind,
    Trust,
    make_id,
)
from clew.store.originals import digest_of
from clew.task.bounded import drop_oldest
from clew.task.client_notes import strip_client_note
from clew.task.commands import CheckScope, CommandAnalysis, analyse_command
from clew.task.dead_ends import DEAD_ENDS_MAX, DeadEndChanges, strip_common_lines
from clew.task.outcomes import has_failed, judge_check
from clew.task.prompts import extract_typed_text, find_stated_rules
from clew.task.rules import find_withdrawn_rules
from clew.task.truncation import parse_truncation_notice
from clew.text.embed import Embedder
from clew.text.postings import NameUse, ScopedUse, SearchDocument, pack_postings
from clew.text.words import extract_words
from clew.transcript import drafts
from clew.transcript.dialects import DIALECTS
from clew.transcript.dialects.values import int_or_zero, mapping_or_empty
from clew.transcript.drafts import RecordDraft
from clew.transcript.git_effects import apply_git_command
from clew.transcript.ledger import EndedRecord, FileLines, Ledger, hash_lines
from clew.transcript.mentions import PathResolver, find_paths, find_rare_identifiers, normalize_folders
from clew.transcript.progress import SessionProgress
from clew.transcript.statements import find_claims, find_decisions, find_first_sentence
from clew.transcript.vocabulary import HANDOFF_HEADING

PRODUCER = "transcript/1"
INLINE_BYTES_MAX = 1000  # a longer text is a blob of its own; a shorter one costs less beside its record
FOLDED_BYTES_MAX = 600  # about 200 tokens: one screen of a file, or the end of a test run with its summary
RAW_LINES_BYTES = 256 << 10  # original lines per blob: zstd gains little beyond, and one unfold stays cheap
# Words of a text that the index gets: a longer middle is generated, listed or logged, and repeats the words of its ends.
# The cap keeps a 30 MB result as cheap as a 30 kB one; of 174 real sessions it cuts 1 % of the texts.
BODY_HEAD_CHARS, BODY_TAIL_CHARS = 20_000, 10_000
MENTION_HEAD_CHARS, MENTION_TAIL_CHARS = 6_000, 2_000  # names of a longer text are found by their words alone
VIEW_CHARS_MAX = 2_000_000  # guess: what is longer is a log, and is not read again to be compared
TASKS_MAX = 200
CITED_FILES_MAX = 3  # files that one claim is tied to; guess
RULES_MAX = 64  # rules that a later word may still take back; guess
_LINE = re.compile(r":(\d{1,7})")
_NUMBERED = re.compile(r"[ \t]*(\d{1,9})[→\t]")
_TRUNCATED = re.compile(
    r"\.\.\. ?\[?\d[\d,]* (?:lines?|characters?|chars?|tokens?) (?:truncated|omitted)|…\d+ tokens truncated…"
    r"|\[Output truncated|\[\d+ lines? truncated"
)
_ENTERED: dict[ToolKind, Callable[[ToolCall], RecordDraft]] = {
    ToolKind.AGENT: drafts.build_agent_run_draft,
    ToolKind.QUESTION: drafts.build_answer_draft,
    ToolKind.OTHER: drafts.build_other_call_draft,
}
_REPEATED = frozenset[str]().union(*(dialect.repeated_attachments for dialect in DIALECTS))


class _Memory(msgspec.Struct):
    prompt: str = ""  # id of the newest prompt, parent of what is done for it
    bases: list[str] = msgspec.field(default_factory=list[str])
    tasks: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict[str, tuple[str, str]])
    rules: list[tuple[str, str]] = msgspec.field(default_factory=list[tuple[str, str]])  # id and words of what binds, oldest first
    dead_ends: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # subject: id of the live record
    ledger: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(slots=True)
class ExtractedRecords:
    """What a `RecordExtractor` made of a batch of observations, before it becomes a `Delta`."""

    records: list[Record] = field(default_factory=list[Record])
    documents: list[SearchDocument] = field(default_factory=list[SearchDocument])
    edges: list[Edge] = field(default_factory=list[Edge])
    superseded: list[Supersession] = field(default_factory=list[Supersession])
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    lines: set[str] = field(default_factory=set[str])
    ids: set[str] = field(default_factory=set[str])

    def to_delta(self, state: SourceState, embedder: Embedder | None, *, is_whole: bool) -> Delta:
        """Return all of it as a Delta, blobs in the order of their first use; with vectors when there is an embedder."""
        return Delta(
            by=PRODUCER,
            source=state.source,
            is_whole=is_whole,
            records=tuple(self.records),
            edges=tuple(self.edges),
            superseded=tuple(self.superseded),
            blobs=tuple(Blob(digest, data, is_sequential=digest in self.lines) for digest, data in self.blobs.items()),
            segment=pack_postings(self.documents, embedder=embedder) if self.documents else b"",
            state=state,
        )


class RecordExtractor:
    """Turns the observations of one transcript into records, batch by batch.

    source        name of the source that the records belong to, such as `session:<id>`.
    root          the repository's root; "" takes the folder that the session began in.
    load_spilled  returns the bytes of an output that the client wrote to a file, None when it is gone.
    label         of a subagent's own transcript: the type and task that the client noted.
    saved_state   of an earlier `dump_state`, to continue from there.
    progress      the task state of the session, advanced with each observation; its dead ends become records. None for a subagent's own
                  transcript: what subagents try is theirs to tell.
    """

    def __init__(
        self,
        source: str,
        *,
        root: str = "",
        load_spilled: Callable[[str], bytes | None] | None = None,
        label: str = "",
        saved_state: bytes = b"",
        progress: SessionProgress | None = None,
    ) -> None:
        self._source = source
        self._progress = progress
        self._spilled = load_spilled
        self._label = label
        self._memory = msgspec.json.decode(saved_state, type=_Memory) if saved_state else _Memory()
        self._ledger = Ledger(bytes(self._memory.ledger) if saved_state else b"")
        self._root = normalize_folders([root])
        self._places = PathResolver([*self._root, *self._memory.bases])
        self._extracted = ExtractedRecords()
        self._stood = ("", "")  # folder and branch of the newest observation
        self._kinds: dict[ToolKind, Callable[[ToolCall, Observation], None]] = {
            ToolKind.READ: self._read,
            ToolKind.SEARCH: self._search,
            ToolKind.COMMAND: self._command,
            ToolKind.EDIT: self._edit,
            ToolKind.WRITE: self._write,
            ToolKind.TODO: self._todo,
            ToolKind.PLAN: self._plan,
        }
        self._others: dict[ObservationKind, Callable[[Observation], None]] = {
            ObservationKind.PROMPT: self._prompt,
            ObservationKind.MESSAGE: self._message,
            ObservationKind.THINKING: self._thinking,
            ObservationKind.ATTACHMENT: self._attachment,
            ObservationKind.BOUNDARY: self._boundary,
            ObservationKind.SUMMARY: self._summary,
            ObservationKind.NOTE: self._note,
        }

    def dump_state(self) -> bytes:
        """Return the extractor's state as JSON, from which the constructor continues."""
        self._memory.ledger = msgspec.Raw(self._ledger.dump_state())
        return msgspec.json.encode(self._memory)

    def extract(self, observations: Iterable[Observation]) -> None:
        """Make records of the transcript's next observations, as `CallMatcher` yields them."""
        for seen in observations:
            if not self._memory.bases and seen.cwd:
                self._memory.bases = normalize_folders([seen.cwd])
                self._places = PathResolver([*self._root, *self._memory.bases])
            before = len(self._extracted.records)
            if self._progress:
                self._progress.observe(seen)
            if seen.call is None:
                self._others[seen.kind](seen)
            elif seen.kind is not ObservationKind.CALL:
                self._call(seen.call, seen)
            if self._progress:
                self._led_nowhere(self._progress.tracker.take_dead_ends(), seen, before)
            is_new = seen.branch and (seen.cwd, seen.branch) != self._stood and seen.kind is not ObservationKind.UNANSWERED
            if is_new:  # after the command that changed it, which knows more
                self._stood = (seen.cwd, seen.branch)
                self._end(self._ledger.record_checkout("", self._places.find_work_tree(seen.cwd), seen.branch, is_known=False), "", seen)

    def add_raw_lines(self, raw: bytes, first_line: int, seq: int, at_ns: int, session: str) -> None:
        """Make `transcript` records of consumed lines, byte for byte; `first_line` is 0-based."""
        start, line = 0, first_line + 1
        while start < len(raw):
            end = raw.find(b"\n", min(start + RAW_LINES_BYTES, len(raw)) - 1) + 1 or len(raw)
            piece = raw[start:end]
            digest = self._blob(piece)
            self._extracted.lines.add(digest)
            last = line + piece.count(b"\n") - (piece.endswith(b"\n"))
            name = f"Transcript lines {line}-{last}"
            text = RecordText(Resolution.FULL, len(piece), blob=digest, end=len(piece), start_line=line, end_line=last)
            record_id = make_id("transcript", self._source, str(line), digest)
            record = Record(
                record_id,
                Layer.ACTION,
                "transcript",
                f"transcript:{self._source}@{line}",
                self._source,
                digest,
                name,
                (RecordText(Resolution.NAME, len(name), name), text),
                seq,
                session=session,
                at_ns=at_ns,
            )
            self._extracted.records.append(record)
            self._extracted.documents.append(SearchDocument(record_id, Layer.ACTION, "transcript", "", ("", "", "", "", "")))
            start, line = end, last + 1

    def drain(self) -> ExtractedRecords:
        """Return everything extracted since the last call, and start anew."""
        extracted, self._extracted = self._extracted, ExtractedRecords()
        return extracted

    # Calls.

    def _call(self, call: ToolCall, seen: Observation) -> None:
        if call.result and call.result.is_refused:
            self._refused(call, seen)
        elif call.kind in self._kinds:
            self._kinds[call.kind](call, seen)
        elif call.is_marked_failed:
            self._failed(call, seen, drafts.describe_call(call, ""), "")
        elif call.kind is ToolKind.FETCH:
            self._again(call, seen, drafts.build_fetch_draft(call), call.output, has_passed=None)
        else:
            record_id = self._enter(_ENTERED[call.kind](call), seen, spill=_spill(call))
            for answer in call.result.answers if call.result else ():
                self._take_back(answer.text, record_id, seen)
                self._rule(answer.text, seen, record_id, Trust.OBSERVED)  # the question in it is the agent's

    def _read(self, call: ToolCall, seen: Observation) -> None:
        path = self._path_of(call, seen)
        shown = self._places.to_repository_path(path)
        if call.is_marked_failed:
            self._failed(call, seen, f"{call.tool} {shown}", shown)
            return
        shown_view = call.result.view if call.result else None
        lines, start = _numbered(call.output)
        start = shown_view.start if shown_view and shown_view.start else start
        view = FileLines(path, start or 1, lines) if lines else None
        end = view.end if view else 0
        total = shown_view.total if shown_view else 0
        if shown_view and total:
            end = end or shown_view.start + shown_view.lines - 1
        record_id = self._enter(drafts.build_read_draft(call, shown, start, end, total), seen, spill=_spill(call))
        self._worked(self._ledger.record_success(f"read:{call.tool} {shown}"), record_id, seen)
        if view:
            self._see(record_id, view, seen)

    def _search(self, call: ToolCall, seen: Observation) -> None:
        path = self._places.to_absolute(call.path, seen.cwd) if call.path and "." in call.path.rpartition("/")[2] else ""
        shown = self._places.to_repository_path(path) if path else ""
        if call.is_marked_failed:
            self._failed(call, seen, drafts.describe_call(call, ""), shown)
        else:
            self._again(call, seen, drafts.build_search_draft(call, shown), call.output, has_passed=None)

    def _command(self, call: ToolCall, seen: Observation) -> None:
        line = call.command or call.typed
        meant = analyse_command(line)
        if call.result and call.result.is_unrun:
            self._failed(call, seen, drafts.describe_call(call, ""), "")
            return
        if meant.shown is not None and call.result is not None and not call.is_marked_failed:
            self._shown(call, seen, line, meant)
            return
        folder = self._folder(call, seen, meant)
        verdict = judge_check(meant, call.result) if call.result and meant.checks else None
        failed = verdict.has_failed if verdict else has_failed(call.result) if call.result else None
        has_passed = None if failed is None else not failed
        check = f"check:{meant.normal_form_in(self._places.to_repository_folder(folder))}" if meant.checks else ""
        draft = drafts.build_command_draft(call, line, meant, check, verdict)
        if check or meant.is_read_only:
            scopes = meant.check_scopes(self._places.to_repository_folder(folder))
            has_passed = has_passed if check or failed else None
            record_id = self._again(call, seen, draft, drafts.extract_output(call), has_passed=has_passed, scopes=scopes)
        else:
            record_id = self._enter(draft, seen, spill=_spill(call))
            self._settle(draft, record_id, seen, has_failed=bool(failed))
        if not failed:
            self._changed(call, seen, meant, folder, record_id)

    def _changed(self, call: ToolCall, seen: Observation, meant: CommandAnalysis, folder: str, record_id: str) -> None:
        """What a command that worked did to files: those that git brings back, those that are gone, all others that it changed."""
        done: set[str] = set()
        for simple in meant.commands:
            root = self._places.find_work_tree(folder)
            ended = apply_git_command(
                self._ledger, simple, call.output, record_id, root, lambda path: self._places.to_absolute(path, folder), done
            )
            self._end(ended, record_id, seen)
        gone = [self._places.to_absolute(path, folder) for path in meant.removes]
        if gone:
            self._end(self._ledger.record_deletions(record_id, gone), record_id, seen)
        changed = [path for name in meant.changes if (path := self._places.to_absolute(name, folder)) not in done and path not in gone]
        if changed:
            self._end(self._ledger.record_unseen_changes(record_id, changed), record_id, seen)

    def _see(self, record_id: str, view: FileLines, seen: Observation) -> None:
        """Enter lines that were shown; where an earlier view shows them all, that one holds this one."""
        self._end(self._ledger.record_view(record_id, view, seen.agent), record_id, seen)
        if holder := self._ledger.find_containing_view(record_id, view.path):
            self._tie(EdgeKind.CONTAINS, holder, record_id)

    def _worked(self, ended: Iterable[EndedRecord], record_id: str, seen: Observation) -> None:
        """What had failed has worked: it is no longer open, and this is its fix."""
        for item in ended:
            self._end([item], record_id, seen)
            self._tie(EdgeKind.FIXES, record_id, item.id)

    def _settle(self, draft: RecordDraft, record_id: str, seen: Observation, *, has_failed: bool) -> None:
        """Enter in the ledger how something ended that may be tried again."""
        if has_failed:
            self._end(self._ledger.record_failure(record_id, draft.subject), record_id, seen)
        else:
            self._worked(self._ledger.record_success(draft.subject), record_id, seen)

    def _shown(self, call: ToolCall, seen: Observation, line: str, meant: CommandAnalysis) -> None:
        """A command that only shows one file is a read of it."""
        sight = meant.shown
        assert sight is not None
        path = self._places.to_absolute(sight.path, self._folder(call, seen, meant))
        shown = self._places.to_repository_path(path)
        output = drafts.extract_output(call)
        is_cut = parse_truncation_notice(call.output) is not None or _TRUNCATED.search(output) is not None
        lines = output.removesuffix("\n").split("\n") if output.strip() and not is_cut else []
        is_placed = sight.start > 0 and bool(lines) and not _spill(call)
        end = sight.start + len(lines) - 1 if is_placed else 0
        is_placed = is_placed and not (sight.end and end > sight.end) and len(output) <= VIEW_CHARS_MAX
        draft = drafts.build_read_draft(call, shown, sight.start if is_placed else 0, end if is_placed else 0, 0)
        record_id = self._enter(replace(draft, text=f"$ {line}\n{call.output}"), seen, spill=_spill(call))
        if is_placed:
            self._see(record_id, FileLines(path, sight.start, lines), seen)

    def _edit(self, call: ToolCall, seen: Observation) -> None:
        changes = call.result.changes if call.result else ()
        if not changes:
            touched = [touch.path for touch in call.touches if touch.how in ("edit", "write")]
            changes = tuple(FileChange(path) for path in touched or ([call.path] if call.path else []))
        changes = [replace(change, path=self._places.to_absolute(change.path, seen.cwd)) for change in changes]
        path = changes[0].path if changes else ""
        shown = self._places.to_repository_path(path) if path else call.tool
        hunks = changes[0].hunks if changes else ()
        start = hunks[0].old_start if hunks else 0
        end = max((hunk.old_start + max(hunk.old_lines, hunk.new_lines, 1) - 1 for hunk in hunks), default=0)
        draft = drafts.build_edit_draft(call, shown, [change.path for change in changes[1:]], start, end)
        self._wrote(call, seen, draft, lambda record_id: self._ledger.record_edits(record_id, changes, _swap(call)))

    def _write(self, call: ToolCall, seen: Observation) -> None:
        path = self._path_of(call, seen)
        draft = drafts.build_write_draft(call, self._places.to_repository_path(path))
        self._wrote(call, seen, draft, lambda record_id: self._ledger.record_write(record_id, path))

    def _wrote(self, call: ToolCall, seen: Observation, draft: RecordDraft, entered: Callable[[str], list[EndedRecord]]) -> None:
        """Enter a call that changes files; `entered` tells the ledger of one that succeeded."""
        record_id = self._enter(draft, seen)
        if call.result is not None:
            self._settle(draft, record_id, seen, has_failed=call.is_marked_failed)
            if not call.is_marked_failed:
                self._end(entered(record_id), record_id, seen)

    def _todo(self, call: ToolCall, seen: Observation) -> None:
        if not seen.agent:
            self._replan(call)
        whole = call.todo.steps if call.todo and call.todo.steps else ()
        draft = drafts.build_todo_draft(call, seen.agent, whole if seen.agent else list(self._memory.tasks.values()))
        self._again(call, seen, draft, draft.text, has_passed=None, reason=EndReason(EndKind.STEPS_CHANGED))

    def _replan(self, call: ToolCall) -> None:
        """Bring the agent's own list up to date with a call that replaces it, adds to it or changes one step."""
        tasks, change = self._memory.tasks, call.todo
        if change is None:
            return
        if change.steps is not None:
            self._memory.tasks = {str(at): step for at, step in enumerate(change.steps[:TASKS_MAX])}
        elif not call.is_marked_failed and not change.task:
            named = call.result.task if call.result else ""
            tasks[named or f"?{len(tasks)}"] = (change.text, change.status)
        elif not call.is_marked_failed and change.status == "deleted":
            tasks.pop(change.task, None)
        elif not call.is_marked_failed:
            step, status = tasks.get(change.task, (f"#{change.task}", "pending"))
            tasks[change.task] = (change.text or step, change.status or status)
        drop_oldest(tasks, TASKS_MAX)

    def _plan(self, call: ToolCall, seen: Observation) -> None:
        draft = drafts.build_plan_draft(call, seen.agent)
        self._again(call, seen, draft, draft.text, has_passed=None, reason=EndReason(EndKind.PLAN_REPLACED))

    def _failed(self, call: ToolCall, seen: Observation, what: str, path: str) -> None:
        draft = drafts.build_failure_draft(call, what, path)
        record_id = self._enter(draft, seen)
        self._settle(draft, record_id, seen, has_failed=True)

    def _refused(self, call: ToolCall, seen: Observation) -> None:
        path = self._path_of(call, seen) if call.kind in (ToolKind.READ, ToolKind.EDIT, ToolKind.WRITE) else ""
        shown = self._places.to_repository_path(path) if path else ""
        self._enter(drafts.build_refusal_draft(call, drafts.describe_call(call, shown), shown), seen)
        if call.result and call.result.said and not call.is_foreign:
            self._said(call.result.said, seen)

    def _led_nowhere(self, changes: DeadEndChanges, seen: Observation, before: int) -> None:
        """Make records of the dead ends that became known with this observation, and end those that it takes back.

        before  records there were before it; the first since then is the cause.
        """
        if not (changes.added or changes.removed):
            return
        records = self._extracted.records
        cause = records[before].id if len(records) > before else self._memory.prompt
        known = self._memory.dead_ends
        for topic in changes.removed:
            if old := known.pop(_subject(topic), ""):
                self._end([EndedRecord(old, EndReason(EndKind.WORKED))], cause, seen)
        for topic, end in changes.added:
            subject = _subject(topic)
            record_id = self._enter(drafts.build_dead_end_draft(end, f"dead_end:{subject}"), seen, parent=cause)
            if old := known.pop(subject, ""):
                self._end([EndedRecord(old, EndReason(EndKind.TRIED_AGAIN))], record_id, seen)
            known[subject] = record_id
            drop_oldest(known, DEAD_ENDS_MAX)

    def _again(
        self,
        call: ToolCall,
        seen: Observation,
        draft: RecordDraft,
        text: str,
        *,
        has_passed: bool | None,
        scopes: Sequence[CheckScope] = (),
        reason: EndReason | None = None,
    ) -> str:
        """Enter something that can be done again, and end what it said before."""
        record_id = self._enter(draft, seen, spill=_spill(call))
        subject = f"{seen.agent}:{draft.subject}" if seen.agent else draft.subject
        if parse_truncation_notice(text) is not None:  # what was cut out of two outputs need not be the same
            text = f"{text}\n{record_id}"
        ended, fixed = self._ledger.record_run(record_id, subject, text, has_passed=has_passed, scopes=scopes)
        self._end([EndedRecord(item.id, reason or item.reason) for item in ended], record_id, seen)
        for item in fixed:
            self._tie(EdgeKind.FIXES, record_id, item.id)
            for culprit, share in item.edit_shares:  # any of the edits between may be the one; the failure's own command is not among them
                if culprit != item.id:
                    self._tie(EdgeKind.FIXES, culprit, item.id, share)
        return record_id

    # Everything else.

    def _prompt(self, seen: Observation) -> None:
        if not seen.text.strip():
            return
        words = "" if seen.is_meta or seen.agent else extract_typed_text(seen.text)
        if words:
            self._said(words, seen)
        elif seen.agent:
            self._words(seen, Layer.ACTION, "brief", f"Brief{f' ({self._label})' if self._label else ''}")
        else:
            self._words(seen, Layer.ACTION, "attachment", "Client", subject="prompt")

    def _words(
        self,
        seen: Observation,
        layer: Layer,
        kind: str,
        title: str,
        *,
        subject: str = "",
        is_tail: bool = False,
    ) -> str:
        """Enter what was said or shown as it stands, under a title and its first sentence; return its id."""
        name = f"{title}: {find_first_sentence(seen.text, drafts.NAME_CHARS_MAX)}"
        draft = RecordDraft(layer, kind, f"{subject or kind}:{seen.uuid}", name, seen.text, is_end_informative=is_tail)
        return self._enter(draft, seen)

    def _said(self, words: str, seen: Observation) -> None:
        """The user's own words, and the sentences among them that rule something in or out."""
        text = words if seen.kind is ObservationKind.RESULT else seen.text
        name = f"User: {find_first_sentence(words, drafts.NAME_CHARS_MAX)}"
        draft = RecordDraft(Layer.INTENT, "prompt", f"prompt:{seen.uuid}", name, text, drafts.shorten_to_line(words), Trust.USER)
        prompt_id = self._memory.prompt = self._enter(draft, seen, parent="")
        self._take_back(words, prompt_id, seen)
        for sentence in find_stated_rules(words):
            self._rule(sentence, seen, prompt_id, Trust.USER)

    def _rule(self, sentence: str, seen: Observation, parent: str, trust: Trust) -> None:
        record_id = self._enter(drafts.build_sentence_draft(Layer.INTENT, "constraint", sentence, trust), seen, parent=parent)
        rules = self._memory.rules
        self._end([EndedRecord(old, EndReason(EndKind.RULE_REPEATED)) for old, text in rules if text == sentence], record_id, seen)
        self._memory.rules = [*((old, text) for old, text in rules if text != sentence), (record_id, sentence)][-RULES_MAX:]

    def _take_back(self, words: str, by: str, seen: Observation) -> None:
        """End the rules that these words of the user take back."""
        rules = self._memory.rules
        places = set(find_withdrawn_rules(words, [text for _, text in rules]))
        if places:
            self._end([EndedRecord(rules[at][0], EndReason(EndKind.TAKEN_BACK)) for at in sorted(places)], by, seen)
            self._memory.rules = [rule for at, rule in enumerate(rules) if at not in places]

    def _message(self, seen: Observation) -> None:
        text = seen.text
        if not text.strip() or text == "(no content)":
            return
        message_id = self._words(seen, Layer.ACTION, "message", "Agent")
        stated = [(Layer.INTENT, "decision", sentence) for sentence in find_decisions(text)]
        stated += [(Layer.FACT, "claim", sentence) for sentence in find_claims(text)]
        for layer, kind, sentence in stated:
            draft = drafts.build_sentence_draft(layer, kind, sentence)
            self._cite(self._enter(draft, seen, parent=message_id), sentence)

    def _cite(self, claim_id: str, sentence: str) -> None:
        """Tie a claim to what was seen of the files that it names: when those lines change, it is suspect."""
        for name in find_paths(sentence)[:CITED_FILES_MAX]:
            at = sentence.find(name) + len(name)
            line = _LINE.match(sentence, at)
            path = self._places.to_absolute(name, self._root[0] if self._root else "") if "/" in name else name
            cited = self._ledger.record_claim(claim_id, path, int(line[1]) if line else 0) or self._ledger.record_claim(claim_id, name)
            if cited:
                self._tie(EdgeKind.MENTIONS, claim_id, cited)

    def _thinking(self, seen: Observation) -> None:
        if seen.text.strip():
            self._words(seen, Layer.ACTION, "thinking", "Thought", is_tail=True)

    def _attachment(self, seen: Observation) -> None:
        if seen.tool in _REPEATED or not seen.text.strip():
            return
        view = seen.view
        path = self._places.to_absolute(view.path, seen.cwd) if view and view.path else ""
        shown = self._places.to_repository_path(path) if path else ""
        if not path:
            self._words(seen, Layer.FACT, "attachment", f"Attached {seen.tool}")
            return
        lines, start = _numbered(seen.text)
        if not lines and view and view.start:
            lines, start = seen.text.removesuffix("\n").split("\n"), view.start
        end = start + len(lines) - 1 if lines else 0
        verb = "Changed outside" if seen.tool == "edited_text_file" else "Attached"
        where = f"{shown}:{start}-{end}" if end else shown
        draft = RecordDraft(
            Layer.FACT,
            "read",
            f"file:{shown}@{start}-{end}",
            f"{verb} {where}",
            f"{verb} {where}\n{seen.text}",
            drafts.find_definition_line(seen.text),
            path=shown,
            start=start if end else 0,
            end=end,
        )
        record_id = self._enter(draft, seen)
        if seen.tool == "edited_text_file":
            self._end(self._ledger.record_unseen_changes(record_id, [path], EndReason(EndKind.CHANGED_OUTSIDE)), record_id, seen)
        if lines:
            self._see(record_id, FileLines(path, start or 1, lines), seen)

    def _boundary(self, seen: Observation) -> None:
        about = mapping_or_empty(msgspec.json.decode(seen.arguments) if seen.arguments else None)
        tokens = int_or_zero(about.get("preTokens"))
        name = f"Compacted here{f' ({tokens:,} tokens before)' if tokens else ''}"
        text = f"{seen.text}\n{seen.arguments}".strip()
        self._enter(RecordDraft(Layer.ACTION, "boundary", f"boundary:{seen.uuid}", name, text), seen)

    def _summary(self, seen: Observation) -> None:
        if seen.text.strip() and not seen.text.startswith(HANDOFF_HEADING):  # it was made of what is remembered already
            self._words(seen, Layer.FACT, "summary", "Title" if seen.tool == "title" else "Client's own summary")

    def _note(self, seen: Observation) -> None:
        if seen.text.strip() and not seen.text.startswith(("<local-command-caveat>", "Caveat:", "<local-command-stdout></local")):
            self._words(seen, Layer.FACT, "note", "Note")

    # Records.

    def _enter(self, draft: RecordDraft, seen: Observation, *, spill: str = "", parent: str | None = None) -> str:
        """Make the record of a draft, with its texts, its originals and its words; return its id."""
        data = draft.text.encode()
        digest = digest_of(data)
        record_id = make_id("said", self._source, seen.uuid, seen.call_id, draft.kind, digest)
        extracted = self._extracted
        if record_id in extracted.ids:  # the client wrote the same line twice
            return record_id
        extracted.ids.add(record_id)
        words, original = strip_client_note(draft.kind, draft.text), data
        if spill and self._spilled and (whole := self._spilled(spill)):
            original, words = whole, f"{words}\n{whole.decode('utf-8', 'replace')}"
        record = Record(
            record_id,
            draft.layer,
            draft.kind,
            draft.subject,
            self._source,
            digest,
            draft.name,
            self._texts(draft, original, digest, is_spilled=original is not data),
            seen.seq,
            self._memory.prompt if parent is None else parent,
            draft.path,
            "",
            seen.session,
            seen.uuid,
            seen.agent,
            draft.trust,
            seen.at_ns,
            self._lineage(seen),
        )
        extracted.records.append(record)
        extracted.documents.append(self._document(record, draft, words, seen.cwd))
        return record_id

    def _lineage(self, seen: Observation) -> tuple[tuple[str, str], ...]:
        """Where something was observed: the branch, the folder where it is not the session's first, the exit code."""
        lineage = (("branch", seen.branch),) if seen.branch else ()
        if seen.cwd and seen.cwd != self._memory.bases[0]:
            lineage = (*lineage, ("folder", seen.cwd))
        return lineage if seen.exit_code is None else (*lineage, ("exit code", str(seen.exit_code)))

    def _texts(self, draft: RecordDraft, data: bytes, digest: str, *, is_spilled: bool) -> tuple[RecordText, ...]:
        texts = [RecordText(Resolution.NAME, len(draft.name), draft.name)]
        signature = draft.signature
        if signature and signature not in draft.name:
            texts.append(RecordText(Resolution.SIGNATURE, len(signature), signature))
        if len(data) <= INLINE_BYTES_MAX and not is_spilled:
            texts.append(RecordText(Resolution.FULL, len(draft.text), draft.text, start_line=draft.start, end_line=draft.end))
            return tuple(texts)
        digest = self._blob(data, "" if is_spilled else digest)
        said = data if is_spilled else strip_client_note(draft.kind, draft.text).encode()
        start, end = _fold(said, is_tail=draft.is_end_informative)
        if end > start:
            first = draft.start if draft.end and not draft.is_end_informative else 0
            last = min(draft.end, first + data.count(b"\n", start, end) - 1) if first else 0  # the first line is the question
            if last >= first > 0 or not first:
                texts.append(RecordText(Resolution.FOLDED, end - start, blob=digest, start=start, end=end, start_line=first, end_line=last))
        texts.append(RecordText(Resolution.FULL, len(data), blob=digest, end=len(data), start_line=draft.start, end_line=draft.end))
        return tuple(texts)

    def _document(self, record: Record, draft: RecordDraft, words: str, cwd: str) -> SearchDocument:
        words = _ends(words, BODY_HEAD_CHARS, BODY_TAIL_CHARS)
        near = _ends(words, MENTION_HEAD_CHARS, MENTION_TAIL_CHARS)
        counted = Counter(extract_words(words))
        uses: list[ScopedUse] = []
        if draft.path:
            uses.append((f"file:{draft.path}", NameUse.REFERENCE, 1, 0))
        for path in find_paths(near):
            named = self._places.to_repository_path(self._places.to_absolute(path, cwd)) if path.startswith(("/", ".")) else path
            uses.append((f"file:{named}", NameUse.MENTION, 1, 0))
        uses.extend(
            (name, NameUse.MENTION, times, 0)
            for name, times in find_rare_identifiers(counted if near is words else Counter(extract_words(near)))
        )
        return SearchDocument(
            record.id,
            record.layer,
            record.kind,
            record.path,
            (draft.name, draft.path, draft.signature, "", words),
            uses=tuple(uses),
            lines=words.count("\n") + 1,
            body_words=counted,
        )

    def _blob(self, data: bytes, digest: str = "") -> str:
        digest = digest or digest_of(data)
        self._extracted.blobs.setdefault(digest, data)
        return digest

    def _end(self, ended: Iterable[EndedRecord], record_id: str, seen: Observation) -> None:
        self._extracted.superseded.extend(
            Supersession(item.id, record_id, item.reason, seen.seq, seen.at_ns, is_doubt=item.is_doubt)
            for item in ended
            if item.id != record_id
        )
        self._extracted.superseded.extend(
            Supersession(old, record_id, None, seen.seq, seen.at_ns, is_undone=True) for old in self._ledger.take_restored()
        )

    def _tie(self, kind: EdgeKind, tail: str, head: str, weight: float = 1.0) -> None:
        self._extracted.edges.append(Edge(kind, tail, head, weight, by=PRODUCER))

    def _path_of(self, call: ToolCall, seen: Observation) -> str:
        view = call.result.view if call.result else None
        changes = call.result.changes if call.result else ()
        path = (view.path if view else "") or (changes[0].path if changes else "") or call.path
        return self._places.to_absolute(path, seen.cwd) if path else call.tool

    def _folder(self, call: ToolCall, seen: Observation, meant: CommandAnalysis) -> str:
        base = call.workdir or call.cwd or seen.cwd
        return self._places.to_absolute(meant.folder, base) if meant.folder else base


def _ends(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def _swap(call: ToolCall) -> tuple[str, str]:
    """Marks of what an edit replaced and of what replaced it; two empty ones where it made several changes."""
    if len(call.edits) != 1 or call.content or call.command:
        return "", ""
    gone, come = strip_common_lines(call.edits[0].old, call.edits[0].new)
    return hash_lines([gone]), hash_lines([come])


def _subject(topic: str) -> str:
    return xxh3_64_hexdigest(topic.encode("utf-8", "replace"))


def _spill(call: ToolCall) -> str:
    return call.result.spilled if call.result else ""


def _numbered(text: str) -> tuple[list[str], int]:
    """The lines of a numbered listing without their numbers, and the first number; ([], 0) for any other text."""
    first = _NUMBERED.match(text)
    if first is None:
        return [], 0
    mark = text[first.end() - 1]
    lines: list[str] = []
    for line in text.split("\n"):
        number, found, rest = line.partition(mark)
        if not found or not number.strip().isdigit():
            break  # a reminder that the client put behind the file
        lines.append(rest)
    return lines, int(first[1])


def _fold(data: bytes, *, is_tail: bool) -> tuple[int, int]:
    """The byte span of the whole lines that fit a folded text, at the end of `data` or at its beginning; (0, 0) for none."""
    if is_tail:
        end = len(data)
        while end and data[end - 1] in b"\n\r \t":
            end -= 1
        start = data.find(b"\n", max(0, end - FOLDED_BYTES_MAX - 1), end) + 1
        return (start, end) if 0 < start < end else (0, 0)
    end = data.rfind(b"\n", 0, FOLDED_BYTES_MAX + 1)
    # A first line alone is the name over again.
    return (0, end) if end > 0 and data.count(b"\n", 0, end) else (0, 0)
