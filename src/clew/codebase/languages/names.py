"""Names: which language a file is in, by its name, else by its first line."""

from __future__ import annotations

import re

_BY_EXTENSION = {
    extension: language
    for language, extensions in {
        "python": "py pyi pyw pyx pxd",
        "javascript": "js jsx mjs cjs",
        "typescript": "ts mts cts",
        "tsx": "tsx",
        "go": "go",
        "rust": "rs",
        "java": "java",
        "c": "c h",
        "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp cu cuh",
        "csharp": "cs csx",
        "ruby": "rb rake gemspec ru podspec",
        "php": "php php3 php4 php5 phtml",
        "kotlin": "kt kts",
        "swift": "swift",
        "markdown": "md markdown mdx mdown mkd",
        "rst": "rst rest",
        "asciidoc": "adoc asciidoc",
        "toml": "toml",
        "yaml": "yaml yml",
        "json": "json jsonc json5 geojson ipynb webmanifest",
        "ini": "ini cfg conf cnf properties editorconfig desktop service",
        "env": "env",
        "dockerfile": "dockerfile",
        "makefile": "mk mak make",
        "cmake": "cmake",
        "shell": "sh bash zsh ksh fish",
        "powershell": "ps1 psm1",
        "sql": "sql",
        "html": "html htm xhtml vue svelte astro",
        "css": "css scss sass less styl",
        "xml": "xml xsd xsl xslt svg plist csproj props targets",
        "graphql": "graphql gql",
        "protobuf": "proto",
        "terraform": "tf tfvars hcl",
        "text": "txt log text",
        "csv": "csv tsv",
        "tex": "tex bib",
        "scala": "scala sc",
        "dart": "dart",
        "lua": "lua",
        "perl": "pl pm",
        "r": "r",
        "julia": "jl",
        "elixir": "ex exs",
        "haskell": "hs",
        "ocaml": "ml mli",
        "clojure": "clj cljs cljc edn",
        "objective-c": "m mm",
        "zig": "zig",
        "groovy": "groovy gradle",
        "nix": "nix",
    }.items()
    for extension in extensions.split()
}

_BY_NAME = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "justfile": "makefile",
    "cmakelists.txt": "cmake",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "podfile": "ruby",
    "vagrantfile": "ruby",
    "brewfile": "ruby",
    "jenkinsfile": "groovy",
    "pipfile": "toml",
    "cargo.lock": "toml",
    "poetry.lock": "toml",
    "uv.lock": "toml",
    ".gitconfig": "ini",
    ".gitmodules": "ini",
    ".flake8": "ini",
    ".pylintrc": "ini",
    ".coveragerc": "ini",
    ".npmrc": "ini",
    ".editorconfig": "ini",
    ".clang-format": "yaml",
    ".clang-tidy": "yaml",
    ".babelrc": "json",
    ".eslintrc": "json",
    ".prettierrc": "json",
    "go.mod": "text",
    "go.sum": "text",
    "readme": "text",
    "license": "text",
    "sconstruct": "python",
    "sconscript": "python",
    "build.bazel": "python",
    "workspace.bazel": "python",
    ".bashrc": "shell",
    ".zshrc": "shell",
    ".profile": "shell",
    "procfile": "ini",
}

_BY_INTERPRETER = {
    "python": "python",
    "pypy": "python",
    "node": "javascript",
    "nodejs": "javascript",
    "bun": "javascript",
    "deno": "typescript",
    "ts-node": "typescript",
    "tsx": "typescript",
    "ruby": "ruby",
    "php": "php",
    "sh": "shell",
    "bash": "shell",
    "dash": "shell",
    "zsh": "shell",
    "ksh": "shell",
    "perl": "perl",
    "make": "makefile",
    "lua": "lua",
    "swift": "swift",
    "kotlin": "kotlin",
}

_SHEBANG = re.compile(rb"#!\s*(\S+)(?:[ \t]+(.*))?")
_CPP = re.compile(
    rb"^\s*(?:class\s+\w+[^;]*$|namespace\b|template\s*<|using\s+\w|public\s*:|private\s*:|protected\s*:"
    rb"|#\s*include\s*<(?:string|vector|memory|cstd\w+|iostream|map|utility|functional|type_traits|algorithm)>)|\w::\w",
    re.MULTILINE,
)


def language_of(path: str, head: bytes = b"") -> str | None:
    """Return the name of the language that a file is in, None if nothing tells.

    path  relative or not, with "/".
    head  the file's first bytes, if at hand: for scripts without an extension, and to tell C++ headers from C.
    """
    name = path.rpartition("/")[2].lower()
    known = _BY_NAME.get(name)
    if known is not None:
        return known
    if name.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    if name == ".env" or name.startswith(".env."):
        return "env"
    if name.startswith(("makefile.", "gnumakefile.")) and not name.endswith((".py", ".md")):
        return "makefile"
    stem, dot, extension = name.rpartition(".")
    if dot and (stem or extension == "env"):
        language = _BY_EXTENSION.get(extension)
        if language == "c" and extension == "h" and _CPP.search(head):
            return "cpp"
        if language is not None:
            return language
    return _interpreter(head)


def _interpreter(head: bytes) -> str | None:
    """Return the language of a `#!` line, None without one."""
    found = _SHEBANG.match(head)
    if found is None:
        return None
    program = found.group(1).rpartition(b"/")[2]
    if program == b"env":
        words = [word for word in (found.group(2) or b"").split() if not word.startswith(b"-") and b"=" not in word]
        program = words[0].rpartition(b"/")[2] if words else b""
    return _BY_INTERPRETER.get(program.decode("ascii", "replace").rstrip("0123456789."))
