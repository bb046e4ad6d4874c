"""The doors: what stands between a client and a target.

admission   login name -> token -> ticket -> Grant -> session; the one sequence that every door runs
endings     what ends live sessions from outside, at every door
accounts    the accounts of persons and rows that sessions share
facts       what a door records
tables      the sessions table
postgres    the PostgreSQL door
browser     the door for terminals in a browser
record      recordings of interactive sessions
workspace   files on the checkpoint: the inner door, the sandbox, pulls, wiping
"""
