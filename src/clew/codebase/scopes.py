"""Scopes: say in which place each name of a file is to be looked up, from what the file itself says.

A name is a path from a place, as in a file system: a place is a module, a package, a type or a function; imports and
re-exports are links, base classes and wildcard imports are places that are looked through next. Nothing here knows what
another file defines: `clew.store.name_resolution` follows the links when somebody asks, so no link outlives a file. A name
that no evidence places (a method of something whose type nobody says) is looked up nowhere.

Places are written as paths of parts, of which the first is a file, or the root of a language's packages: (`src/a.py`, `Parser`),
(`java`, `com`, `acme`, `Shop`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clew.codebase.facts import FUNCTION_KINDS, MODULE_QUALNAME, TYPE_KINDS, UNKNOWN_RECEIVER, FileFacts, Symbol
from clew.codebase.languages import get_code_language
from clew.codebase.languages.description import ImportLink, Language
from clew.text.postings import NO_SCOPE, LinkKind, NameLink, NameUse, Place, ScopedUse, hash_name, mix_names

_PLACES = TYPE_KINDS | frozenset(("namespace",))
_NAMELESS = frozenset(("module", "section", "config", "text", "test"))  # kinds of symbols that no code can name
_CALLED = "()"
_PUBLIC = "*"
_HEADERS = (".h", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tpp", ".cuh")


@dataclass(slots=True)
class FileScopes:
    """Where a file's names are defined and looked up: by symbol (places, uses), and the links between places.

    places  for each symbol the (place, name) under which others find it.
    uses    for each symbol (name, how, times, place).
    links   for the file.
    """

    places: list[tuple[Place, ...]]
    uses: list[tuple[ScopedUse, ...]]
    links: list[NameLink]


def find_scopes(facts: FileFacts, imports: Sequence[ImportLink]) -> FileScopes:
    """Return where the names of a parsed file stand and are looked up; of a document without a grammar, by name alone."""
    language = get_code_language(facts.language)
    if language is None:
        return FileScopes([()] * len(facts.symbols), [_by_name(symbol) for symbol in facts.symbols], [])
    return _Finder(facts, language, imports).find()


def digest_links(imports: Iterable[ImportLink]) -> int:
    """Return a hash of where imported names stand, 0 for none: a file is read again when it changes."""
    words = sorted("\0".join((local, *place, name)) for local, place, name in imports)
    return hash_name("\n".join(words)) >> 12 if words else 0  # JSON holds 53 bits


def _by_name(symbol: Symbol) -> tuple[ScopedUse, ...]:
    return tuple((name, NameUse.REFERENCE, times, 0) for name, _, times in symbol.references)


@dataclass(slots=True)
class _Finder:
    facts: FileFacts
    language: Language
    imports: Sequence[ImportLink]
    links: dict[NameLink, None] = field(default_factory=dict[NameLink, None])
    keys: dict[tuple[str, ...], int] = field(default_factory=dict[tuple[str, ...], int])
    paths: dict[tuple[int, str], int | None] = field(default_factory=dict[tuple[int, str], "int | None"])
    brought: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict[str, tuple[tuple[str, ...], str]])
    own: tuple[str, ...] = ()
    file: int = 0
    has_more: bool = False
    children: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    inner: set[str] = field(default_factory=set[str])  # names that stand in something other than the file
    owners: dict[int, tuple[str, ...]] = field(default_factory=dict[int, "tuple[str, ...]"])
    chains: dict[int, int] = field(default_factory=dict[int, int])
    bases: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict[tuple[str, ...], "tuple[str, ...]"])
    homes: dict[int, tuple[str, ...]] = field(default_factory=dict[int, "tuple[str, ...]"])

    def find(self) -> FileScopes:
        facts, language = self.facts, self.language
        package = tuple(part for part in facts.package.split(".") if part)
        folder = facts.path.rpartition("/")[0]
        self.own = (facts.path,) if not language.root else (language.root, folder) if language.root == "go" else (language.root, *package)
        if language.root == "go" and facts.package.endswith("_test"):
            self.own = (language.root, folder + "_test")
        self.file = self.key(self.own) if not language.root else hash_name(facts.path)
        if language.root:
            for count in range(len(self.own), 0, -1) if language.root in ("cs", "php") else (len(self.own),):
                self.join(self.file, self.own[:count])
        self.has_more = bool(language.root)
        for local, place, name in self.imports:
            if local == "*":
                self.join(self.file, (*place, _PUBLIC) if facts.language == "python" else place)
                self.has_more = True
            elif local not in self.brought:
                self.brought[local] = (place, name)
                if not language.root:  # others may import it from here
                    self.link(self.file, local, place, name)
        if facts.language == "python":  # what `import *` takes: what `__all__` lists, or everything
            public = self.key((*self.own, _PUBLIC))
            for _, name in facts.exports:
                self.link(public, name, self.own, name)
            if not facts.exports:
                self.join(public, self.own)
        for there, here in facts.exports if facts.language != "python" else ():
            if here in self.brought:
                place, name = self.brought[here]
                self.link(self.file, there, place, name)
            else:
                self.link(self.file, there, self.own, here)
            if there == "default":  # what a module hands on as itself has members
                self.join(self.file, (*self.own, here))
        stem = facts.path.rpartition("/")[2].partition(".")[0]
        if facts.language == "python" and folder and stem != "__init__":  # a module is a name of its package
            package_key = self.key((folder + "/__init__.py",))
            self.link(package_key, stem, self.own, "")
        self.children = [{} for _ in facts.symbols]
        for index, symbol in enumerate(facts.symbols[1:], 1):
            if symbol.kind != "method" or facts.symbols[symbol.parent].kind in TYPE_KINDS:  # others are no names of what is around them
                self.children[symbol.parent].setdefault(symbol.name, index)
        self.inner = {name for names in self.children[1:] for name in names} | {name for symbol in facts.symbols for name in symbol.bound}
        for at, each in enumerate(facts.symbols):
            if each.bases:
                self.bases.setdefault((*self.home(at), each.name), each.bases)
        places = [self.places(index) for index in range(len(facts.symbols))]
        uses = [self.uses(index) for index in range(len(facts.symbols))]
        return FileScopes(places, uses, list(self.links))

    # -- places and links -------------------------------------------------------------------------

    def key(self, parts: tuple[str, ...]) -> int:
        """Return the key of a place, and remember what it is a part of."""
        found = self.keys.get(parts)
        if found is None:
            if len(parts) == 1:
                found = hash_name(parts[0])
            else:
                above, name = self.key(parts[:-1]), hash_name(parts[-1])
                found = mix_names(above, name)
                if len(parts) > 2 or not self.language.root:
                    self.links[found, above, name, LinkKind.PART] = None
            self.keys[parts] = found
        return found

    def link(self, scope: int, name: str, place: tuple[str, ...], there: str) -> None:
        if there and there != name:  # who uses it under its new name is found by that
            self.within(scope, (name,))
        self.links[mix_names(scope, hash_name(name)), self.key(place), hash_name(there) if there else 0, LinkKind.NAME] = None

    def join(self, scope: int, place: tuple[str, ...]) -> None:
        """Look through a place after `scope`."""
        target = self.key(place)
        if target != scope:
            self.links[scope, target, 0, LinkKind.NEXT] = None

    def within(self, scope: int, names: Iterable[str]) -> int:
        """Return the key of a path of names from a place."""
        for name in names:
            hashed = hash_name(name)
            found = mix_names(scope, hashed)
            self.links[found, scope, hashed, LinkKind.PART] = None
            scope = found
        return scope

    # -- definitions ------------------------------------------------------------------------------

    def home(self, index: int) -> tuple[str, ...]:
        """Return the place that a symbol stands in: its qualified name without the last part."""
        found = self.homes.get(index)
        if found is None:
            found = self.homes[index] = self.find_home(index)
        return found

    def find_home(self, index: int) -> tuple[str, ...]:
        symbol = self.facts.symbols[index]
        if symbol.qualname == MODULE_QUALNAME:
            return self.own
        around = symbol.qualname[: -len(symbol.name)].rstrip(".") if symbol.qualname.endswith(symbol.name) else ""
        parts = tuple(part for part in around.split(".") if part)
        if parts and parts[0] in self.brought and parts[0] not in self.children[0]:  # an `impl` of a type of another file
            place, name = self.brought[parts[0]]
            return (*place, *((name,) if name else ()), *parts[1:])
        return (*self.own, *parts)

    def places(self, index: int) -> tuple[Place, ...]:
        symbol = self.facts.symbols[index]
        for name, says in symbol.types:
            self.typed(index, name, says)
        if symbol.kind in _NAMELESS or (self.language.root == "c" and symbol.kind == "function" and symbol.name.isupper()):
            return ()  # in C and C++ a macro's use may look like a definition
        home = self.home(index)
        own = (*home, symbol.name)
        key = self.key(home)
        if symbol.kind in TYPE_KINDS:
            here = self.key(own)
            self.links[mix_names(here, hash_name(_CALLED)), here, 0, LinkKind.NAME] = None
            for base in symbol.bases:
                target = self.path(symbol.parent, base)
                if target is not None and target != here:
                    self.links[here, target, 0, LinkKind.NEXT] = None
        elif symbol.result and (target := self.path(index, symbol.result)) is not None:
            self.links[mix_names(self.key(own), hash_name(_CALLED)), target, 0, LinkKind.NAME] = None
        if symbol.kind == "extension":
            return ()
        of_file = (hash_name(self.facts.path), symbol.name)
        if self.is_local(symbol):
            return (of_file,)
        if self.language.root == "java" and len(home) > len(self.own):  # its type may be declared in other modules as well
            return (key, symbol.name), (self.key_here(home), symbol.name)
        return ((key, symbol.name), of_file) if self.language.root == "c" else ((key, symbol.name),)

    def key_here(self, home: tuple[str, ...]) -> int:
        """Return the key of a type's place in this file alone."""
        return self.within(hash_name(self.facts.path), home[len(self.own) :])

    def is_local(self, symbol: Symbol) -> bool:
        """Whether a symbol can be named in this file alone; what a header defines is part of the files that include it."""
        return symbol.is_local and not self.facts.path.endswith(_HEADERS)

    def typed(self, index: int, name: str, says: str) -> None:
        """Link a field, or a variable of the file, with its type."""
        symbol = self.facts.symbols[index]
        first, _, rest = name.partition(".")
        if rest and first in self.language.self_words:
            owner = self.owner(index)
            scope = self.key(owner) if owner else None
            name = rest
        elif symbol.kind in _PLACES:
            scope = self.key((*self.home(index), symbol.name))
        elif index == 0:
            scope = self.file
        else:
            return
        target = self.path(index, says)
        if scope is not None and target is not None and "." not in name:
            self.links[mix_names(scope, hash_name(name)), target, 0, LinkKind.NAME] = None

    def owner(self, index: int) -> tuple[str, ...]:
        """Return the type that a symbol is a member of, () for none."""
        found = self.owners.get(index)
        if found is None:
            found = self.owners[index] = self.find_owner(index)
        return found

    def find_owner(self, index: int) -> tuple[str, ...]:
        while index > 0:
            symbol = self.facts.symbols[index]
            if symbol.kind in TYPE_KINDS:
                return (*self.home(index), symbol.name)
            if symbol.kind == "method":
                home = self.home(index)
                return home if len(home) > len(self.own) or home[0] != self.own[0] else ()
            index = symbol.parent
        return ()

    # -- uses -------------------------------------------------------------------------------------

    def uses(self, index: int) -> tuple[ScopedUse, ...]:
        symbol = self.facts.symbols[index]
        found: list[ScopedUse] = []
        bare: dict[str, tuple[int, str]] = {}
        for how, rows in ((NameUse.CALL, symbol.calls), (NameUse.REFERENCE, symbol.references)):
            for name, receiver, times in rows:
                if receiver == UNKNOWN_RECEIVER:
                    found.append((name, how, times, NO_SCOPE))
                elif receiver:
                    found.append((name, how, times, self.path(index, receiver) or NO_SCOPE))
                else:
                    if (placed := bare.get(name)) is None:
                        scope, there = self.bare(index, name)
                        placed = bare[name] = scope or NO_SCOPE, there
                    found.append((placed[1], how, times, placed[0]))
        for base in symbol.bases:
            receiver, _, name = base.rpartition(".")
            scope, name = (self.path(symbol.parent, receiver), name) if receiver else self.bare(symbol.parent, name)
            found.append((name, NameUse.INHERIT, 1, scope or NO_SCOPE))
        return tuple(found)

    def bare(self, index: int, name: str) -> tuple[int | None, str]:
        """Return where a name without a receiver is looked up, and what it is called there."""
        inner, is_bound = self.lexical(index, name)
        if inner is not None or is_bound:
            return inner, name
        if (brought := self.brought.get(name)) is not None and name not in self.children[0]:
            place, there = brought
            return (self.key(place), there) if there else (self.key(place), "default")
        if name in self.children[0]:
            own = self.facts.symbols[self.children[0][name]]
            return self.file if self.is_local(own) else self.key(self.own), name
        if self.language.is_member_bare or self.language.root:
            return self.chain(index), name
        return (self.file, name) if self.has_more else (None, name)

    def lexical(self, index: int, name: str) -> tuple[int | None, bool]:
        """Return the place of a name that something around the symbol defines, None for none, and whether a function there binds it."""
        if name not in self.inner:
            return None, False
        symbols = self.facts.symbols
        while index > 0:
            symbol = symbols[index]
            if name in self.children[index] and (symbol.kind not in TYPE_KINDS or self.language.is_member_bare):
                home = (*self.home(index), symbol.name)
                return self.key_here(home) if self.language.root == "java" else self.key(home), False
            if name in symbol.bound:
                return None, True
            index = symbol.parent
        return None, False

    def chain(self, index: int) -> int:
        """Return the key of all places around a symbol that its names are looked up in, innermost first."""
        found = self.chains.get(index)
        if found is None:
            found = self.chains[index] = self.find_chain(index)
        return found

    def find_chain(self, index: int) -> int:
        around: list[tuple[str, ...]] = []
        symbols = self.facts.symbols
        while index > 0:
            symbol = symbols[index]
            if symbol.kind in _PLACES:
                around.append((*self.home(index), symbol.name))
            elif (symbol.kind == "method" and self.language.is_member_bare) or ("." in symbol.qualname and symbol.parent == 0):
                home = self.home(index)
                around += [home[:count] for count in range(len(home), len(self.own), -1)]
            index = symbol.parent
        if not around:
            return self.file
        scope = self.file
        for place in reversed(list(dict.fromkeys(around))):
            key = mix_names(self.key(place), self.file)
            if (key, scope, 0, LinkKind.NEXT) not in self.links:
                self.join(key, place)
                self.links[key, scope, 0, LinkKind.NEXT] = None
            scope = key
        return scope

    def path(self, index: int, text: str) -> int | None:
        """Return the key of the place that a path of names means in a symbol, None where nothing says."""
        at = (index, text)
        if at not in self.paths:
            self.paths[at] = self.read_path(index, text, 0)
        return self.paths[at]

    def read_path(self, index: int, text: str, depth: int) -> int | None:
        if depth > 4 or not text or text.startswith(UNKNOWN_RECEIVER):
            return None
        if self.language.root == "rb":
            text = text.replace(".new.()", "").replace(".new", "")
        head, *rest = text.split(".")
        head = head.lstrip("$@")
        language = self.language
        if head in language.self_words or head in language.super_words:
            owner = self.owner(index)
            if not owner:
                return None
            if rest[:1] == [_CALLED]:
                rest = rest[1:]
            scope = self.key(owner)
            if head in language.super_words:
                above = mix_names(scope, hash_name("super"))
                for base in self.bases.get(owner, ()):
                    if (target := self.path(0, base)) is not None:
                        self.links[above, target, 0, LinkKind.NEXT] = None
                scope = above
            return self.within(scope, rest)
        for local in self.locals(index, head):
            target = None if local.partition(".")[0] == head else self.read_path(index, local, depth + 1)
            return None if target is None else self.within(target, rest)
        inner, is_bound = self.lexical(index, head)
        if is_bound:
            return None
        for count in range(len(rest), 0, -1):  # `import a.b.c`
            dotted = ".".join((head, *rest[:count]))
            if dotted in self.brought:
                place, there = self.brought[dotted]
                return self.within(self.key((*place, there) if there else place), rest[count:])
        if language.root == "ex" and inner is None and head[:1].isupper() and head not in self.brought:  # a module's whole name
            return self.within(self.key((language.root, head)), rest)
        scope, name = self.bare(index, head)
        if scope is None:
            return None
        if inner is None and head in self.brought and not self.brought[head][1] and head not in self.children[0]:
            return self.within(scope, rest)  # the module itself
        return self.within(scope, (name, *rest))

    def locals(self, index: int, name: str) -> tuple[str, ...]:
        """Return what says the type of a name that a symbol or a function around it binds: one path, or none where two disagree."""
        symbols = self.facts.symbols
        while index > 0:
            symbol = symbols[index]
            if symbol.types and symbol.kind in FUNCTION_KINDS:
                says = {path for named, path in symbol.types if named == name}
                if says:
                    return tuple(says) if len(says) == 1 else ("?",)
            index = symbol.parent
        return ()
