"""What the SSH door records beside what every door does."""

from sekisho.ledger import Fact, fact


@fact("relay.host_key_refused", version=1)
class HostKeyRefused(Fact):
    """A target showed another host key than those registered: `found` is its fingerprint, as OpenSSH writes it, or ""
    when it had none of a registered type."""

    session: str
    ticket: str
    organisation: str
    target: str
    found: str


@fact("relay.ssh_channel_refused", version=1)
class SshChannelRefused(Fact):
    """Somebody who is logged in asked for something that could carry data past the meter: "exec", "subsystem sftp",
    "local forwarding", … Recorded once for each connection and kind; `detail` is its form, never what was to run."""

    person: str
    ticket: str
    peer: str
    channel: str
    code: str
