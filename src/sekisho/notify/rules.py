"""Which facts of the house become notices by themselves, and whom each must reach.

Facts of rooms above this one are read as data, by their names. Nothing that somebody typed freely (a purpose, a
reason) goes into a notice: it may hold what a notice must not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sekisho.notify.notices import Notice, Text
from sekisho.people.roles import Role

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """`values` takes from the fact what the texts name, with "person" (whom it is about) and "organisation"."""

    kind: str
    roles: frozenset[Role]
    subject: Text
    body: Text
    values: Callable[[Data], dict[str, str]]
    link: str = ""
    loud: bool = True
    to: str = ""  # a receiver, with the values put in

    def notice(self, values: dict[str, str]) -> Notice:
        def said(text: Text) -> Text:
            return {language: one.format(**values) for language, one in text.items()}

        return Notice(self.kind, said(self.subject), said(self.body), self.link, values.get("person", ""))


_KEEPERS: Final = frozenset({Role.ADMINISTRATOR, Role.LOG_CUSTODIAN, Role.PRIVACY_OFFICER, Role.AUDITOR})
_OVERSEERS: Final = frozenset(
    {Role.PRIVACY_OFFICER, Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.AUDITOR}
)


def _publication(subject_ja: str, subject_en: str, body_ja: str, body_en: str) -> Rule:
    return Rule(
        kind="publication",
        roles=_KEEPERS,
        subject={"ja": subject_ja, "en": subject_en},
        body={"ja": body_ja, "en": body_en},
        values=lambda data: {name: str(value) for name, value in data.items()},
        link="/status",
    )


def _glass(data: Data) -> dict[str, str]:
    asked = data["asked"]
    return {name: str(asked[name]) for name in ("ticket", "person", "organisation", "dataset", "target")}


def _custody(data: Data) -> dict[str, str]:
    organisations = data["organisations"]
    return {
        "takeout": str(data["takeout"]),
        "person": str(data["requester"]),
        "organisation": str(organisations[0]) if organisations else "",
        **_CUSTODY[str(data["why"])],
    }


_CUSTODY: Final[dict[str, dict[str, str]]] = {
    why: {"why_ja": ja, "why_en": en}
    for why, ja, en in (
        (
            "not_delivered",
            "払い出し後、期限までに引き渡されていません",
            "was released and not handed over in time",
        ),
        (
            "not_received",
            "引き渡し後、期限までに受領の証明がありません",
            "was handed over, and no receipt came in time",
        ),
        (
            "not_returned",
            "期日までに返却・廃棄の証明がありません",
            "was neither returned nor proved to be destroyed by its date",
        ),
        (
            "rows",
            "受取人の手元の件数が承認された件数と違います",
            "was opened with another number of rows than was approved",
        ),
        (
            "manifest",
            "受取人の手元の明細が、作成したものと違います",
            "was opened with another manifest than was made",
        ),
        (
            "package",
            "受取人の手元のパッケージが、承認したものと違います",
            "was opened from another package than was approved",
        ),
        (
            "early",
            "引き渡す前に開封されています。別の経路で出ています",
            "was opened before it was handed over: it left another way",
        ),
        ("forged", "受領を証明しない受領証が届きました", "was given a receipt that proves nothing"),
    )
}

# The fact's name -> what follows from it.
RULES: Final[dict[str, Rule]] = {
    "people.agency_notified": Rule(
        kind="agency",
        roles=frozenset(),
        subject={"ja": "業務終了のお知らせ({person})", "en": "End of work of {person}"},
        body={"ja": "{text}", "en": "{text}"},
        values=lambda data: {name: data[name] for name in ("person", "agency", "text")},
        loud=False,
        to="agency:{agency}",
    ),
    "gate.break_glass_opened": Rule(
        kind="emergency",
        roles=_OVERSEERS | {Role.CLIENT},
        subject={"ja": "【緊急アクセス】{person} が {organisation} のデータを開きました", "en": "Emergency access by "
                 "{person} to data of {organisation}"},
        body={
            "ja": "{person} が承認を待たずに {target} の {dataset}({organisation})を開きました(チケット {ticket})。"
            "指揮命令系統の外の2人による確認が必要です。確認が期限を過ぎると、委託元に赤で表示されます。",
            "en": "{person} opened {dataset} of {organisation} on {target} without waiting for approval (ticket "
            "{ticket}). Two persons outside the chain of command must review it; when they are late, the client sees "
            "it red.",
        },
        values=_glass,
        link="/reviews",
    ),
    "people.person_frozen": Rule(
        kind="frozen",
        roles=_OVERSEERS | {Role.ADMINISTRATOR},
        subject={"ja": "【凍結】{person} のアクセスを停止しました", "en": "Kill switch: {person} is frozen"},
        body={
            "ja": "{person} を凍結しました。接続中のセッションは終了し、新たには何も開きません。"
            "解除には2人の同意が必要です。理由は記録にあります。",
            "en": "{person} was frozen. Open sessions ended and nothing new opens. It takes two others to undo it. The "
            "reason stands in the record.",
        },
        values=lambda data: {"person": data["person"]},
        link="/people",
    ),
    "takeout.custody_alarmed": Rule(
        kind="custody",
        roles=_OVERSEERS | {Role.CLIENT},
        subject={"ja": "【警報】持ち出し {takeout} の所在確認", "en": "Alarm: where is take-out {takeout}?"},
        body={
            "ja": "{person} が申請した {organisation} のデータの持ち出し {takeout}: {why_ja}。"
            "受取人に確認し、証明を記録してください。",
            "en": "Take-out {takeout} of {organisation}'s data, asked for by {person}, {why_en}. Ask the recipient, "
            "and put the proof on record.",
        },
        values=_custody,
        link="/custody",
    ),
    "ledger.quorum_missing": _publication(
        "【警報】立会署名が足りません",
        "Alarm: too few witnesses sign",
        "チェックポイント {size} に必要な数の立会署名が集まっていません({codes})。記録は続いており、"
        "署名の依頼を繰り返しています。立会サーバーを確認してください。",
        "The checkpoint of {size} entries lacks its quorum of cosignatures ({codes}). Recording goes on and the "
        "witnesses are asked again; look at the witnesses.",
    ),
    "ledger.publication_failed": _publication(
        "【警報】ログを公開できません",
        "Alarm: the log cannot be published",
        "ログのフォルダを読み書きできません({code})。事実の記録は続いています。ディスクを確認してください。",
        "The log's folder cannot be read or written ({code}). Facts are still recorded; look at the disk.",
    ),
    "ledger.publication_stopped": _publication(
        "【警報】ログの公開を停止しました",
        "Alarm: publication has stopped",
        "ログ・データベース・立会署名のいずれかが矛盾しています({code})。誰かが確認するまで公開は止まります。"
        "何も変更せず、証拠として保全してください。",
        "Log, database or witness contradict each other ({code}). Nothing is published until somebody has looked. "
        "Change nothing, and keep everything as evidence.",
    ),
    "ledger.leaf_mismatch": _publication(
        "【警報】データベースの記録が書き換えられています",
        "Alarm: a record in the database was changed",
        "事実 {seq} のデータベース上の写しが、記録した内容と異なります。公開前に書き換えられた可能性があります。"
        "何も変更せず、証拠として保全してください。",
        "The database's copy of fact {seq} is not what was recorded: somebody may have edited it before publication. "
        "Change nothing, and keep everything as evidence.",
    ),
}  # fmt: skip
