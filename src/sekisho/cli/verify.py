"""`sekisho verify PATH|BUNDLE`: is this evidence what was recorded, and if not, which entry is wrong?

Exit status 0: nothing found. 1: findings. 2: the input could not be checked. Imports only the standard library,
the Ed25519 part of `cryptography`, and click, so that it runs where nothing else of Sekisho does.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from sekisho.evidence.faults import CANNOT_READ
from sekisho.evidence.folder import read_file
from sekisho.evidence.note import encode64, parse_key
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import Report, verify_bundle, verify_folder
from sekisho.evidence.walk import Progress
from sekisho.faults import Fault, Language, preferred_language

_SHOWN: Final = 100  # findings on the screen; --json has all

_SENTENCES: Final[dict[str, dict[Language, str]]] = {
    "log": {
        "en": "Log {origin}: checkpoint of {size} entries, root {root}.",
        "ja": "ログ {origin}: {size} 件のチェックポイント、根 {root}。",
    },
    "signed": {
        "en": "Signed by the pinned key {key}.",
        "ja": "指定された鍵 {key} の署名を確認しました。",
    },
    "cosigned": {
        "en": "Cosigned by {name} at {at}.",
        "ja": "{name} が {at} に連署しています。",
    },
    "unpinned": {
        "en": "WHO SIGNED WAS NOT CHECKED: no key was given, so a log rewritten as a whole would pass. "
        "Give --log-key (and --witness) from a source that you trust.",
        "ja": "署名者は確認していません。鍵の指定がないため、全体が作り直されたログでも通ります。"
        "信頼できる経路で得た鍵を --log-key(と --witness)で指定してください。",
    },
    "uncovered": {
        "en": "{count} entries after the checkpoint are not signed yet; nothing is said about them.",
        "ja": "チェックポイントより後の {count} 件はまだ署名されていません。これらについては何も言えません。",
    },
    "more": {
        "en": "... and {count} more findings (--json lists all).",
        "ja": "ほかに {count} 件の不一致があります(--json ですべて表示します)。",
    },
    "ok": {
        "en": "Verified: {entries} entries are what was recorded.",
        "ja": "検証できました。{entries} 件は記録されたとおりです。",
    },
    "failed": {
        "en": "NOT verified: {count} findings. Nothing was changed; keep this evidence as it is.",
        "ja": "不合格です。{count} 件の不一致があります。何も変更していません。この証拠をこのまま保全してください。",
    },
    "progress": {
        "en": "checking entry {done} of {total}",
        "ja": "{total} 件中 {done} 件目を検証中",
    },
}


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--log-key", "log_keys", multiple=True, metavar="VKEY", help="The log's key, pinned. Repeatable."
)
@click.option(
    "--witness", "witnesses", multiple=True, metavar="VKEY", help="A witness's key, pinned. Repeatable."
)
@click.option(
    "--quorum", type=click.IntRange(min=0), help="How many witnesses must have cosigned (default: all given)."
)
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), help="A tlog-policy file, instead of keys."
)
@click.option(
    "--seen",
    "seen_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A checkpoint that you hold from elsewhere, e.g. from a witness. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(
    path: Path,
    log_keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    quorum: int | None,
    policy_file: Path | None,
    seen_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check the evidence folder or bundle PATH, offline.

    Exit status: 0 nothing found, 1 findings, 2 PATH or an option could not be used.
    """
    language = preferred_language()
    if policy_file is not None and (log_keys or witnesses or quorum is not None):
        raise click.UsageError("--policy stands instead of --log-key, --witness and --quorum")
    if not log_keys and (witnesses or quorum is not None):
        raise click.UsageError("--witness and --quorum need --log-key")
    try:
        policy: Policy | None = None
        if policy_file is not None:
            policy = Policy.parse(_content(policy_file))
        elif log_keys:
            keys = [parse_key(text) for text in witnesses]
            least = len(keys) if quorum is None else quorum
            policy = Policy.of_keys([parse_key(text) for text in log_keys], keys, least)
        seen = [_content(file) for file in seen_files]
        if path.is_file():
            report = verify_bundle(path, policy=policy, seen=seen)
        else:
            report = verify_folder(path, policy=policy, seen=seen, progress=_progress(language))
    except Fault as fault:
        click.echo(f"sekisho: {fault.code}: {fault.sentence(language)}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps(_document(report, language), ensure_ascii=False, indent=2))
    else:
        _print(report, language)
    sys.exit(0 if report.ok else 1)


def _content(path: Path) -> bytes:
    data = read_file(path)
    if data is None:
        raise Fault(CANNOT_READ, path=path, reason="no such file")
    return data


def _progress(language: Language) -> Progress | None:
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        text = _say("progress", language, done=done, total=total)
        click.echo(f"\r\033[K{text if done < total else ''}", err=True, nl=False)

    return show


def _print(report: Report, language: Language) -> None:
    for one in report.checkpoints:
        root = encode64(one.root)
        click.echo(_say("log", language, origin=one.origin, size=one.size, root=root))
    for accepted in report.accepted:
        click.echo(_say("signed", language, key=str(accepted.log)))
        for key, at in accepted.cosigned_at.items():
            when = datetime.fromtimestamp(at, UTC).isoformat()
            click.echo(_say("cosigned", language, name=key.name, at=when))
    if not report.pinned:
        click.echo(_say("unpinned", language))
    if report.uncovered:
        click.echo(_say("uncovered", language, count=report.uncovered))
    for finding in report.findings[:_SHOWN]:
        click.echo(f"{finding.kind.code}: {finding.sentence(language)}")
    if len(report.findings) > _SHOWN:
        click.echo(_say("more", language, count=len(report.findings) - _SHOWN))
    if report.ok:
        click.echo(_say("ok", language, entries=report.entries))
    else:
        click.echo(_say("failed", language, count=len(report.findings)))


def _say(sentence: str, language: Language, **values: object) -> str:
    return _SENTENCES[sentence][language].format(**values)


def _document(report: Report, language: Language) -> dict[str, object]:
    return {
        "ok": report.ok,
        "entries": report.entries,
        "uncovered": report.uncovered,
        "pinned": report.pinned,
        "checkpoints": [
            {"origin": one.origin, "size": one.size, "root": encode64(one.root)} for one in report.checkpoints
        ],
        "accepted": [
            {
                "size": accepted.checkpoint.size,
                "log": str(accepted.log),
                "cosigned": {str(key): at for key, at in accepted.cosigned_at.items()},
            }
            for accepted in report.accepted
        ],
        "findings": [
            {
                "code": finding.kind.code,
                "first": finding.first,
                "last": finding.last,
                "sentence": finding.sentence(language),
            }
            for finding in report.findings
        ],
    }
