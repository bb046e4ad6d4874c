"""Interactive text: what stands between a target's screen output and a terminal.

controls    removes control strings that carry data out, answer back, or act on the terminal
screen      what a terminal would show, so that cursor movements hide nothing from the scanner
encoded     long runs that nobody can read (base64, hex, drawings): counted, and spent as persons
scan        text -> sightings of personal data -> persons -> the session's meter
volume      how much text went to a person's terminals, and when that is raised
session     the one pipe of every interactive session: target -> the above -> recording -> terminal
facts       what a terminal session records
"""
