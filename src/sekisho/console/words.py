"""The console's sentences in two languages, and how times and numbers are written in them.

Templates and modules hold English; `locale/ja.po` holds the Japanese of each whole sentence. The catalogue is read
as text at the start: there is no compiled copy that could be older.
"""

import functools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from starlette.requests import HTTPConnection

from sekisho.faults import FAULT_KINDS, Language
from sekisho.text.items import ITEMS

LANGUAGES: Final[tuple[Language, ...]] = ("ja", "en")
LANGUAGE_COOKIE: Final = "sekisho-language"
JST: Final = timezone(timedelta(hours=9), "JST")
CATALOGUE: Final = Path(__file__).parent / "locale" / "ja.po"


@functools.cache
def japanese() -> dict[str, str]:
    """English sentence -> Japanese sentence. Japanese has no plural forms, so the first form is the only one."""
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ja")  # without the locale, its plural rule would be lost
    found: dict[str, str] = {}
    for message in catalogue:
        if message.id and message.string and not message.fuzzy:
            key = message.id if isinstance(message.id, str) else message.id[0]
            found[key] = message.string if isinstance(message.string, str) else message.string[0]
    return found


def gettext_in(language: Language) -> Callable[[str], str]:
    if language == "en":
        return str
    known = japanese()
    return lambda sentence: known.get(sentence, sentence)


def ngettext_in(language: Language) -> Callable[[str, str, int], str]:
    if language == "en":
        return lambda one, many, count: one if count == 1 else many
    known = japanese()
    return lambda one, many, count: known.get(one, many)


def marked(sentence: str) -> str:
    """Marks a sentence for the catalogue where it stands; it is translated where it is shown."""
    return sentence


def language_of(request: HTTPConnection) -> Language:
    """What the person chose, or else what the browser asks for first."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return "ja" if chosen == "ja" else "en"
    for part in request.headers.get("accept-language", "").lower().split(","):
        tag = part.split(";")[0].strip()
        if tag.startswith("ja"):
            return "ja"
        if tag.startswith("en"):
            return "en"
    return "en"


def instant(value: datetime | int) -> datetime:
    """An aware time of an aware time, or of microseconds since 1970."""
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value / 1e6, UTC)


def jst(value: datetime | int) -> str:
    """ "2026-11-21 20:01:09" in Japan."""
    return instant(value).astimezone(JST).strftime("%Y-%m-%d %H:%M:%S")


def jst_minute(value: datetime | int) -> str:
    return instant(value).astimezone(JST).strftime("%Y-%m-%d %H:%M")


def jst_clock(value: datetime | int) -> str:
    return instant(value).astimezone(JST).strftime("%H:%M:%S")


def utc(value: datetime | int) -> str:
    return instant(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def iso(value: datetime | int) -> str:
    return instant(value).astimezone(UTC).isoformat().replace("+00:00", "Z")


def grouped(number: int) -> str:
    """ "9,280,000" in both languages."""
    return format_decimal(number, locale="en")


def day_in_japan(at: datetime) -> date:
    return at.astimezone(JST).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a day in Japan, and that of the next one."""
    start = datetime(day.year, day.month, day.day, tzinfo=JST)
    return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)


_ITEMS: Final = {item.id: {"ja": item.ja, "en": item.en} for item in ITEMS}

# What codes are called on a page, by kind. A code that is missing here is shown as it is.
LABELS: Final[dict[str, dict[str, str]]] = {
    "ticket": {
        "waiting": marked("Waiting for approval"),
        "approved": marked("Approved"),
        "open": marked("Open now"),
        "expired": marked("Expired"),
        "closed": marked("Closed"),
        "refused": marked("Refused"),
    },
    "scope": {
        "session": marked("Each session"),
        "day": marked("Today"),
        "ticket": marked("This ticket"),
        "client": marked("This client, in all"),
        "bulk": marked("Into the workspace"),
    },
    "outcome": {
        "passed": marked("Passed"),
        "cut": marked("Cut at a limit"),
        "refused": marked("Refused"),
        "failed": marked("Failed at the target"),
        "lost": marked("Connection lost"),
    },
    "role": {
        "worker": marked("Worker"),
        "operator_manager": marked("Operator's manager"),
        "processor_manager": marked("Lead processor's manager"),
        "client": marked("Client organisation"),
        "log_custodian": marked("Log custodian"),
        "auditor": marked("Auditor"),
        "investigator": marked("Investigator"),
        "privacy_officer": marked("Privacy officer"),
        "administrator": marked("Administrator"),
    },
    "method": {
        "passkey": marked("Passkey"),
        "password": marked("Password and one-time code"),
        "openid": marked("OpenID Connect"),
        "link": marked("One-time link"),
    },
    "door": {
        "postgres": "PostgreSQL",
        "ssh": "SSH",
        "workspace": marked("Workspace"),
        "desktop": marked("Desktop"),
        "look": marked("A page of a file"),
        "upload": marked("A file put in"),
        "take-out": marked("A file asked out"),
        "inner": marked("Inside the workspace"),
        "rdp": "RDP",
        "vnc": "VNC",
    },
    "access": {
        "unstated": marked("Pixels, where it tells of persons"),
        "pixels": marked("Pixels"),
        "masked-text": marked("Masked text"),
        "text": marked("Text"),
    },
    "recording": {
        "closed": marked("Whole"),
        "failed": marked("The recorder failed"),
        "recovered": marked("Recovered after a crash"),
    },
    "sheet": {
        "parties": marked("Organisations"),
        "ties": marked("Ties between organisations"),
        "datasets": marked("Datasets"),
        "entrustments": marked("Entrustments"),
        "contracts": marked("Contracts"),
        "supervision": marked("Supervision"),
        "demands": marked("What clients demand"),
        "measures": marked("What parties do"),
        "certificates": marked("Certificates"),
    },
    "register": {
        "federation_of": marked("is the federation of"),
        "staffs": marked("sends staff to"),
        "parent_of": marked("is the parent of"),
        "guides": marked("guides"),
        "confidentiality": marked("Confidentiality"),
        "safeguards": marked("Safeguards"),
        "re_entrustment": marked("Entrusting further"),
        "copy_and_carry_out": marked("Copying and carrying out"),
        "incident_report": marked("Reporting incidents"),
        "audit": marked("Audit"),
        "return_and_erasure": marked("Return and erasure"),
        "breach": marked("Breach of contract"),
        "selection": marked("Selection of the party"),
        "contract": marked("Conclusion of the contract"),
        "handling": marked("Grasp of the handling"),
        "ordinary": marked("Ordinary"),
        "sensitive": marked("Sensitive"),
        "special": marked("Special care by law"),
        "least": marked("at least"),
        "most": marked("at most"),
    },
    "ask": {
        "role": marked("Give a role"),
        "unfreeze": marked("End a freeze"),
        "enrolment": marked("Register a new passkey"),
        "identity": marked("Bind an OpenID Connect identity"),
    },
    "detector": {
        "cum_subjects": marked("Many persons over time"),
        "takeout_cusum": marked("Beyond tickets, added up"),
        "cum_peer_excess": marked("More than colleagues"),
        "client_share": marked("Much of one client's data"),
        "slice_sweep": marked("A table slice by slice"),
        "ticket_mismatch": marked("Beyond the ticket"),
        "export_burst": marked("Far above one's usual day"),
        "first_access": marked("For the first time"),
        "off_hours": marked("At unusual hours"),
        "shared_account": marked("One account in two places"),
        "foreign_host": marked("At somebody else's terminal"),
        "masquerade": marked("Another hand"),
        "sequence": marked("The steps of a theft"),
        "staging_growth": marked("A heap that grows"),
        "removable_media": marked("A removable medium"),
        "unload_print": marked("Everything at once"),
        "departing": marked("Around the end of work"),
        "approval_rubber_stamp": marked("Approved unread"),
        "collusion": marked("Two who serve each other"),
        "log_gap": marked("Something is missing"),
        "reconcile": marked("Figures that do not agree"),
        "dormant": marked("Awake after months"),
        "review_overdue": marked("Nobody looked"),
        "canary": marked("A planted person was met"),
        "admin_watch": marked("Those who watch"),
    },
    "alert": {
        "open": marked("Not acknowledged"),
        "muted": marked("Muted"),
        "suspicious": marked("Suspicious"),
        "expected": marked("Expected"),
        "unclear": marked("Unclear"),
    },
    "response": {
        "end_session": marked("The session was ended"),
        "close_ticket": marked("The ticket was revoked"),
        "freeze": marked("The person was frozen"),
        "approval": marked("A second approval was asked for"),
        "budget": marked("The budget was cut"),
    },
    "restraint": {
        "approval": marked("A second approval for each ticket"),
        "budget": marked("A smaller budget"),
    },
    "signal": {
        "complaint": marked("A complaint"),
        "inquiry": marked("An inquiry of the client"),
        "consumer_centre": marked("A consumer centre"),
        "police": marked("The police"),
        "press": marked("The press"),
        "canary": marked("A planted person was met"),
    },
    "carrier": {
        "http": marked("JSON lines over HTTPS"),
        "syslog": marked("Syslog over TLS"),
    },
    "head": {
        "volume": marked("How much"),
        "ticket": marked("Against the ticket"),
        "time": marked("When"),
        "place": marked("Where from"),
        "style": marked("How it is done"),
        "chain": marked("The steps of a theft"),
        "consent": marked("Who agreed and who watches"),
        "evidence": marked("What the record says"),
        "sigma": marked("A Sigma rule"),
    },
    "takeout": {
        "inspecting": marked("The file is looked into"),
        "attributing": marked("Whose persons these are"),
        "sealing": marked("It is marked and sealed"),
        "asked": marked("Waits for signatures"),
        "refused": marked("Refused"),
        "released": marked("Released"),
        "declined": marked("Declined"),
        "withdrawn": marked("Withdrawn"),
        "lapsed": marked("Lapsed"),
    },
    "takeout_step": {
        "request": marked("To ask for it"),
        "approve": marked("To sign it"),
        "share": marked("To give a share"),
        "close": marked("To end it"),
        "release": marked("To release it"),
    },
    "takeout_odd": {
        "first_recipient": marked("Nothing ever went to this recipient."),
        "first_requester": marked("This person never asked for a take-out."),
        "larger_recipient": marked("More persons than ever went to this recipient."),
        "larger_requester": marked("More persons than this person ever asked for."),
    },
    "takeout_method": {"passkey": marked("Passkey"), "ssh": marked("SSH key")},
    "custody": {
        "released": marked("Not handed over yet"),
        "handed_over": marked("With the recipient"),
        "received": marked("With the recipient, opened"),
        "returned": marked("Returned"),
        "destroyed": marked("Destroyed"),
    },
    "custody_alarm": {
        "not_delivered": marked("Not handed over in time"),
        "not_received": marked("No receipt in time"),
        "not_returned": marked("No proof of return or destruction"),
        "rows": marked("Another number of rows"),
        "manifest": marked("Another manifest"),
        "package": marked("Another package"),
        "early": marked("Opened before it was handed over"),
        "forged": marked("A receipt that proves nothing"),
    },
    "confirmed": {
        "sent": marked("every byte was taken by the connection"),
        "size": marked("the server told its size"),
        "read_back": marked("read back, the same"),
    },
    "way_out": {
        "page": marked("Download page"),
        "sftp": marked("Push to a registered server"),
        "medium": marked("Registered medium"),
    },
    "notice": {
        "agency": marked("End of work, to the agency"),
        "emergency": marked("Emergency access"),
        "frozen": marked("Kill switch"),
        "publication": marked("The log cannot be kept as it should"),
        "address_changed": marked("An address was changed"),
        "alert": marked("Alert of the watch"),
        "takeout_asked": marked("A take-out waits"),
        "takeout_ended": marked("A take-out is over"),
        "takeout_refused": marked("A take-out was refused"),
        "test": marked("A test"),
    },
    "channel": {
        "smtp": marked("Mail"),
        "webhook": marked("Signed webhook"),
        "apprise": marked("Through apprise"),
    },
    "delivery": {
        "sent": marked("Handed over"),
        "waiting": marked("Will be tried again"),
        "given_up": marked("Given up"),
    },
    "undelivered": {"no address": marked("no address is known"), "erased": marked("the text was erased")},
    "api_scope": {
        "me": marked("Who I am"),
        "tickets": marked("Tickets"),
        "sessions": marked("Sessions"),
        "people": marked("People"),
        "register": marked("Data and targets"),
        "log": marked("Log and refusals"),
        "portal": marked("Our data"),
        "takeouts": marked("Take-outs"),
    },
    "ending": {
        "client": marked("Closed by the worker"),
        "target": marked("Closed by the target"),
        "window": marked("The window was over"),
        "idle": marked("Idle for too long"),
        "protocol": marked("The client broke the protocol"),
        "ledger": marked("The log could not record"),
        "recorder": marked("The recording failed"),
        "refused": marked("Refused"),
        "connection": marked("Connection lost"),
        "encoding": marked("Another text encoding"),
        "mistake": marked("A mistake of the checkpoint"),
        "function-call": marked("A way around the meter"),
        "copy-in": marked("A way around the meter"),
    },
    "way": {
        "copy-out": marked("COPY to the terminal"),
        "copy-in": marked("COPY from the terminal"),
        "function-call": marked("Function call message"),
        "notice": marked("Text of a notice"),
        "notification": marked("Notification"),
        "parameter": marked("Server parameter"),
    },
    "fact": {
        "gate.ticket_requested": marked("Ticket asked for"),
        "gate.ticket_approved": marked("Ticket approved"),
        "gate.ticket_closed": marked("Ticket closed"),
        "gate.break_glass_opened": marked("Emergency access opened"),
        "gate.break_glass_reviewed": marked("Emergency access reviewed"),
        "gate.access_refused": marked("Access refused"),
        "gate.budget_leased": marked("Budget reserved"),
        "gate.budget_settled": marked("Budget settled"),
        "relay.session_opened": marked("Session opened"),
        "relay.session_closed": marked("Session ended"),
        "relay.statement": marked("Statement"),
        "relay.statements": marked("Repeated statement"),
        "relay.statement_revealed": marked("Columns shown in clear"),
        "relay.channel_refused": marked("Channel stopped"),
        "people.session_opened": marked("Logged in at the console"),
        "people.token_issued": marked("Password for a door issued"),
        "people.code_used": marked("One-time code spent"),
        "people.role_asked": marked("Role asked for"),
        "people.role_granted": marked("Role given"),
        "people.person_added": marked("Person added"),
        "people.person_frozen": marked("Person frozen"),
        "console.log_read": marked("The log was read"),
        "console.proof_taken": marked("Proof taken"),
        "register.organisation_added": marked("Organisation registered"),
        "register.dataset_added": marked("Dataset catalogued"),
        "register.dataset_described": marked("Dataset described"),
        "register.entrustment_added": marked("Entrustment registered"),
        "register.contract_added": marked("Contract registered"),
        "register.catalogue_proposed": marked("Change of the columns proposed"),
        "people.headcount_reconciled": marked("Agency's list compared"),
        "watch.review_done": marked("Log reviewed"),
        "watch.source_registered": marked("Log source registered"),
        "watch.source_ended": marked("Log source ended"),
        "watch.events_received": marked("Rows of a log received"),
        "watch.rules_read": marked("Rules read"),
        "watch.export_refused": marked("Event refused by a receiver"),
        "watch.export_stalled": marked("A receiver takes nothing"),
        "gate.restraint_imposed": marked("Restraint imposed"),
        "gate.restraint_lift_asked": marked("End of a restraint asked for"),
        "gate.restraint_lifted": marked("Restraint ended"),
        "gate.second_approval_given": marked("Second approval given"),
        "register.control_stated": marked("State of a control"),
        "register.control_proposed": marked("Control called verified"),
        "register.control_evidenced": marked("Evidence of a control"),
        "register.target_proposed": marked("Change of a target proposed"),
        "register.target_scanned": marked("Target looked at"),
        "register.scan_kept": marked("Scan kept for confirmation"),
        "takeout.requested": marked("Take-out asked for"),
        "takeout.approved": marked("Take-out signed"),
        "takeout.shared": marked("Share of a take-out given"),
        "takeout.closed": marked("Take-out ended without leaving"),
        "takeout.refused": marked("Take-out refused"),
        "takeout.released": marked("Take-out released"),
        "takeout.recipient_proposed": marked("Recipient proposed"),
        "takeout.recipient_approved": marked("Recipient agreed to"),
        "takeout.recipient_removed": marked("Recipient removed"),
        "takeout.marking_allowed": marked("Marks of copies allowed"),
        "takeout.copy_made": marked("Copy made"),
        "takeout.destination_proposed": marked("Server or medium proposed"),
        "takeout.destination_approved": marked("Server or medium agreed to"),
        "takeout.destination_removed": marked("Server or medium removed"),
        "takeout.link_made": marked("Link for a recipient made"),
        "takeout.link_tried": marked("Wrong code at a link"),
        "takeout.delivery_begun": marked("Delivery begun"),
        "takeout.delivery_failed": marked("Delivery failed"),
        "takeout.handed_over": marked("Copy handed over"),
        "takeout.received": marked("Copy opened by its recipient"),
        "takeout.returned": marked("Medium returned"),
        "takeout.destroyed": marked("Copy destroyed"),
        "takeout.custody_alarmed": marked("Alarm about a copy"),
        "takeout.copies_compared": marked("Found list held against copies"),
        "trace.case_opened": marked("Found list looked up"),
        "trace.case_concluded": marked("Answer about a found list"),
        "trace.case_judged": marked("Answer about a found list judged"),
        "trace.case_repeated": marked("Found list looked up again"),
        "trace.list_destroyed": marked("Found list destroyed"),
        "trace.dataset_indexed": marked("Dataset indexed for tracing"),
        "trace.fingerprints_erased": marked("Fingerprints erased"),
        "trace.canaries_planted": marked("Canaries planted"),
        "trace.key_split": marked("Trace key handed out in shares"),
        "trace.release_asked": marked("Release of the trace key asked for"),
        "trace.share_given": marked("Share of the trace key given"),
        "trace.key_released": marked("Trace key released"),
        "trace.key_closed": marked("Trace key closed"),
        "people.person_left": marked("Person left"),
        "people.person_moved": marked("Person corrected"),
    },
    "light": {"green": marked("Green"), "amber": marked("Amber"), "red": marked("Red")},
    "control": {
        "planned": marked("Planned"),
        "interim": marked("Interim"),
        "permanent": marked("Permanent"),
        "verified": marked("Verified"),
    },
    "verdict": {
        "passed": marked("Consistent with a session"),
        "not_here": marked("Did not pass here"),
        "undecided": marked("Undecided"),
        "open": marked("No answer yet"),
    },
    "step": {
        "waiting": marked("Waiting for its turn"),
        "sets": marked("Gathering what sessions were shown"),
        "fingerprints": marked("Making fingerprints of the list"),
        "records": marked("Comparing with the registry"),
        "sessions": marked("Weighing the sessions"),
        "persons": marked("Counting persons"),
        "index": marked("Indexing"),
        "ended": marked("Up to date"),
    },
    "dot": {
        "named": marked("Consistent"),
        "tie": marked("Cannot be told apart"),
        "doubt": marked("Looked at, not named"),
        "other": marked("Shown persons of the list"),
    },
    "judgement": {"confirmed": marked("Confirmed"), "reversed": marked("Reversed")},
    "rows": {
        "own": marked("Of one client"),
        "fuzzy": marked("Found by the fuzzy pass only"),
        "ambiguous": marked("Of several clients, perhaps"),
        "weak": marked("Found weakly only, a shared telephone say"),
        "foreign": marked("Not known here"),
    },
    "doubt": {
        "lift": marked("No more than among similar persons"),
        "own": marked("Others explain what it was shown"),
        "weak": marked("The list says too little"),
        "lead": marked("A lead, too little to name it"),
    },
    "refusal": {
        "access": marked("Access refused"),
        "statement": marked("Statement refused"),
        "cut": marked("Cut at a limit"),
        "channel": marked("Channel stopped"),
        "login": marked("Failed login"),
    },
}


def in_short(code: str, language: Language) -> str:
    """What a fault's code says, without the values of the occasion: the first sentence of its text; "" when no
    fault has the code."""
    kind = FAULT_KINDS.get(code)
    if kind is None:
        return ""
    text = kind.ja if language == "ja" else kind.en
    first = text.split("。" if language == "ja" else ". ")[0].rstrip(".")
    return re.sub(r"[“「]?\{[^}]*\}[”」]?", "…", first)


def label(name: str, language: Language, kind: str = "item") -> str:
    """What a code is called: a data item of the vocabulary, or one of LABELS."""
    if kind == "item":
        return _ITEMS.get(name, {}).get(language, name)
    return gettext_in(language)(LABELS[kind].get(name, name))
