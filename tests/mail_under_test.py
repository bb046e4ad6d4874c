"""A real mail server (Exim) on loopback, started unprivileged by the test, that keeps what it is given."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sekisho.service.certificates import Certificates

EXIM = Path("/usr/sbin/exim4")
_CONFIGURATION = """
primary_hostname = mail.example
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
exim_user = {user}
exim_group = {group}
never_users =
keep_environment =
deliver_drop_privilege = true
message_size_limit = 1M
tls_advertise_hosts = {tls}
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.key
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = no such user
       local_parts = nobody-here
  accept
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  user = {user}
  group = {group}
begin retry
* * F,1h,1m
"""


@dataclass
class MailServer:
    port: int
    ca: Path
    folder: Path

    def mails(self) -> list[EmailMessage]:
        """What was delivered, oldest first."""
        found = sorted((self.folder / "mail" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in found]

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails() if mail["To"] == address]


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def mail_server(*, tls: bool = True, port: int | None = None) -> Iterator[MailServer]:
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="sekisho-mail-"))
    root = os.geteuid() == 0
    user, group = ("nobody", "nogroup") if root else (str(os.geteuid()), str(os.getegid()))
    certificates = Certificates(folder / "tls")
    for name, path in (("server.pem", certificates.server), ("server.key", certificates.key)):
        shutil.copy(path, folder / name)
    for name in ("spool", "log", "mail"):
        (folder / name).mkdir()
    if root:
        folder.chmod(0o755)
        for path in (folder, *folder.iterdir()):
            if path.name != "tls":
                shutil.chown(path, user, group)
    # Written last, and by us: Exim trusts no configuration that its own user could change.
    text = _CONFIGURATION.format(folder=folder, port=port, user=user, group=group, tls="*" if tls else "")
    (folder / "configuration").write_text(text)
    process = subprocess.Popen(
        [EXIM, "-C", folder / "configuration", "-bdf", "-oX", str(port)],
        user=user if root else None,
        group=group if root else None,
        extra_groups=[] if root else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 15
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                said = process.stderr.read().decode() if process.poll() is not None and process.stderr else ""
                raise RuntimeError(f"exim does not start: {said}")
            time.sleep(0.02)
        yield MailServer(port, certificates.ca, folder)
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr:
            process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)
