"""Vocabulary: the words by which this room recognises programs, files, and what clients write by themselves.

Lists of names from the manuals of the tools concerned; a word that is missing makes the room say less, never
something wrong. Order never matters.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What ends a file's name.
EXTENSIONS = _words("""
    py pyi pyx pxd ipynb js jsx mjs cjs ts tsx mts cts vue svelte astro go rs java kt kts scala groovy gradle clj cljs c h cc cpp cxx
    hpp hh hxx inl m mm swift cs fs vb rb rake erb php phtml pl pm lua r jl ex exs erl hrl hs ml mli elm dart nim zig sol sql graphql
    gql proto thrift sh bash zsh fish ps1 bat cmd html htm css scss sass less xml xsl svg json jsonc json5 jsonl yaml yml toml ini cfg
    conf env properties md mdx rst adoc txt tex csv tsv lock mod sum tf hcl cmake mk am ac in po pot bzl bazel nix jq y l patch diff
    log snap golden pen j2 jinja tpl tmpl hbs ejs d s asm f90 plist csproj sln
""")
FILE_NAMES = _words("""
    Makefile Dockerfile Jenkinsfile Rakefile Gemfile Procfile Vagrantfile CMakeLists.txt LICENSE README CHANGELOG CODEOWNERS justfile
""")
# First folders that make two words with a slash a path; "and/or" is none.
FOLDERS = _words("""
    src lib libs tests test testing docs doc pkg cmd internal app apps packages include scripts tools bin crates examples core api web
""")
BRANDS = _words("node.js vue.js next.js nuxt.js react.js three.js d3.js express.js ember.js asp.net socket.io e.g i.e a.k.a")
# Words that every program calls; as clues they lead everywhere.
COMMON_CALLS = _words("""
    if for while switch return and or not in is print printf println len range str int float bool list dict set tuple type super function
    catch assert raise throw new typeof sizeof open input lambda def class with elif else echo log require import main func fn match
""")

# A client's own slash commands: they steer the client, not the work.
CLIENT_COMMANDS = _words("""
    add-dir agents allowed-tools bashes bug clear compact config context copy cost doctor effort exit export extra-usage fast feedback
    help hooks ide install-github-app keybindings login logout mcp memory model output-style passes permissions plugin plugins
    privacy-settings quit rate-limit-options release-notes reload-plugins rename resume rewind sandbox skills status statusline stats
    tasks terminal-setup theme todos upgrade usage vim voice
""")
# Elements that clients put into a user's turn.
MACHINE_BLOCKS = (
    "system-reminder", "local-command-caveat", "local-command-stdout", "local-command-stderr", "bash-input", "bash-stdout", "bash-stderr",
    "task-notification", "ide_opened_file", "ide_selection", "ide_diagnostics", "new-diagnostics", "user-prompt-submit-hook",
    "command-message", "command-contents", "environment_context", "user_instructions", "turn_aborted", "skill", "permissions instructions",
    "collaboration_mode", "teammate-message", "user-memory-input", "subagent_notification", "INSTRUCTIONS",
)  # fmt: skip
