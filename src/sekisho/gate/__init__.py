"""The gate: who may open what, for whom, how long and for how many persons.

facts        what the gate can record
duties       the matrix of acts and roles, and the rules that no cell of it loosens (pure)
decide       request + state -> Grant or Refusal, rule by rule; the only place where a Grant is made (pure)
state        gathering that state, each fact held against the published log
tickets      a ticket's life, and how it is read
break_glass  emergency access: at once, loud, reviewed by two
policy       what bounds every ticket (pure); policies: proposing, approving and reading it
standing     how a person stands: the human, the roles, the chain of command
habits       what a person usually asks, for the approver
explain      could she, and why: every rule's answer
limits       how much may pass; budget: accounts and leases of it (pure)
tables       the projections, for lists and screens
"""
