"""Who entrusted what to whom: parties, contracts and their periods, datasets, and the tables they arrive in.

facts, tables   what the register records, and the rows that follow
catalogue       which client, dataset, subject and item a column of a target holds
parties         legal persons, hops of entrustment, supervision, contract clauses: pure decisions
inventory       what is known of each dataset, and what is not
periods         contract periods as people write them, and as intervals
counts          published counts: value, unit, 約, duplicates, sums and parts
leak_status     what an organisation says about an external leak, and its normal form
found           how it came to light, and when
affected        one row of a published table of affected organisations
anomalies       what does not add up in such a table
grids           tables of text as CSV, Excel and YAML
tables_io       the register's sheets in these forms, all or nothing
"""
