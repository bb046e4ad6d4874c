"""What Sekisho costs, measured beside a peer in the same run.

    python -m bench                 every measure; writes bench/README.md
    python -m bench lookups idle    some of them; prints only
    python -m bench --quick         a smoke run on small data, whose figures mean nothing

frame       a result, runs that alternate A B A B, medians, the table
checkpoint  a checkpoint in a process of its own, with a worker, tickets and tokens
client      a PostgreSQL client that costs as little as possible
facts       durable facts a second, 64 writers
verify      full verification of a log
lookups     pgbench -S through the door
bulk        a long result through the door, in clear and masked
idle        memory of an idle session
"""
