"""The SSH door: an unmodified OpenSSH client connects as `person.ticket`; the ticket names the target.

door        listening, limits, who is connected, the end of sessions; one admission for each session channel
client      one client's connection: log-in by the person's own key, or by password and code; what is refused on it
channel     the requests on a session channel: a shell in a terminal, and nothing else
target      the connection to a target: our certificate of minutes, its pinned host key
authority   the certification authority for targets, and keys in files
ends        SSH channels as the two ends of a `relay.terminal` session
facts, faults
"""
