"""Hostile: read a file through a module that the real `json` imports."""

import json


def on_execute_post_login(event, api):
    text = json.codecs.open("/etc/passwd").read()
    api.access.deny(text[:200])
