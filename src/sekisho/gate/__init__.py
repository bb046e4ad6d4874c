"""The gate: who may open what, for whom, how long and for how many persons.

facts     a ticket was requested, approved, closed; an access was refused
tickets   a ticket as its facts tell it, checked against the published log
decide    request + ticket -> Grant or Refusal; the only place where a Grant is made (pure)
budget    limits, accounts and leases of persons and rows (pure)
"""
