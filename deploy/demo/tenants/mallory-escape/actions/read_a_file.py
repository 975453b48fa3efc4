"""Hostile: read a file through a module that the real `json` imports."""

import json


def on_execute_post_login(event, api):
    codecs = getattr(json, "cod" + "ecs")
    text = codecs.open("/etc/passwd").read()
    api.access.deny(text[:200])
