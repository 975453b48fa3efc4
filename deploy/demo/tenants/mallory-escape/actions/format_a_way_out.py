"""Hostile: let a format string read the attributes that code may not read."""


def on_execute_post_login(event, api):
    found = "{0.enable.__func__.__globals__}".format(api.multifactor)
    api.access.deny(found[:200])
