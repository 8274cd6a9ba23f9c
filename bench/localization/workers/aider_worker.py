"""aider's repository map, for a question: the names and files that the text mentions steer its page rank.

What counts as mentioned is what aider counts: every word as a name; a path or an unambiguous file name as it stands
between blanks and quotes; a file whose stem, of five letters or more, is a word. No file is in the chat.
"""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

from aider.repomap import RepoMap
from speak import serve

CHARS_PER_TOKEN = 4  # the harness's tokens, so that the map aims at the harness's budget
AIM = 0.95  # aider takes a map that is up to 15 % off its aim
TRIES = 6
RANKED_MAX = 1_000
STEM_MIN = 5  # aider's


class Model:
    """Counts tokens as the harness does."""

    def token_count(self, text):
        """Return tokens, not rounded."""
        return len(text) / CHARS_PER_TOKEN


class Quiet:
    """Reads files and says nothing."""

    def read_text(self, name):
        """Return a file's text, or nothing."""
        try:
            return Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def tool_output(self, *words, **more):
        """Say nothing."""

    tool_warning = tool_error = tool_output


class Map(RepoMap):
    """aider's map, that remembers which lines it showed, and its ranking while one question is asked again."""

    shown, ranked = None, None

    def get_ranked_tags(self, *arguments, **more):
        """Return the ranking of this question."""
        if self.ranked is None:
            self.ranked = super().get_ranked_tags(*arguments, **more)
        return self.ranked

    def render_tree(self, abs_fname, rel_fname, lois):
        """Return aider's rendering, and note its lines."""
        text = super().render_tree(abs_fname, rel_fname, lois)
        context = self.tree_context_cache[rel_fname]["context"]
        if context.lines_of_interest != set(lois):  # it came from aider's own cache of this map
            context.lines_of_interest = set()
            context.add_lines_of_interest(lois)
            context.add_context()
        self.shown[rel_fname] = sorted(line + 1 for line in context.show_lines)
        return text


_STATE = {}


def index(tree):
    """Make a first map without a question: it reads every file, and keeps what it read."""
    names = (
        subprocess.run(["git", "ls-files", "-z"], cwd=tree, capture_output=True, check=True).stdout.decode("utf-8", "replace").split("\0")
    )
    _STATE["files"] = [name for name in names if name and Path(tree, name).is_file()]
    _STATE["root"] = tree
    _STATE["map"] = Map(root=tree, main_model=Model(), io=Quiet(), map_mul_no_files=1)
    _STATE["map"].shown = {}
    _ask(set(), set(), 1024)


def query(text, budget_tokens):
    """Return the map that fits, with the lines it shows; ranks are of its definitions, best first."""
    words = set(re.split(r"\W+", text))
    names = _mentioned(text) | _stems(words)
    aim, answer = budget_tokens * AIM, ""
    repo_map = _STATE["map"]
    repo_map.ranked = None
    for _ in range(TRIES):
        repo_map.shown = {}
        answer = _ask(names, words, aim)
        if len(answer) <= budget_tokens * CHARS_PER_TOKEN:
            break
        aim *= AIM * budget_tokens * CHARS_PER_TOKEN / len(answer)
    else:
        answer, repo_map.shown = "", {}
    tags = [tag for tag in repo_map.ranked or [] if len(tag) > 1][:RANKED_MAX]
    ranked = [[tag.rel_fname, tag.line + 1, tag.line + 1, False] for tag in tags if tag.line >= 0]
    in_answer = {line[:-1] for line in answer.splitlines() if line.endswith(":")}
    shown = [[path, line, line, True] for path, lines in sorted(repo_map.shown.items()) if path in in_answer for line in lines]
    return ranked + shown, answer


def _ask(names, words, aim):
    repo_map = _STATE["map"]
    repo_map.max_map_tokens = aim
    files = [str(Path(_STATE["root"]) / name) for name in _STATE["files"]]
    return repo_map.get_repo_map([], files, mentioned_fnames=names, mentioned_idents=words, force_refresh=True) or ""


def _mentioned(text):
    words = {word.rstrip(",.!;:?").strip("\"'`*_") for word in text.split()}
    by_base = defaultdict(list)
    for name in _STATE["files"]:
        by_base[Path(name).name].append(name)
    plain = {base for base in by_base if not any(sign in base for sign in "._-")}
    alone = {names[0] for base, names in by_base.items() if len(names) == 1 and base in words and base not in plain}
    return alone | words.intersection(_STATE["files"])


def _stems(words):
    wanted = {word.lower() for word in words if len(word) >= STEM_MIN}
    return {name for name in _STATE["files"] if len(Path(name).stem) >= STEM_MIN and Path(name).stem.lower() in wanted}


if __name__ == "__main__":
    serve(index, query)
