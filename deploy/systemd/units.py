"""Reads systemd units and their environment files, as far as those of this folder need it."""

import pathlib
import re
import shlex


def read(path):
    """Returns the settings of a unit: for each name the list of its values, from all sections."""
    settings = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            settings.setdefault(name.strip(), []).append(value.strip())
    return settings


def read_environment(path):
    """Returns the variables of an environment file."""
    variables = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            variables[name.strip()] = " ".join(shlex.split(value))
    return variables


def command(path, root="/"):
    """Returns the command line of a service; `path` may be that of an instance, NAME@INSTANCE.service.

    Environment files are those below `root`. Raises KeyError for a variable that they do not set.
    """
    name, at, instance = path.stem.partition("@")
    unit = read(path.with_name(f"{name}@.service") if at else path)
    environment = {}
    for file in unit["EnvironmentFile"]:
        file = file.replace("%i", instance)
        environment |= read_environment(pathlib.Path(root) / file.lstrip("/"))
    words = []
    for word in unit["ExecStart"][0].split():
        if re.fullmatch(r"\$\w+", word):  # Split into words.
            words += environment[word[1:]].split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word))
    return words
