"""Notices that leave the program: mail, webhooks, and what apprise knows.

facts, tables   asked, sent, failed, where each receiver is reached; the outbox is a table that follows from facts
addresses       where a person, an agency, a client organisation is reached; sealed, and changed loudly
notices         `Notices.send`: what other rooms call; who may never be the only one to hear
rules           which facts of the house become notices by themselves, and whom they must reach
channels        SMTP, signed webhooks, apprise: one message to one address
foreign         the process in which apprise runs
outbox          derives notices from facts, delivers what is due, tries again
"""
