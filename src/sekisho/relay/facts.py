"""What every door can record of a session. Durations in microseconds; texts, parameters and the set of
persons seen are confidential parts under the client organisation's key."""

from collections.abc import Iterator

from sekisho.ledger import Commitment, Fact, fact


@fact("relay.session_opened", version=1)
class SessionOpened(Fact):
    session: str
    person: str
    ticket: str
    organisation: str
    dataset: str
    target: str
    door: str
    peer: str
    tls: str
    client: str


@fact("relay.statement_revealed", version=1)
class StatementRevealed(Fact):
    """A statement is about to show personal columns in clear: durable before its first row passes."""

    session: str
    number: int
    ticket: str
    organisation: str
    revealed: tuple[str, ...]
    text: Commitment


@fact("relay.statement", version=1)
class Statement(Fact):
    """One statement, when it has ended.

    `read` names table.column of everything shown, `masked` those that were masked. `outcome` is "passed",
    "failed" (the target refused it), "cut" (a limit stopped it), "refused" (nothing of it passed) or "lost" (the
    connection ended in it); `code` is the fault's code or the target's SQLSTATE. `bytes` counts what was sent
    to the operator. `rows_before_cut` of a cut statement are in `rows`.
    """

    session: str
    number: int
    ticket: str
    organisation: str
    read: tuple[str, ...]
    masked: tuple[str, ...]
    rows: int
    persons: int
    bytes: int
    duration: int
    outcome: str
    code: str
    text: Commitment


@fact("relay.statements", version=1)
class Statements(Fact):
    """Several executions of one and the same statement in quick succession, all passed. The figures of each stand at
    its place in `rows`, `persons`, `bytes` and `duration`; the statement numbers are `first` and those after it."""

    session: str
    first: int
    ticket: str
    organisation: str
    read: tuple[str, ...]
    masked: tuple[str, ...]
    rows: tuple[int, ...]
    persons: tuple[int, ...]
    bytes: tuple[int, ...]
    duration: tuple[int, ...]
    text: Commitment

    def each(self) -> Iterator[Statement]:
        """Each execution as a `Statement` of its own: what a reader of statements reads."""
        figures = zip(self.rows, self.persons, self.bytes, self.duration, strict=True)
        for number, (rows, persons, size, duration) in enumerate(figures, self.first):
            yield Statement(
                session=self.session,
                number=number,
                ticket=self.ticket,
                organisation=self.organisation,
                read=self.read,
                masked=self.masked,
                rows=rows,
                persons=persons,
                bytes=size,
                duration=duration,
                outcome="passed",
                code="",
                text=self.text,
            )


@fact("relay.parameters_recorded", version=1)
class ParametersRecorded(Fact):
    """The bind parameters of the statements `first` to `last` of a session, as they were sent."""

    session: str
    first: int
    last: int
    content: Commitment


@fact("relay.channel_refused", version=1)
class ChannelRefused(Fact):
    """Something that could carry data past the meter was stopped or dropped: "copy-out", "notification", …"""

    session: str
    channel: str
    code: str


@fact("relay.session_closed", version=1)
class SessionClosed(Fact):
    """`seen` commits to the bitmap (roaring, 64-bit) of the persons shown, or is "" when there were none."""

    session: str
    reason: str
    statements: int
    rows: int
    persons: int
    bytes: int
    seen: str


@fact("relay.bypass_seen", version=1)
class BypassSeen(Fact):
    """Somebody was connected to a target without the checkpoint. `user` and `database` are the target's own names;
    `address` is "local" for the server's own machine; it and `application` are "" where the checkpoint's login may not
    see them."""

    target: str
    user: str
    application: str
    address: str
    database: str


@fact("relay.sensor_changed", version=1)
class SensorChanged(Fact):
    """Whether the checkpoint can see who else is connected to a target; `reason` is why not, or ""."""

    target: str
    sees: bool
    reason: str
