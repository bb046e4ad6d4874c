"""The faces of the console: each shows one part of the house to those whom the duty matrix lets see it.

entrance    log in, one-time links, enrolling
account     my sessions, passkeys, tokens, language
worker      my tickets, my sessions, my budgets; asking for a ticket
approver    what waits for approval, beside what that person usually asks; all tickets
live        open sessions: watch, end
client      who touched our data; daily digest; what is overdue
auditor     the log line by line, with proofs; refusals
people      persons, roles, freezes
register    organisations, targets, datasets
"""
