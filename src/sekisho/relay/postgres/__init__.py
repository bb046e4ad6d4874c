"""The PostgreSQL door.

door      listens; TLS, the start-up parameters, the password; hands over to a session
target    opens the target with the checkpoint's credential, and numbers its tables
session   what each message becomes after log-in (no sockets)
plan      what a result may show, from its RowDescription
persons   whose rows these are
words     errors and notices without the target's own texts
"""
