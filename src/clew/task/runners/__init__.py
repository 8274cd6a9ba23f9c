"""What the output of tests, builds, linters and type checkers looks like: one TOML file for each tool, in `tools`.

`formats` reads these files, `verdict` decides. A file's keys, of which all but `commands` may be left out:

commands         words that run the tool, without launchers such as `npx` or `python -m`.
family           "tests" for what runs tests, "lint" (the default) for everything else.
hides            it runs other tools, whose output counts as well.
needs_command    its lines are so plain that they count only where the command names the tool.
every            one run prints many verdicts, of which a single failed one decides; else the last run in an output does.
lists_faults     every line that it prints is a fault.
exits            what its exit status means where that is neither passed nor failed, by number.
summary          lines with counts: a group `bad…` above 0 says failed; else `good…` above 0, or no such group, says passed.
passed, failed   lines that say so of a whole run.
passed_at_end    lines, with or without counts, that say passed only where the end of the output is shown;
passed_unfiltered  there, and no filter dropped lines;
passed_if_whole  only where all of it is shown;
passed_if_named  only where the command names the tool.
details          lines that only a failed run prints, unless it is told later that all passed.
nothing          lines that say that nothing was checked.

A pattern stands for a whole line, or for several with line breaks between them, without the space around it.
"""
