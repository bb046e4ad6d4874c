"""The process in which apprise runs: it loads a hundred plugins, which the checkpoint's own process need not hold.

Standard input: {"url", "title", "body"} as JSON (an address holds a secret, and arguments can be seen). Exit status: 0
sent, 1 not sent, 2 an address that apprise does not know.
"""

import json
import sys

import apprise


def main() -> int:
    asked = json.load(sys.stdin)
    known = apprise.Apprise()
    if not known.add(asked["url"]):
        return 2
    return 0 if known.notify(title=asked["title"], body=asked["body"]) else 1


if __name__ == "__main__":
    sys.exit(main())
