"""Who entrusted what to whom: parties, contracts and their periods, datasets, and the tables they arrive in.

    parties       legal persons, hops of entrustment, supervision, contract clauses: pure decisions
    periods       contract periods as people write them, and as intervals
    counts        published counts: value, unit, 約, duplicates, sums and parts
    leak_status   what an organisation says about an external leak, and its normal form
    found         how it came to light, and when
    affected      one row of a published table of affected organisations
    anomalies     what does not add up in such a table
    tables_io     the register as CSV, Excel and YAML, all or nothing
"""
