"""One message to one address: SMTP, a signed webhook, or what apprise knows.

Each way bounds its time. `Undelivered.final` says that another attempt would be refused as well.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import sys
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

import httpx2
import msgspec

from sekisho.faults import Fault
from sekisho.notify import faults
from sekisho.notify.addresses import Address

_SECONDS: Final = 20.0
_GONE: Final = 410
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server. `security`: "starttls" (the certificate is checked, and mail that cannot be encrypted is not
    sent), "tls" from the first byte, or "none" on loopback only. `ca_file` names the server's authority if it is none
    of the system's; `user` and `password_file` log in; `sender` is the mail address in From."""

    host: str
    sender: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    user: str = ""
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` stays the same at each attempt, and is unique for a notice and its receiver."""

    id: str
    kind: str
    at: datetime
    subject: str
    body: str
    link: str


class Undelivered(Exception):  # noqa: N818 (a state of a message, not a mistake)
    """Why an attempt failed. `final`: no other attempt is worth it."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason[:200]
        self.final = final


class Channels:
    """One per process. `http` is owned by the caller. Raises Fault BAD_SMTP when mail cannot work as set."""

    def __init__(self, smtp: Smtp | None, http: httpx2.AsyncClient) -> None:
        self._smtp = smtp
        self._http = http
        self._password = ""
        self._tls: ssl.SSLContext | None = None
        if smtp is not None:
            self._prepare(smtp)

    def _prepare(self, smtp: Smtp) -> None:
        if smtp.security == "none" and smtp.host not in _LOOPBACK:
            raise Fault(faults.BAD_SMTP, reason='security = "none" is for loopback only')
        if "@" not in smtp.sender or not smtp.sender.isprintable():
            raise Fault(faults.BAD_SMTP, reason="sender")
        try:
            if smtp.security != "none":
                self._tls = ssl.create_default_context(cafile=smtp.ca_file or None)
            if smtp.password_file:
                self._password = Path(smtp.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(faults.BAD_SMTP, reason=str(error)) from error

    async def send(self, message: Message, address: Address) -> None:
        """Hand a message to the next hop. Raises Undelivered."""
        match address.channel:
            case "smtp":
                await self._mail(message, address.to)
            case "webhook":
                await self._post(message, address)
            case _:
                await self._apprise(message, address.to)

    async def _mail(self, message: Message, to: str) -> None:
        smtp = self._smtp
        if smtp is None:
            raise Undelivered("no mail server is set")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = smtp.sender, to, message.subject
        mail["Date"], mail["Message-ID"] = format_datetime(message.at), f"<{message.id}>"
        mail["Auto-Submitted"], mail["X-Sekisho-Kind"] = "auto-generated", message.kind  # RFC 3834 5
        mail.set_content(_with_link(message))
        try:
            await asyncio.to_thread(self._hand_over, smtp, mail, to)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise Undelivered(f"SMTP {code}", final=code >= 500) from error
        except smtplib.SMTPResponseException as error:
            # A server's own words may quote anything; its code says enough. A refused login can be mended.
            final = error.smtp_code >= 500 and not isinstance(error, smtplib.SMTPAuthenticationError)
            raise Undelivered(f"SMTP {error.smtp_code}", final=final) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(type(error).__name__) from error

    def _hand_over(self, smtp: Smtp, mail: EmailMessage, to: str) -> None:
        """In a thread."""
        if smtp.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=_SECONDS, context=self._tls)
        else:
            server = smtplib.SMTP(smtp.host, smtp.port, timeout=_SECONDS)
        with server:
            if smtp.security == "starttls":
                server.starttls(context=self._tls)
            if smtp.user:
                server.login(smtp.user, self._password)
            server.send_message(mail, smtp.sender, [to])

    async def _post(self, message: Message, address: Address) -> None:
        """Standard Webhooks: the receiver checks the signature over id, time and body."""
        sent = str(int(datetime.now(message.at.tzinfo).timestamp()))
        body = json.dumps(
            {
                "id": message.id,
                "kind": message.kind,
                "at": message.at.isoformat(),
                "subject": message.subject,
                "body": message.body,
                "link": message.link,
            },
            ensure_ascii=False,
        ).encode()
        signed = b".".join((message.id.encode(), sent.encode(), body))
        signature = base64.b64encode(hmac.digest(address.secret, signed, hashlib.sha256)).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": sent,
            "webhook-signature": f"v1,{signature}",
        }
        try:
            # No redirect is followed: the key's owner answers, or nobody does.
            answer = await self._http.post(
                address.to, content=body, headers=headers, timeout=_SECONDS, follow_redirects=False
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Undelivered(type(error).__name__) from error
        if not 200 <= answer.status_code < 300:
            raise Undelivered(f"HTTP {answer.status_code}", final=answer.status_code == _GONE)

    async def _apprise(self, message: Message, url: str) -> None:
        asked = json.dumps({"url": url, "title": message.subject, "body": _with_link(message)}).encode()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sekisho.notify.foreign",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(3 * _SECONDS):
                await process.communicate(asked)
        except TimeoutError as error:
            raise Undelivered("apprise took too long") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise Undelivered("apprise", final=process.returncode == 2)


def _with_link(message: Message) -> str:
    return f"{message.body}\n\n{message.link}\n" if message.link else f"{message.body}\n"
