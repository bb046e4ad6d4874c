"""Facts and alerts for somebody else's monitoring, as OCSF events: each at least once, each with an id that stays.

ocsf      a fact -> the event that is sent of it: counts, names of staff and of things, never what was shown
carriers  how a batch travels: HTTP with JSON lines, or syslog over TLS
exporter  where it was, what comes next, and that it is said when nothing gets through
"""
