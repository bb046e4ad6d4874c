"""Sigma: detection rules in the public format, evaluated as events come.

event          what a rule looks at: one flat record, where it came from, and when
matching       a rule's value -> a function of an event
compile        a rule's condition -> a function of an event, and what must hold before it is worth calling
correlation    rules about several events in a window of time
loading        a folder of files -> rules, and what is wrong with the others, by file and line
ruleset        routes an event to its rules, runs them, keeps the windows
head           the ledger's facts through a ruleset -> alarms of the watch
rules/         our rules about the checkpoint's own facts
"""
