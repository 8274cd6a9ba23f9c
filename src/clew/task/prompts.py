"""Prompts: what the user said, among what the client put into their mouth.

A user's turn in a transcript may hold the user's words, machine notices, echoes of commands and pasted
logs. This file takes the words out, and finds in them the sentences that bind whatever comes later.
"""

from __future__ import annotations

import re

from clew.records import Observation
from clew.task.vocabulary import CLIENT_COMMANDS, MACHINE_BLOCKS

SENTENCE_CHARS_MAX = 500  # guess: longer ones are pasted text without full stops
PASTE_CHARS_MIN = 6_000  # guess: nobody types more; the user's own words stand at its two ends
PASTE_END_CHARS = 1_500

_MACHINE = (
    "<task-notification>",
    "[Request interrupted",
    "[Image: source:",
    "Caveat: The messages below",
    "Operation stopped by hook",
    "This session is being continued from a previous conversation",
    "Base directory for this skill:",
    "# AGENTS.md instructions for",
    "Stop hook feedback:",
    "Unknown skill:",
    "Unknown slash command:",
)
_COMMAND = re.compile(r"<command-name>/?([\w:.-]{1,100})</command-name>")
_COMMAND_ARGUMENTS = re.compile(r"<command-args>(.{0,20000}?)</command-args>", re.DOTALL)
_REFUSED = "the user said:\n"
_REFUSED_NOTE = "\n\nNote: The user's next message may"
_ANSWERED = re.compile(r"\"([^\"\n]{1,400})\"=\"([^\"\n]{1,600})\"")
_ACK = re.compile(
    r"(?:(?:yes|yeah|yep|yup|y|no|n|ok|okay|sure|please|great|perfect|cool|nice|thanks|thank you|thx|good|awesome|right|correct"
    r"|exactly|agreed|go"
    r"|go ahead|go for it|do it|do that|let'?s do (?:it|that|this)|let'?s go|continue|proceed|carry on|keep going|sounds good"
    r"|looks good|lgtm|next|done|retry|try again"
    r"|resume|that would be great|works|hi|hello|hey|option|both|all)\b[\s,.!:)]*){1,5}|[\w]{1,2}[).]?|\(?[a-dA-D1-9]\)?",
    re.IGNORECASE,
)

TYPED_CHARS_MAX, TYPED_LINES_MAX = 600, 12  # guess: a longer prompt is pasted, at least in part
ONE_ACT_WORDS_MAX = 7
_ONE_ACT = re.compile(
    r"(?:(?:ok|okay|yes|yeah|yep|no|so|and|but|now|then|also|great|good|cool|nice|perfect|thanks|please|alright|let's"
    r"|let us|can you|could you)\b[,.!]?\s+)*"
    r"(?:commit|push|run|rerun|re-run|fix|check|look|continue|open|merge|rebase|start|stop|restart|show|tell|read"
    r"|review|try|test|build|deploy|go|do"
    r"|explain|update|implement|create|propose|reply|write|add|remove|delete|revert|finish|proceed|investigate|find|give|list|see"
    r"|have|take|ship|pull|verify|address)\b",
    re.IGNORECASE,
)
# Told, not asked for: an interjection, what the user did or saw, a symptom.
_TELLS = re.compile(
    r"^\W*(?:a+h+|o+h+|argh+|a+r+g+h+|hm+|wow|lol|haha|hi|hey|thanks|thank you)\b"
    r"|^(?:(?:ok|okay|so|and|but|also|hmm+|yeah)[, ]+)*(?:i(?:'m| am|'ve| have|'ll| will)\b(?! (?:to|prefer))"
    r"|i (?:suspect|see|saw|got|get|was|did|had|ran|just|continued"
    r"|noticed|wonder|guess|found|tried|changed|moved|made|fixed|updated|removed|added|merged|pushed|committed)\b"
    r"|let'?s (?:have a look|look|see|take a look))"
    r"|^(?:that's|this is|this has|that is|it's|sometimes|first problem|the problem)\b|\b(?:go|going) back\b|\.\.\.$|…$"
    r"|\b(?:not|n't|no longer|stopped|fails?|failed|failing|broken|still|getting) (?:\w+ing|work(?:s|ing)?"
    r"|show\w*|load\w*)\b|\bfail(?:s|ed|ing)\b"
    r"|\berror\b",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^#{1,4} ", re.MULTILINE)
_INITIAL = re.compile(r"(?:option |approach )?[A-Za-z0-9]{1,2}\.", re.IGNORECASE)
_FENCE = re.compile(r"^\s{0,12}(?:```|~~~)")
_NOT_PROSE = re.compile(
    r"^\s{0,40}(?:[>|$#{}\[\]<]|\d{4}-\d\d-\d\d|\d\d:\d\d|[+@-]{3}|\+ ?\w|at \S{1,200}[(:]|File \"|(?:import"
    r"|from(?! now on)|def|class"
    r"|func|const|let|var|return)\b.{0,200}[(={:;]|//|/\*)"
    r"|[;{}]$|^\s{0,8}\"[\w.-]{1,60}\":|^\S{1,60}=\S|\w\(\)?;|=>|:=|&&"
)
_CODE = re.compile(r"`[^`\n]{1,300}`")
_BULLET = re.compile(r"^\s{0,24}(?:[-*•]|\d{1,2}[.)]|Q:|A:)\s{1,4}(?:\[[ xX]\]\s)?")
_SLASH = re.compile(r"^/[\w:.-]{1,100} ")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?![\s\"')]|$)[^.!?\n]*)*[.!?]*[\"')]*")
_START = (
    r"(?:^|[,;:–—(-]\s{0,3}|\b(?:and|but|so|please|then|should|must|to|just|also|can you|could you|you|we|will|would|can"
    r"|ok|okay|well|actually)\s{1,3})"
)
_BINDING = re.compile(
    rf"{_START}(?:never|always|do not|don'?t|make sure|ensure|avoid|stop \w+ing|only (?!if\b|when\b|thing\b|one\b|problem\b"
    rf"|issue\b|reason\b|a\b|the\b)\w)"
    r"|\b(?:must(?:n'?t| not)|should(?:n'?t| not| only| always| never)|may not|has to|have to|no longer|under no circumstances"
    r"|at all costs|without exception)\b"
    r"|\b(?:i|we)(?:'d| would)? (?:prefer|like to keep)\b|\b(?:i|we) (?:do not|don'?t) (?:want|like|need)\b|\bmust\b"
    r"|\binstead of\b|\brather than\b|\buse .{1,60} instead\b|\bnot .{1,40}, but\b|\bplease (?:do not|don'?t|keep|use"
    r"|only|never|always)\b"
    r"|\bfrom now on\b|\bremember (?:to|that)\b|\bkeep in mind\b|\b(?:let'?s|let us) not\b|\bno need (?:to|for)\b"
    r"|\bdoesn'?t make sense to\b"
    r"|^no [a-z-]+(?:ing|s)\b|\(no [a-z-]+",
    re.IGNORECASE,
)
# What is wanted, chosen or bounded without a word of command: "I'd like …", "let's go with 2", "3 but on this branch".
_WANTED = re.compile(
    r"\b(?:(?:i|we)(?:'d| would) (?:like|love|rather|prefer|want)|(?:i|we) (?:want|need|prefer))\b"
    r"(?! (?:to (?:know|see|understand|ask|check|discuss|talk|hear|find out|look)|you to (?:look|check|explain|tell)"
    r"|the idea|how|what|that)\b)"
    r"|\bi would (?:replace|suggest|use|go|keep|put|add|make|do|leave|move|rename|split|call|avoid|not)\b|\b(?:i(?:'d"
    r"| would)|my) (?:vote|preference)\b"
    r"|\b(?:it|this|that|these|they|we|you|everything|each|all|which|the [\w`/.-]+(?: [\w`/.-]+){0,3}"
    r"|[\w`/.-]+s?) (?:should|ought to|needs? to|shall|is supposed to|are supposed to)\b"
    r"(?! (?:have (?:been|added|fixed|worked|done)|be (?:fine|ok|okay|good|working|able|possible|enough|obvious)|work|know)\b)"
    r"|\blet(?:'?s| us) (?:just |also |maybe |only |rather |instead )?(?:keep|use|go|do|stick|leave|drop|limit|separate"
    r"|avoid|skip|make|put|call|rename|define"
    r"|start with|focus|defer|move|name|split|merge|wait|have|add|roll|write|implement|create|set|base|target"
    r"|remove)\b(?! (?:over|through|a look|back to main|ahead)\b)"
    r"|\b(?:without \w+ing|(?:as|in|on|via|off|with) (?:a |an |one |two |three |its own |this |the )?(?:separate|single"
    r"|different|new|fresh|current|own) "
    r"(?:prs?|pull requests?|commits?|branch(?:es)?|files?|steps?|changes?|phase|package|test|type|worktree))\b"
    r"|\bin (?:one|two|three|\d) (?:prs?|commits?|steps|parts|files)\b|\bbranch(?:es)? off\b|\boff (?:of )?(?:main"
    r"|master|the)\b|\bfor now\b|\bby default\b"
    r"|\bat (?:most|least) \S|\bno more than\b|\blimit\w* (?:it |this |that |them )?to\b|\b(?:go|push|bump|set|change"
    r"|raise|lower|increase|reduce) (?:it|that|this|them) to \S"
    r"|\bbefore (?:you|we|doing|going|commit\w*|push\w*|merg\w*|start\w*|chang\w*|continu\w*|anything)\b"
    r"|\bthe only way\b|\bonly (?:the|for|in|on|via|by|first)\b"
    r"|\b(?:makes sense|better|best|good idea|preferable|important|enough|sufficient) (?:to|if|that)\b"
    r"|\bfor this (?:phase|pr|change|version|release|iteration|step|time)\b|\bdo the [\w-]+ (?:fix|one|option|thing"
    r"|version|way|approach|change)\b"
    r"|[-–—,:;] (?:keep|leave|use|put|call|make) (?:it|this|that|them|the|those|these)\b|\b(?:is|are) intentional\b"
    r"|\bi thought (?:we|you|it|that)\b|\bthinking of\b|\b(?:seems|sounds|looks) like (?:a good|the (?:right|best))\b"
    r"|\bis acceptable\b|\bas long as\b|\bit'?s (?:ok|okay|fine) (?:to|if)\b|\bfeel free to\b|\b(?:you|i) can (?:ignore"
    r"|skip|assume|safely|be safely)\b|\bsafely ignored\b|\bignore (?:the|that|this|any|all)\b",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"^(?:(?:ok|okay|yes|yeah|yep|sure|so|and|hmm+)[, ]+)?(?:(?:i'?(?:d|ll)(?: say)?|i would|we|let'?s)? ?(?:go|going"
    r"|went) (?:with|for) |(?:do |option |options |approach |number |#)"
    r"?(?:[a-d]|\d{1,2})(?:[).:]? | (?:and|but|please|seems|is|sounds|looks)\b)(?=\D))"
    r"|^(?:yes|yeah|yep|ok|okay|sure|good|cool|nice|all good|perfect|great|right|no|nah)\b.{0,60}\b(?:but|except|just"
    r"|only|without|unless|as long as|first)\b"
    r"|\b(?:option|approach|choice|solution) (?:[a-d]|\d)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"^(?:no|nope|nah|wait|actually|hmm+,? no|wrong)\b[,.:!–—-]?\s{0,3}(?!(?:worries|problem|need|idea|rush|thanks|longer)\b)\w"
    r"|\b(?:is|are|was|were|that's|it's) (?:not (?:correct|right|true|what|how|needed|necessary)|wrong|incorrect)\b",
    re.IGNORECASE,
)
_LETS_GO = re.compile(
    r"(?:\w+[,.!]? ){0,3}let'?s (?:do (?:it|this|that|both)|go|have a look)(?: (?:please|then|now|ahead))*[.!]*", re.IGNORECASE
)
_FILLED = re.compile("\0+|[^\0]+")
_LABEL = re.compile(r"^(?:important|note|nb|n\.b\.|rules?|constraints?|reminder|warning|caveat|requirements?)\b.{0,20}?:", re.IGNORECASE)
_RULES_HEADING = re.compile(
    r"\b(?:constraints?|rules?|requirements?|conventions?|guidelines?|guardrails?|important|non-?goals?|out of scope"
    r"|do(?:n'?t| not)|don'?ts"
    r"|must(?: not)?|never|always|principles|restrictions|acceptance criteria|ground rules|preferences|instructions)\b",
    re.IGNORECASE,
)
RULES_OF_SECTION_MAX = 16  # guess: a longer list is a specification, and stands in the prompt itself
RULES_OF_DOCUMENT_MAX = 32  # guess: of one plan that is handed over, the first
DOCUMENT_CHARS_MAX = 40_000
# What bounds a plan from within, wherever in it: what stays, what is left out, under which condition alone.
_BOUNDS = re.compile(
    r"\b(?:NOT|ONLY|MUST|NEVER|ALWAYS|NO)\b"
    r"|^(?i:no|only|keep|leave|omit|preserve|follow|reuse|never|also (?:verify|check|update)|(?:still )?need(?:s|ed)?)\b"
    r"|: (?:omit|keep|leave|skip)\b|\b(?i:must|never|always|only (?:after|when|if|for|in|on|works?|need|the|once|on)"
    r"|intentional(?:ly)?|by design|on purpose)\b"
    r"|\b(?:backwards?[- ]compat\w*|no (?:\w+ ){0,2}(?:needed|required|necessary|changes?)|(?:is|are|stays?|remains?"
    r"|left) (?:unchanged|as is|untouched"
    r"|optional|out of scope)|deferred|out of scope|later phase|follow-up|for now|unlike|instead of|rather than|(?:does|do|is|are) not"
    r"|doesn't|don't|without (?:changing|breaking|touching))\b",
)
# A negation that reports or asks, and binds nobody: "I don't think so", "it must have been".
_REPORT = re.compile(
    r"\b(?:i|we|they|it|you|he|she|that|this|which|who|users?|people|there|why|these|those|\w+s)\s+(?:just |really |still "
    r"|also |actually |probably )?"
    r"(?:do not|don'?t|dont|always|never|only)\b(?! (?:want|like|need))"
    r"|\b(?:it|there|that|this|they|you) must (?:be|have)\b|\bmust(?:'ve| have) been\b|\b(?:not sure|wonder|why|how come|what if)\b"
    r"|\bi (?:have to|had to) (?:admit|say)\b|\bmake sure i\b|\S:\d{1,6}:\d{1,6}: "
    r"|\b(?:never|always) (?!pass|bypass|process|access|express|suppress|discuss|cross|address|guess|miss|use )\w+s\b",
    re.IGNORECASE,
)
_PUZZLED = re.compile(r"\b(?:why|not sure|wonder\w*|what if|how come|looks like)\b", re.IGNORECASE)
_QUESTION = re.compile(
    r"(?:would|could|should|is|are|do (?:you|we|i|they|these|those|people|users)|does|did|what|how|why|who)\b", re.IGNORECASE
)
# A wish put as a question: "can we also log that?", but not "can you explain?".
_WISH = re.compile(
    r"(?:^|[,;:.)–—-] )(?:(?:ok|okay|yes|yeah|and|so|but|also|then|hmm+),? )*(?:(?:can|could|should|shall"
    r"|would) (?:we|you|i)(?: please| maybe)?"
    r"|(?:why don't|how about) (?:we|you))"
    r"(?: also| not| just| please| instead| at least)* (?!see\b|check\b|look\b|explain\b|tell\b|show\b|know\b|have a look\b|find out"
    r"|verify\b|confirm\b|remind\b|help\b|review\b|investigate\b|understand\b|continue\b|try\b|give\b|list\b|describe\b"
    r"|do (?:it|this|that)\b)[a-z]+ \S",
    re.IGNORECASE,
)
_ASKED_POLITELY = re.compile(r"^(?:(?:ok|okay|and|so|also|please),? )*(?:can|could|would|will) you\b", re.IGNORECASE)
_ORDER_AT_START = re.compile(
    r"^(?:please |so |and |but |also |just |ok,? |can you |could you )*(?:never|always|do not|don'?t|only|make sure|ensure"
    r"|avoid|use|keep|stop)\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"^(?:please |so |and |but |also |just |then |ok,? |okay,? |yes,? |yeah,? |can you |could you |maybe )*(?:keep|use"
    r"|leave|put|stick|limit|name|call|prefer|follow"
    r"|respect|preserve|skip|ignore|treat|base|branch off|split|wait for|ask me|tell me before|try not|be (?:careful"
    r"|brief|concise|sure|strict)|hold off|hold on|stay)\b",
    re.IGNORECASE,
)


def spoken(text: str) -> str:
    """Return the user's own words in a prompt, verbatim but for the machine's blocks between them; "" for none.

    A slash command becomes `/name arguments`; the client's own commands (`/clear`, `/model`, …) say nothing of the work.
    """
    if text.startswith(_MACHINE):
        return ""
    if "<command-name>" in text and (named := _COMMAND.search(text)):
        if named[1] in CLIENT_COMMANDS:
            return ""
        given = _COMMAND_ARGUMENTS.search(text)
        return f"/{named[1]} {given[1].strip() if given else ''}".strip()
    for name in MACHINE_BLOCKS:
        text = _without(text, f"<{name}", f"</{name}>")
    text = text.strip()
    return "" if text.startswith(_MACHINE) else text


def parted(text: str) -> list[tuple[str, bool]]:
    """Return the whole text of a prompt in pieces, each with whether the user typed it: what `spoken` takes out was not typed.

    The pieces together are the text.
    """
    if text.startswith(_MACHINE):
        return [(text, False)]
    if "<command-name>" in text and _COMMAND.search(text):
        given = _COMMAND_ARGUMENTS.search(text)
        start, end = given.span(1) if given else (0, 0)
        return [piece for piece in ((text[:start], False), (text[start:end], True), (text[end:], False)) if piece[0]]
    kept = text.replace("\0", " ")
    for name in MACHINE_BLOCKS:
        kept = _without(kept, f"<{name}", f"</{name}>", fill="\0")
    if kept.replace("\0", "").strip().startswith(_MACHINE):
        return [(text, False)]
    return [(text[found.start() : found.end()], found[0][0] != "\0") for found in _FILLED.finditer(kept)]


def spoken_in_refusal(text: str) -> str:
    """Return what the user said while refusing a tool call; "" where they only refused it."""
    if not text.startswith("The user doesn't want to"):
        return ""
    words = text.partition(_REFUSED)[2].partition(_REFUSED_NOTE)[0].strip()
    return "" if words.startswith("The user wants to clarify") else words


def heard_in_refusal(result: Observation) -> str:
    """Return the same where the client's record says that it was refused, so that no printed text is taken for the user's.

    A client marks a refusal as an error; what a failing command printed stands behind its exit code, and a server of another's
    may write what it likes.
    """
    return spoken_in_refusal(result.text) if result.is_error and not result.tool.startswith("mcp__") else ""


def answers(text: str) -> tuple[str, ...]:
    """Return the pairs `"question"="answer"` of the user's choices in a question tool's result, verbatim."""
    if "answered your question" not in text[:200]:
        return ()
    return tuple(found[0] for found in _ANSWERED.finditer(text))


def sentences(line: str) -> list[str]:
    """Return the sentences of one line of prose; full stops inside names and numbers end nothing."""
    found = [sentence for part in _SENTENCE.findall(line) if (sentence := part.strip(" \t\r,;"))]
    if len(found) > 1 and len(found[0]) <= 12 and _INITIAL.fullmatch(found[0]):  # "A. is fine"
        found[:2] = [f"{found[0]} {found[1]}"]
    return found


def is_assent(text: str) -> bool:
    """Say whether a prompt only lets the agent go on: "yes", "ok, continue", "2"."""
    return len(text) <= 60 and _ACK.fullmatch(text.strip()) is not None


def binding_sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a prompt that forbid, demand, choose, bound or correct something, verbatim, in order, each once.

    Only prose is read: no fences, quotes, tables, log lines or code; of a pasted text only its two ends. In a
    document (a prompt with headings), which is read whole, the first RULES_OF_DOCUMENT_MAX sentences count that order or
    bound something, and what stands under a heading that announces rules.
    """
    is_document = len(_HEADING.findall(text[:DOCUMENT_CHARS_MAX])) >= 2
    ruled = _under_rules(text) if len(text) <= DOCUMENT_CHARS_MAX else []
    bounding = 0
    if len(text) > PASTE_CHARS_MIN and not (is_document and len(text) <= DOCUMENT_CHARS_MAX):
        text = f"{text[:PASTE_END_CHARS]}\n\n{text[-PASTE_END_CHARS:]}"
    found: dict[str, None] = {}
    for sentence in _prose(text):
        if len(sentence) > SENTENCE_CHARS_MAX or " " not in sentence:
            continue
        plain = sentence.replace("’", "'")
        if sentence in ruled or (not is_document and _is_binding(plain)):
            found.setdefault(sentence)
        elif is_document and bounding < RULES_OF_DOCUMENT_MAX and _bounds(plain.lstrip("*_ ")):
            bounding += sentence not in found
            found.setdefault(sentence)
    for sentence in ruled:
        found.setdefault(sentence)
    return tuple(found)


def _bounds(sentence: str) -> bool:
    return _ORDER_AT_START.match(sentence) is not None or _BOUNDS.search(sentence) is not None


def said_in_passing(text: str) -> tuple[str, ...]:
    """Return the sentences of a short prompt that was typed which say something without a word of command, verbatim, in order.

    "the header is sticky on mobile too" binds as much as "make sure that …" does, and no list of words finds it; a question,
    an assent or an order for a single act ("push it") is left out. Empty for whatever looks pasted.
    """
    if len(text) > TYPED_CHARS_MAX or text.startswith("/") or text.count("\n") > TYPED_LINES_MAX:
        return ()
    found: dict[str, None] = {}
    for sentence in _prose(text):
        plain = sentence.replace("’", "'")
        words = plain.count(" ") + 1
        is_one_act = words <= ONE_ACT_WORDS_MAX and _ONE_ACT.match(plain) is not None
        is_open = plain.endswith(("?", ":")) or _QUESTION.match(plain) or _PUZZLED.search(plain) or _TELLS.search(plain)
        if words >= 4 and not is_one_act and not is_open and not is_assent(plain):
            found.setdefault(sentence)
    return tuple(found)


def _is_binding(sentence: str) -> bool:
    if is_assent(sentence) or _LETS_GO.fullmatch(sentence):
        return False
    if _CORRECTION.search(sentence) and sentence.count(" ") >= 2 and not sentence.endswith("?"):
        return True
    if _LABEL.match(sentence) and sentence.count(" ") >= 3:
        return True
    is_order = _ORDER_AT_START.match(sentence) is not None or _ORDER.match(sentence) is not None
    if sentence.endswith("?") and _WISH.search(sentence):
        return True
    if _BINDING.search(sentence):
        if (sentence.endswith("?") or _QUESTION.match(sentence)) and not is_order and not _ASKED_POLITELY.match(sentence):
            return False
        return not _REPORT.search(sentence) or is_order
    if sentence.endswith(("?", ":")) or _QUESTION.match(sentence) or sentence.count(" ") < 2:
        return False
    return is_order or ((_WANTED.search(sentence) or _CHOSEN.search(sentence)) is not None and not _PUZZLED.search(sentence))


def _under_rules(text: str) -> list[str]:
    """The first sentence of each line that stands under a heading, or a line with a colon, that announces rules."""
    found: list[str] = []
    is_ruled = is_headed = is_fenced = False
    for line in text.split("\n"):
        bare = line.strip()
        is_fenced ^= _FENCE.match(line) is not None
        if is_fenced:
            continue
        if bare.startswith("#"):
            is_headed = is_ruled = len(bare) < 80 and _RULES_HEADING.search(bare.replace("’", "'")) is not None
        elif bare.endswith(":") and len(bare) < 80 and not _BULLET.match(line):
            is_ruled = is_headed or _RULES_HEADING.search(bare.replace("’", "'")) is not None
        elif not bare:
            is_ruled = is_ruled if is_headed or not found else is_headed
        elif is_ruled and _BULLET.match(line):
            found.extend(_sentences_of(line)[:1])
    return [sentence for sentence in found if " " in sentence and len(sentence) <= SENTENCE_CHARS_MAX][:RULES_OF_SECTION_MAX]


def _prose(text: str) -> list[str]:
    found: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        is_mark = _FENCE.match(line) is not None
        is_fenced ^= is_mark
        if is_mark or is_fenced or len(line) >= 4 * SENTENCE_CHARS_MAX:
            continue
        if not line.startswith(("    ", "\t")) or _BULLET.match(line):
            found.extend(_sentences_of(line))
    return found


def _sentences_of(line: str) -> list[str]:
    bare = _SLASH.sub("", _BULLET.sub("", line)).strip()
    return sentences(bare) if bare and not _NOT_PROSE.search(_CODE.sub("`x`", bare)) else []


def _without(text: str, opening: str, closing: str, *, fill: str = "") -> str:
    """The text without the block between two marks, or with `fill` for each of its characters; an unclosed one reaches to the end.

    It reaches to the last closing mark: what the client puts into a block may hold one itself, and what came after that one would
    pass for the user's. In 1,716 prompts of recorded sessions that took no word from the user.
    """
    start = text.find(opening)
    if start < 0:
        return text
    end = text.rfind(closing, start)
    at = len(text) if end < 0 else end + len(closing)
    return text[:start] + fill * (at - start) + text[at:]
