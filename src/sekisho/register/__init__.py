"""Who entrusted what to whom: parties, contracts and their periods, datasets, and the tables they arrive in.

facts, tables        what the register records, and the rows that follow
records              these rows as the values of the pure rooms
parties              legal persons, hops of entrustment, contract clauses: pure decisions
inventory, catalogue what is known of each dataset; which client and item a column of a target holds
standing, attested   may a dataset be opened on a day: by the tables; by facts that the published log confirms
approval, erasure    the client's acts: approving a hop, countersigning an erasure; erase tasks
supervision          files and gap lists per client; profiles: what clients demand; campaigns: re-inspections
controls, law        the checkpoint's controls and their evidence; which rules hold on a day (both as YAML)
overview, graph      how everything stands, client by client; the parties drawn
survey, proposal     a database looked at, and what is proposed for it; proposal_file: edited, confirmed
intake, tables_io    the register's sheets into facts, all or nothing; grids: CSV, Excel, YAML
periods              contract periods as people write them, and as intervals
affected             one row of a published table of affected organisations, whose cells are
counts               … published counts: value, unit, 約, duplicates, sums and parts
leak_status, found   … what is said about a leak and how it came to light, and the normal forms
anomalies            what does not add up in such a table
"""
