"""Decides two of the demo's logins: python demo.py HOST:PORT EVENT.json..."""

import json
import sys

from vestibule_client import Client

with Client(sys.argv[1]) as vestibule:
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            print(vestibule.decide("acme", json.load(file)).step)
