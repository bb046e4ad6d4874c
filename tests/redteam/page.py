"""docs/what-we-do-not-stop.md, written from how the techniques ended."""


def note(*_):
    ...
