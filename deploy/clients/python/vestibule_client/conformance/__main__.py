"""`python -m vestibule_client.conformance`."""

import sys

from vestibule_client.conformance.command import main

sys.exit(main())
