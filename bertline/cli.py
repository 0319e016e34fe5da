"""The command `bertline`, with a line for each of its verbs."""

import sys
from importlib import import_module

from bertline.core import console

VERBS = {
    "add": ("bertline.own.add", "Take up your own texts: look into a file, write its entry"),
    "repro": ("bertline.runs.repro", "Run what has changed, independent stages side by side"),
    "verify": ("bertline.runs.verify", "Compare two runs stage by stage and name what differs"),
    "compare": ("bertline.runs.compare", "Test whether two runs differ in a score"),
    "predict": ("bertline.apply.predict", "Classify new texts and assign topics to them"),
    "export": ("bertline.apply.export", "Copy a trained model with a model card, for a hub"),
    "packages": ("bertline.core.packages", "Write the installed versions to packages.yaml"),
    "verify-cache": ("bertline.runs.cache", "Hash DVC's cache and remove damaged files"),
}


def usage() -> str:
    """Return the help of the command: each verb in a line."""
    lines = [f"  {verb:<14}{line}" for verb, (_, line) in VERBS.items()]
    return "\n".join(
        ["usage: bertline VERB ...", "", *lines, "", "`bertline VERB --help` documents a verb."]
    )


def main() -> None:
    """Call the module of the verb with the arguments that follow it."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb not in VERBS:
        wanted = verb in {"-h", "--help"}
        (sys.stdout if wanted else sys.stderr).write(f"{usage()}\n")
        sys.exit(0 if wanted else console.EXIT_MISTAKE)
    sys.argv[:2] = [f"bertline {verb}"]
    console.run(import_module(VERBS[verb][0]).main)


if __name__ == "__main__":
    main()
