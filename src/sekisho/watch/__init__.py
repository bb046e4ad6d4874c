"""The watch: facts and foreign logs go in, alarms that explain themselves come out, and reach somebody else.

observation    what the engine is shown: one thing that happened
known          who the humans are, what tickets stand for, what is open
detector       what a detector is; detectors/ has the twenty-five
heads          families of detectors, each calibrated by itself; a rank for each human's day
engine         state, observation -> state, alarms
tails, windows, sketch   the arithmetic
second         a second opinion for rankings; it raises nothing
ingest, export live logs in, events for other monitoring out; syslog is their codec
faults         what it refuses
"""
