"""Commands: one module for each command, imported when it is called, with a function `command`."""
