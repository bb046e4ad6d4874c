"""People: one human, one identity, however many login names.

facts, tables   what is recorded of people, and the tables that follow
roles, standing the roles of the duty matrix; how a person stands, for the gate
accounts        login names and the humans behind them
identity        `Authenticated`: the proof that a human logged in
login           password and one-time code (credentials) -> Authenticated, door tokens (tokens)
passkeys, openid    the other two ways to log in; challenges: what may be answered once
throttle        failures make accounts and addresses wait
sessions, api_tokens    what a login buys at the console and its JSON API
links           one-time links: the first administrators; enrolment that two people vouch for
consent         what needs a second person: roles, the end of a freeze
staff           moving, training, attesting, freezing, leaving (lookback), returning
watch           live sessions hear of a freeze or a leaving at once
headcount, tenure   the agency's list against ours; rotation, sole holders, what expires
"""
