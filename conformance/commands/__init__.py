"""The verbs of the command line, one a module; each gives a click command named `command`."""
