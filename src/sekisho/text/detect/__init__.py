"""Finding personal data in a stream of UTF-8 bytes.

    scanner         Scanner: chunks in, sightings out; what it finds does not depend on the chunking
    rules           what counts as a phone, a card, an address, a name … within one line
    japanese_names  common family and given names

docs/text.md lists what is not found.
"""

from sekisho.text.detect.rules import Kind, Sighting
from sekisho.text.detect.scanner import Scanner, scan

__all__ = ["Kind", "Scanner", "Sighting", "scan"]
