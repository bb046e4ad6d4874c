"""A ticket's workspace on the checkpoint: files land here, and only a take-out leaves it.

store      files at rest: sealed chunks, a sealed index, a quota
sandbox    bubblewrap around everything that runs in it; the working copy in memory; terminals
inside     the program that runs within the sandbox (imports nothing of ours)
inner      the inner door: the PostgreSQL relay on a socket that only the sandbox has
query      one SELECT through the inner door, as CSV
pull       a pull under way, and that of a query's result: counted, bounded, fingerprinted
remote     … that of a file of an SSH target
looks      pages of a file, masked
rooms      Workspaces: open, shells, pulls, uploads, the end; wiping with proof
facts, tables, faults
"""
