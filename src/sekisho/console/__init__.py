"""The web face: pages for people, the same as JSON for programs, the published log for whoever doubts it.

app           the application; `POST /api/login`; the published log below `/log/`
house         what the console is given: the rooms that it shows
guard         what stands around every answer: headers, origin, size
viewer        who looks, read from facts that stand in the published log; CSRF
access        which page the duty matrix opens to whom
pages, api    one reader makes a page and an answer of the API
faces/        the pages themselves, one module for each face
lines         what several faces show: names, tickets, sessions, facts
words         sentences in two languages (`locale/ja.po`); times and numbers
facts, tables, faults    what the console records, its list of refusals, what it refuses by itself
"""
