"""One module for each command, loaded when it is called. Each has a function `command`."""
