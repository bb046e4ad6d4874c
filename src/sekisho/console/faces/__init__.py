"""The faces of the console: each shows one part of the house to those whom the duty matrix lets see it.

entrance    log in, one-time links, enrolling
account     my sessions, passkeys, tokens
worker      my tickets, my sessions, my budgets; asking for a ticket, a door's password
approver    what waits for approval, beside what is usual; all tickets; emergency reviews
live        open sessions: watch, end
client      who touched our data; daily digest; what is overdue
auditor     the log line by line, with proofs; how far it has come; refusals
people      persons, roles, freezes
register    targets, datasets; the policy
"""
