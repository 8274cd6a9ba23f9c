"""Setbacks: the words by which an agent, a user or a tool says that a way is closed.

Readers of plain text: what the agent says when it gives something up, meets an obstacle, supposes a cause or finds that it was
another, what the user says to turn the agent round, and which lines of an output mean that the same way will not work here.
A weight between 0 and 1 says how probable it is that somebody would walk into it again if it were not written down. The
weights are guesses, in the order of how plainly the words say it; a list of dead ends is cut by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from clew.task.prompts import sentences

SENTENCE_CHARS_MAX = 400  # guess: a longer one is pasted
BEFORE_CHARS_MIN = 24  # a shorter sentence ("Fair point.") gives no reason
CAUSE_CHARS_MIN = 40  # "The issue is:" names none
REPORT_CHARS = 1_500  # guess: a message beyond it reports; its obstacles are those of others, unless it says plainly "I was wrong"
STATEMENTS_MAX = 2  # guess: of one message
STEM_CHARS = 6  # guess: "expires" and "expired" are one word
MESSAGE_CHARS_MAX = 20_000
THEORY_CHARS_MIN = 30  # a shorter one names no cause
REFUTING_MAX = 24  # sentences: what refutes a theory stands in front
BRIEF_CHARS = 600  # guess: in a message this short what is impossible concerns what was just done
OUTPUT_CHARS = 4_000  # of each end of an output: refusals of a tool stand at its ends

GAVE_UP, OBSTACLE, CAUSE = 0.75, 0.5, 0.35
CORRECTED, DOUBTED = 0.55, 0.42

_NOT = (
    r"(?:did not|didn['’]?t|does not|doesn['’]?t|do not|don['’]?t|won['’]?t|will not|would not|wouldn['’]?t|is not|isn['’]?t"
    r"|are not|aren['’]?t|was not|wasn['’]?t|never)"
)
_THING = (
    r"(?:approach|attempt|fix|change|idea|plan|logic|assumption|theory|hypothesis|solution|workaround|design|version|way"
    r"|strategy|path)"
)
_GAVE_UP = re.compile(
    rf"\b(?:that|this|it|which|{_THING})(?: {_THING})?(?: still)? {_NOT}"
    r" (?:actually |really |quite )?(?:work|help|working|helping|enough|viable|feasible|right|correct)\b(?! (?:for|on"
    r"|with|in|reliably|well)\b)"
    r"|\b(?:try|trying|take|use|need|find|switch to|pivot to) (?:a|an|some) (?:completely |totally |slightly |much )?"
    rf"(?:different|another|alternative|new|better|simpler|cleaner) (?:{_THING}|tack|method|route)"
    rf"|\btry(?:ing)? another (?:{_THING})\b|\blet me (?:re-?think|reconsider|step back|start over|back up|backtrack)\b"
    r"|\bre-?thinking (?:this|the|my)\b|\b(?:let me|i['’]?ll|i will|i need to|we need to|i should) (?:revert|undo"
    r"|roll (?:this |it |that )?back|back out)\b"
    r"|(?:^|\bi['’]?m |\bi am )(?:reverting|undoing|rolling back) (?:this|that|my|the)|\bdead[ -]end\b"
    r"|\bback to square one\b|\bback to the drawing board\b"
    rf"|\b(?:abandon|scrap|drop|ditch)(?:ing|ping)? (?:this|that|the|my)(?: \w+){{0,2}} (?:{_THING})\b|\bg(?:ive|iving|ave) up on\b"
    rf"|\b(?:my|the|that|this) (?:(?:first|previous|earlier|initial|original|last|current) )?(?:{_THING}|diagnosis"
    rf"|understanding|guess|reading)"
    r" (?:was|is|were) (?:completely |totally |slightly |partly |also )?(?:wrong|incorrect|mistaken|flawed|off|too \w+"
    r"|broken|invalid|misguided)\b"
    r"|\bi (?:was (?:wrong|mistaken)|misread|misunderstood|misdiagnosed|overlooked|made a mistake|incorrectly|mistakenly"
    r"|wrongly|shouldn['’]?t have|should have)\b"
    r"|\b(?:was|is) (?:the wrong|a bad|not the right|a mistake|a red herring|kicking the can)\b",
)
_OBSTACLE = re.compile(
    r"\b(?:can['’]?t|cannot|can not|couldn['’]?t|could not|(?:un|not )able to|no way to|impossible to|won['’]?t be able)\b"
    rf"|\b{_NOT} (?:yet |currently |directly |actually |even )?(?:available|supported|installed|possible|accessible"
    rf"|allowed|permitted"
    r"|indexed|reachable|viable|feasible|implemented|exposed|an option|configured|authenticated|valid|needed|ideal|safe)\b"
    rf"|\b{_NOT} (?:actually |even |currently |yet )?(?:exist|support|accept|allow|provide|expose|recogni[sz]e|handle|expand"
    r"|propagate|take|match|apply|inherit|fire|trigger|persist|resolve|understand|implement|offer|return|have)\b"
    r"|\b(?:unavailable|unsupported|infeasible|incompatible|blocked by|denied)\b"
    r"|\b(?:would|will|could|might) (?:also |then |just )?(?:create|cause|introduce|break|conflict|overwrite|lose|fail|clobber"
    r"|deadlock|leak|violate)\b"
    r"|\bcircular (?:import|dependency|reference)|\btoo (?:large|big|slow|complex|fragile|risky|broad|strict|aggressive|expensive"
    r"|invasive|noisy|flaky|much|many)\b"
    r"|\b(?:permission denied|rate[ -]limited|timed? out|timing out|hangs|hanging|crash(?:es|ed)|clashes|collides|shadows)\b"
    r"|\b(?:clunky|fragile|overkill|wasteful|brittle|hacky|pointless)\b|\bno such\b",
)
_IMPOSSIBLE = re.compile(
    r"\bcan['’]?t\b|\bcannot\b|\bcircular\b|\bimpossible\b|\bnot (?:possible|supported|available|allowed)\b|\bno way\b"
)
_TURN = re.compile(
    r"\binstead\b|\brather than\b|\bworkaround\b|\balternative(?:ly)?\b|\bskip (?:that|this|it)\b|\bfall(?:ing)? back\b"
    r"|\b(?:different|another|other) "
    rf"(?:{_THING}|tool|method|command|file|option)\b|\bso (?:i|we|let['’]?s|let me|i['’]?ll|we['’]?ll) "
    r"|\b(?:let me|i['’]?ll|i will|let['’]?s|we['’]?ll) (?:use|try|switch|do it|write|run|check|put|move|keep|go|swap"
    r"|make|do|add|fix|work|create|find|look"
    r"|pass|build|install|copy|read|see|handle|mock|replace|call|take|remove|rename|split|inline|skip|drop)\b"
    r"|\b(?:i|we) (?:need|have|should|must)(?: to)?\b|\bneeds? (?:to|a|an)\b|\bthe (?:simplest|best|right|safe|only"
    r"|proper|correct|cleanest) ",
)
_PIVOT = re.compile(
    r"^(?:wait|hmm+|hold on|oh|ah|actually|oops|unfortunately|turns out|it turns out|interesting|however|ugh|damn)\b",
)
_SURPRISED = re.compile(
    r"^(?:hmm+|oh|ah+|oops|ugh|damn|unfortunately|turns out|it turns out)\b(?!,? (?:good|nice|great|i see|yes|right)\b)"
)
_CAUSE = re.compile(
    r"\b(?:root cause|culprit)\b|\bthe (?:real |actual |underlying |main )?(?:issue|problem|bug|cause"
    r"|reason)(?: here)? (?:is|was|turned out)\b"
    r"|\bfound (?:the|it|a) ?(?:bug|issue|problem|cause|culprit|root cause)?\b.{0,40}(?:[:!—–-])|\b(?:that|this"
    r"|which)['’]?s? (?:is )?(?:why|because)\b",
)
# One of these stands in whatever the patterns above find: looking for them first is ten times cheaper.
_GIVES_UP = (
    "n't", "n’t", " not ", "never", "different", "another", "alternative", "new ", "better", "simpler", "cleaner", "thinking", "let me ",
    "revert", "undo", "roll", "back", "dead", "square", "abandon", "scrap", "drop", "ditch", "giv", "gave", "wrong", "incorrect", "mistake",
    "flawed", " off", "too ", "broken", "invalid", "misguided", "misread", "misunderstood", "misdiagnosed", "overlooked", "have", "bad",
    "herring", "the right",
)  # fmt: skip
_MEETS = (
    "n't", "n’t", "not", "able", "never", "no way", "impossible", "unsupported", "infeasible", "incompatible", "blocked", "denied", "creat",
    "cause", "introduce", "break", "conflict", "overwrite", "lose", "fail", "clobber", "deadlock", "leak", "violate", "circular", "too ",
    "limited", "time", "timing", "hang", "crash", "clash", "collide", "shadow", "clunky", "fragile", "overkill", "wasteful", "brittle",
    "hacky", "pointless", "no such",
)  # fmt: skip
_ABOUT_OTHERS = re.compile(
    r"\b(?:why|if|when|whenever|whether|what if|in case|unless|users?|you can|you could|should we|shall we|do you"
    r"|ensures?|verif(?:y|ies)|tests? that)\b.{0,80}$",
)
_OF_A_LIST = re.compile(r"^\s{0,12}(?:[-*•|>]|\d{1,2}[.)]|#{1,6} )")

_YIELDS = re.compile(
    r"^(?:ah[,!. ]+|oh[,!. ]+|yes[,!. —–-]+|yeah[,!. —–-]+|hmm+[,!. ]+|ok(?:ay)?[,!. ]+)?(?:you(?:['’]re"
    r"| are) (?:absolutely |completely |totally |quite |so )?(?:right|correct)\b"
    r"|(?:good|great|fair|excellent|valid|nice)(?: point| catch| call| idea)\b|(?:my )?(?:mistake|bad|apolog\w+)\b"
    r"|i apologi[sz]e|sorry\b|oops\b"
    r"|i (?:misunderstood|misread|was wrong|see the (?:issue|problem|confusion|mistake))\b|understood\b|got it\b"
    r"|makes sense\b|that['’]s (?:a much better|better|right|fair|a good point)"
    r"|agreed\b|fair enough\b|true\b|right[,!. —–-])",
    re.IGNORECASE,
)
_SOFT = re.compile(r"(?:got it|understood|makes sense|agreed|true|right[,!. —–-]|good idea|great idea|nice idea|good call)$", re.IGNORECASE)
_TURNS_ROUND = re.compile(
    r"^(?:no|nope|nah|wrong|stop|wait|hold on|actually|hmm+,? no)\b(?! (?:worries|problem|need|rush|thanks|idea|other"
    r"|more|further)\b)"
    r"|\b(?:that|this|it|these|those)(?:['’]s| is| are|['’]re) (?:not (?:what|how|right|correct|true|needed|working|good"
    r"|the)|wrong|incorrect|broken|overkill|bad|too \w+)"
    r"|\bnot (?:correct|right|what i)\b|\bi (?:meant|said|asked for|told you)\b|\b(?:you|we) (?:should(?: not|n['’]?t)"
    r"|shouldn['’]?t have|didn['’]?t|did not|forgot|missed|broke|deleted|lost)\b"
    r"|\bwhy (?:not|did|are|is|do|does|would|don['’]?t|didn['’]?t|isn['’]?t|aren['’]?t|have|has|on earth)\b"
    r"|\bstill (?:not|no|fails?|failing|broken|doesn['’]?t|see|seeing|get|getting"
    r"|happen\w*|the same|show\w*|there|displaying|does|an?|some|missing)\b|\b(?:doesn['’]?t|does not|didn['’]?t|did not"
    r"|isn['’]?t|won['’]?t|not) (?:really |quite |actually )?(?:work|working|help|compile|build|look right|seem right"
    r"|make sense|seem to|appear)\b|\b(?:revert|undo|roll (?:it |that |this )?back|go back to|put (?:it|that|this) back"
    r"|back (?:it|that|this) out|get rid of|drop (?:it|this|that|the))\b"
    r"|\binstead\b|\brather than\b|\bi(?:['’]d)? (?:would )?(?:rather|prefer)\b|\b(?:do not|don['’]?t) (?:do|use|add"
    r"|change|touch|need|want|like|just|make|create|commit|push|run|remove|delete|write)\b"
    r"|\btoo (?:complex|complicated|much|long|many|verbose|big|clever|intrusive)\b|\bover-?(?:engineer\w*|complicat\w*"
    r"|kill)\b|\bi would have expected\b|\b(?:another|same|new) (?:error|issue|problem|failure|bug)\b"
    r"|\b(?:made? (?:it|that|this) up|hallucinat\w+)\b|\bwon['’]?t work\b"
    r"|\bkick(?:s|ing)? the can\b|\b(?:there(?:['’]s| is| are)|we|you|i|that|it) (?:already|have already)\b"
    r"|\balready (?:exists?|there|has|have|got)\b|\btechnically\b"
    r"|\bstill \w+ing\b|\b(?:does|do|is|are|was|were|did|should|can|has|have)(?: not|n['’]?t)\b|\bcannot\b|\bnot (?:the"
    r"|a|an|all|only|every\w*)\b|\bmight be\b",
    re.IGNORECASE,
)
_ASKS_ONLY = re.compile(
    r"^(?:what|which|where|how|who|when|is there|are there|can you|could you|do we|does|did|should we)\b", re.IGNORECASE
)

_MISSING = re.compile(
    r"^(?:[\w./-]{1,60}: (?:line \d+: |\d+: )?)?(?:[\w./+-]{1,60}: (?:command )?not found|command not found: \S{1,60}"
    r"|.{0,40}\bnot recogni[sz]ed as (?:an internal|the name))"
    r"|no such tool available|\bmodulenotfounderror: |\bno module named |cannot find module ['\"]"
    r"|\bexecutable file not found\b|\bnot installed\b|\bis not a \w+ command\b"
    r"|\bunknown (?:skill|command|tool|subcommand)\b|\bmcp server .{0,60}(?:not connected|disconnected|failed)"
    r"|\benoent\b.{0,80}spawn|\bspawn \S{1,80} enoent|unable to locate package"
    r"|\bcould not find (?:a version|package|executable)|\bno required module provides package|\bmissing script:",
    re.MULTILINE,
)
_UNSUPPORTED = re.compile(
    r"\b(?:unknown|unrecogni[sz]ed|invalid|illegal|unsupported|unexpected|no such) (?:option|flag|argument|arguments"
    r"|subcommand|shorthand flag|switch|parameter)\b|\bunknown (?:command|flag|field|json field)\b"
    r"|\bflag provided but not defined\b|\bnot (?:yet )?supported\b|\bunsupported\b|\bis deprecated\b"
    r"|\bno longer (?:supported|available)\b|\bnotimplemented|\bunknown json field",
)
_DENIED = re.compile(
    r"\bpermission denied\b|\boperation not permitted\b|\baccess (?:is )?denied\b|\beacces\b|\beperm\b"
    r"|\bread-only file system\b|\bunauthori[sz]ed\b|\bforbidden\b|\b(?:status(?: code)?|http)[ :/.\d]{0,6} ?(?:401|403"
    r"|404|429|50\d)\b"
    r"|\bauthentication (?:failed|required)|\bnot (?:logged in|authenticated|authori[sz]ed)\b|\bcould not resolve host\b"
    r"|\bnetwork is unreachable\b|\bconnection refused\b|\beconnrefused\b|\benotfound\b|\beai_again\b"
    r"|\brate limit(?:ed)?\b|\bcannot connect to the docker daemon\b|\bblocked (?:by|in|for)\b"
    r"|\bdomain .{0,80} is (?:not )?safe\b|\bunable to (?:access|fetch|verify)\b|\bsandbox\b"
    r"|\bis already checked out at\b|\bprotected branch\b"
    r"|\bexceeds? (?:the )?(?:maximum|limit)|\btoo (?:large|many requests)\b|\bwas blocked\b|\bnot allowed\b|\bcircular"
    r"|\bimport cycle\b",
)

# The way is open, but not whole: what was asked for does not fit.
_TOO_LARGE = re.compile(
    r"exceeds maximum allowed|^(?:<persisted-output>\n)?output too large|^(?:[^\n]{0,120}:)?\[omitted long"
    r"|\btoo many (?:results|matches|tokens)\b"
    r"|\bresponse too large\b|\bmaximum (?:context|output|file) (?:length|size)\b",
)
_LARGE = ("exceeds max", "too large", "omitted long", "too many", "maximum ")
# A look-up that answers that there is no answer.
_NO_ANSWER = re.compile(
    r"\b(?:there is )?(?:no|any) (?:explicit |specific |direct |clear )?(?:mention|information|documentation|details"
    r"|reference|evidence|answer)s?\b"
    r"|\b(?:does not|doesn['’]?t|do not|don['’]?t|did not|didn['’]?t|is not|isn['’]?t|are not"
    r"|not) (?:\w+ly )?(?:mention|document|describe|contain|include"
    r"|specify|explain|provide|support|list|cover|exist|available|documented|mentioned|specified|supported|accessible|present)\w*\b"
    r"|\b(?:cannot|can['’]?t|could not|couldn['’]?t|unable to) (?:give|provide|access|find|determine|retrieve|answer"
    r"|locate|fetch|complete|be)\b"
    r"|\bunavailable\b",
)
# What a compiler, a test runner or a system says of something that is not there or not free, whatever the code around it does.
_NOT_THERE = re.compile(
    r"\bundefined: \S|\bhas no (?:exported member|attribute|field|method|member)\b|\bcannot find (?:name|symbol|module"
    r"|package|type|macro|function|value|crate)\b"
    r"|\bis not defined\b|\bno tests? (?:found|ran|files?|matching)\b|\bno tests to run\b|\baddress already in use\b|\beaddrinuse\b"
    r"|\bunresolved (?:import|reference|name|external)|\bcannot import name\b|\bno module named\b|\bno such (?:table"
    r"|column|file|service|container|image|device|method)\b"
    r"|\bunknown (?:field|option|flag|command|property|column|rule|argument)\b|\bdoes not exist\b|\bundeclared\b"
    r"|\bimport cycle\b|\bnot declared\b|\bno matching\b"
    r"|\bproperty '[^'\n]{1,60}' does not exist\b|\b(?:connection refused|econnrefused|command not found"
    r"|permission denied|fetch failed|no space left)\b"
    r"|\bmust be an? valid\b|\bshould not exist\b|\bstatus code [45]\d\d\b|\bread-only file system\b"
    r"|\bcannot read propert\w+ of (?:undefined|null)\b",
)
_RULE_BROKEN = re.compile(
    r"^\s{0,8}\S{1,200}:\d{1,6}:\d{1,6}:? .{3,300}\([a-z][\w-]{2,30}\)$"
    r"|^\s{0,8}\S{1,200}:\d{1,6}:\d{1,6}:? [A-Z]{1,4}\d{3,4}\b.{3,300}$"
    r"|^\s{1,8}\d{1,6}:\d{1,6}\s{1,4}error\s.{3,300}\s{2,}@?[a-z][\w/@-]{2,60}$",
    re.MULTILINE,
)
_QUOTED = re.compile(r"[(=;{]")  # the line of code that a compiler prints below its word about it
_IN_ERROR = re.compile(
    r"^(?:\(eval\):\d+: |\S{1,40}: )?(?:error|err|fatal|fail(?:ed|ure)?|exception|panic|command not found|npm err"
    r"|\w+error)\b|^\S{1,60}: (?:command )?not found",
    re.MULTILINE,
)

_THEORY = re.compile(
    r"\b(?:likely|probably|perhaps|maybe|possibly|presumably|suspect\w*|suggests?|my (?:guess|theory|hypothesis)|theory|hypothesis)\b"
    r"|\b(?:may|might|could|must) (?:have|be|not)\b|\b(?:seems?|looks|appears?) (?:like|to be|that)\b|\bi (?:think|believe|bet)\b"
    r"|\bthe (?:real |actual |root |underlying )?(?:issue|problem|bug|cause|culprit|root cause) (?:is|was|here)\b"
)
_THEORIES = (
    "likely", "probably", "perhaps", "maybe", "possibly", "presumably", "suspect", "suggest", "guess", "theory", "hypothesis", "may ",
    "might ", "could ", "must ", "seem", "looks ", "appear", "i think", "i believe", "i bet", "issue", "problem", "bug ", "cause",
    "culprit",
)  # fmt: skip
_SUPPOSES = re.compile(
    r"\b(?:likely|probably|perhaps|maybe|possibly|suspect\w*|suggests?|theory|hypothesis|let me|i['’]ll|i need|should"
    r"|would|(?:may|might|could|must) (?:have|be))\b"
)
_PLAINLY = re.compile(
    r"\bnot the (?:\w+ )?(?:issue|problem|cause|bug|reason|culprit)\b|\brules? (?:that |this |it )?out\b|\bturn(?:s"
    r"|ed) out\b|\bi was wrong\b|\bred herring\b"
    r"|\bso (?:it|that|this)['’]s not\b|\b(?:doesn['’]t|does not|didn['’]t) (?:help|matter|apply)\b",
)
_WORDS = re.compile(r"[A-Za-z_][\w-]{2,60}")
_COMMON = frozenset(
    """that this these those there then than when where which while with without what have from into onto after before been being because
    could would should might must will just only also more most some such same other another each every they them their your here
    does doing done make made need needs like look looks seem seems still since very much many issue problem cause error fail failed
    check test tests file code line call called actually likely probably maybe perhaps wait now let's want first last next about it's
    didn doesn isn aren won can't don't that's isn't doesn't didn't""".split()  # noqa: SIM905
)
_REFUTED = re.compile(
    r"\b(?:that|this|it)(?:['’]s| is| was|) ?(?:not|n['’]t|isn['’]t|wasn['’]t) (?:the (?:issue|problem|cause|bug|reason"
    r"|case|root cause|culprit)|it\b|actually|true|why)"
    r"|\bnot (?:an? |the |our )(?:[\w-]+ )?(?:issue|problem|cause|bug|reason)\b|\brules? (?:that |this |it )?out\b|\bturn(?:s|ed) out\b"
    r"|\b(?:did|does|is|was|are) (?:in fact|indeed|actually)\b|\b(?:in fact|contrary to|red herring|so it['’]s not|so that['’]s not)\b"
    r"|\b(?:DID|DOES|IS|WAS|NOT|NEVER)\b|\bnever (?:called|used|invoked|executed|reached|set|fires?|fired|runs?|happens?)\b"
    r"|\bi was wrong\b|\b(?:doesn['’]t|does not|didn['’]t) (?:help|matter|apply)\b",
)


@dataclass(frozen=True, slots=True)
class Setback:
    """What was said or printed, why ("" if not told), and how probable it is that somebody would run into it again."""

    text: str
    reason: str
    weight: float


def setbacks(message: str, *, with_causes: bool = True) -> list[Setback]:
    """What the agent says it gave up or cannot do, verbatim, the weightiest first, at most STATEMENTS_MAX.

    An obstacle counts beside a turn ("… does not exist, so I'll …", "Let me use … instead"): alone it describes something.
    with_causes  also causes that it says it found: worth something after a failure.
    """
    is_report = len(message) > REPORT_CHARS
    found: list[tuple[float, int, Setback]] = []
    every = _said_in(message[:MESSAGE_CHARS_MAX])
    for at, (sentence, is_listed) in enumerate(every):
        if len(sentence) > SENTENCE_CHARS_MAX or len(sentence) < 8 or sentence.endswith("?"):
            continue
        before = every[at - 1][0] if at and len(every[at - 1][0]) <= SENTENCE_CHARS_MAX else ""
        after = every[at + 1][0] if at + 1 < len(every) and len(every[at + 1][0]) <= SENTENCE_CHARS_MAX else ""
        plain = sentence.lower()  # searching lower case by itself is twice as fast as ignoring case
        said = _GAVE_UP.search(plain) if _names(plain, _GIVES_UP) else None
        if said and not _ABOUT_OTHERS.search(plain[: said.start()]) and not (is_report and is_listed):
            context = before if len(before) >= BEFORE_CHARS_MIN else ""
            found.append((GAVE_UP, at, Setback(sentence, context, GAVE_UP)))
        elif is_report or is_listed:
            continue
        elif _names(plain, _MEETS) and (met := _OBSTACLE.search(plain)) and not _ABOUT_OTHERS.search(plain[: met.start()]):
            is_turn, is_pivot = _TURN.search(plain) is not None, _PIVOT.match(plain) is not None
            is_plain = _IMPOSSIBLE.search(plain) is not None
            if is_turn or is_pivot or _TURN.search(after.lower()) or (is_plain and len(message) <= BRIEF_CHARS):
                weight = round(OBSTACLE + 0.1 * is_pivot + 0.05 * is_plain - 0.1 * (not (is_turn or is_plain or "instead" in after)), 2)
                found.append((weight, at, Setback(sentence, after, weight)))
        elif (
            with_causes
            and len(sentence) >= CAUSE_CHARS_MIN
            and (_CAUSE.search(plain) or (_SURPRISED.match(plain) and not _TURN.search(plain)))
        ):
            found.append((CAUSE, at, Setback(sentence, after, CAUSE)))
    found.sort(key=lambda row: (-row[0], row[1]))
    kept: list[Setback] = []
    for _, _, setback in found:
        if not any(setback.text in other.reason or other.text in setback.reason for other in kept):
            kept.append(setback)
    return kept[:STATEMENTS_MAX]


def yields(message: str) -> float:
    """How plainly the agent begins by giving in: 1 for "You're right" or "My mistake", 0.5 for "Got it", 0 for anything else."""
    found = _YIELDS.match(message.lstrip())
    return 0.0 if found is None else 0.5 if _SOFT.search(found[0]) else 1.0


def turn_round(words: str) -> float:
    """How plainly the user turns the agent round: CORRECTED, DOUBTED for a question, 0 for another request."""
    head = words[:600]
    if not _TURNS_ROUND.search(head):
        return 0.0
    return DOUBTED if _ASKS_ONLY.match(head) or head.rstrip().endswith("?") else CORRECTED


def closed_way(output: str) -> tuple[float, str]:
    """(weight, line) of the line that says that the same will never work here: nothing by that name, no such option, not allowed."""
    text = output if len(output) <= 2 * OUTPUT_CHARS else f"{output[:OUTPUT_CHARS]}\n{output[-OUTPUT_CHARS:]}"
    plain = text.lower()
    plain = plain if len(plain) == len(text) else text  # a few letters of other alphabets grow
    for pattern, weight in ((_MISSING, 0.65), (_DENIED, 0.6), (_UNSUPPORTED, 0.55)):
        if found := pattern.search(plain):
            start = text.rfind("\n", 0, found.start()) + 1
            end = text.find("\n", found.end())
            return weight, text[start : end if end >= 0 else len(text)].strip()[:SENTENCE_CHARS_MAX]
    return 0.0, ""


def too_large(output: str) -> str:
    """The line that says that an output did not fit; "" where nothing does."""
    head = output[:1_000]
    plain = head.lower()
    found = _TOO_LARGE.search(plain) if _names(plain, _LARGE) else None
    return _line_at(head, found.start(), found.end()).removeprefix("<persisted-output>").strip() if found else ""


def no_answer(output: str) -> str:
    """The sentence at the beginning of a look-up's answer that says that there is none; ""."""
    for line in output[:1_200].split("\n"):
        for part in sentences(line):
            sentence = part.strip(" *_#>-")
            if (
                12 <= len(sentence) <= SENTENCE_CHARS_MAX
                and not sentence.startswith("agentId:")
                and _NO_ANSWER.search(sentence.lower().replace("*", ""))
            ):
                return sentence
    return ""


def not_there(output: str, most: int = 3) -> list[str]:
    """Lines of a failed command that say that something is not there, or that a rule of the linter forbids a form, each once."""
    text = output if len(output) <= 4 * OUTPUT_CHARS else f"{output[: 2 * OUTPUT_CHARS]}\n{output[-2 * OUTPUT_CHARS :]}"
    plain = text.lower()
    plain = plain if len(plain) == len(text) else text
    found: dict[str, None] = {}
    for pattern, words in ((_NOT_THERE, plain), (_RULE_BROKEN, text)):
        for each in pattern.finditer(words):
            line = _line_at(text, each.start(), each.end())
            quoted = _line_at(text, end, end) if 0 <= (end := text.find("\n", each.end()) + 1) < len(text) and end else ""
            if len(line) <= SENTENCE_CHARS_MAX // 2 and 8 <= len(quoted) <= SENTENCE_CHARS_MAX // 2 and _QUOTED.search(quoted):
                line = f"{line} | {quoted}"
            if line not in found and len(line) <= SENTENCE_CHARS_MAX:
                found[line] = None
                if len(found) == most:
                    return list(found)
    return list(found)


def is_error_in_passing(output: str) -> bool:
    """Say whether a line of an output begins as errors do, though the command says that it succeeded."""
    return _IN_ERROR.search(output[:OUTPUT_CHARS].lower()) is not None


def theories(message: str) -> list[str]:
    """Sentences that suppose a cause, verbatim, at most four, the last ones."""
    if not _names(message.lower(), _THEORIES):
        return []
    found = [
        sentence
        for sentence, _ in _said_in(message[:MESSAGE_CHARS_MAX])
        if THEORY_CHARS_MIN <= len(sentence) <= SENTENCE_CHARS_MAX and sentence[-1] != "?" and _supposes(sentence)
    ]
    return found[-4:]


def refutations(message: str) -> list[tuple[str, str, bool]]:
    """(sentence, the one before it, does it say so plainly) of sentences at the beginning of a message that may refute a theory."""
    found: list[tuple[str, str, bool]] = []
    before = ""
    for sentence, _ in _said_in(message[:MESSAGE_CHARS_MAX])[:REFUTING_MAX]:
        if 12 <= len(sentence) <= SENTENCE_CHARS_MAX:
            if sentence[-1] != "?" and _REFUTED.search(sentence):
                plain = sentence.lower()
                is_plain = _PLAINLY.search(plain) is not None
                if is_plain or not _SUPPOSES.search(plain):
                    found.append((sentence, before, is_plain))
            before = sentence
    return found[:6]


def weighty(text: str) -> frozenset[str]:
    """The words of a sentence by which it is told from others: longer than three letters and not common ones, in lower case."""
    return frozenset(
        word[:STEM_CHARS] for each in _WORDS.findall(text) if len(word := each.lower().rstrip("s")) > 3 and word not in _COMMON
    )


def count_of(words: frozenset[str], text: str) -> int:
    """How many of these `weighty` words a text holds."""
    return sum(map(text.lower().__contains__, words))


def _line_at(text: str, start: int, end: int) -> str:
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[first : last if last >= 0 else len(text)].strip()


def _supposes(sentence: str) -> bool:
    plain = sentence.lower()
    return _names(plain, _THEORIES) and _THEORY.search(plain) is not None


@lru_cache(maxsize=4)  # several readers ask the same message one after the other
def _said_in(message: str) -> tuple[tuple[str, bool], ...]:
    """The sentences of a message outside fences, and of each whether it stands in a list."""
    return tuple(
        (sentence, is_listed)
        for line in _outside_fences(message)
        for is_listed in (_OF_A_LIST.match(line) is not None,)
        for part in sentences(line)
        if (sentence := part.strip(" *_#>-"))
    )


def _names(plain: str, words: tuple[str, ...]) -> bool:
    return any(map(plain.__contains__, words))


def _outside_fences(text: str) -> list[str]:
    lines: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            is_fenced = not is_fenced
        elif not is_fenced:
            lines.append(line)
    return lines
