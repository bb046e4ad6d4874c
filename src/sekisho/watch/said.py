"""The few words that detectors put into their sentences beside names and numbers, in Japanese."""

from typing import Final

from sekisho.watch.detector import Value

# Values of detectors that are words, not names: what they are called in Japanese.
_CODES: Final = frozenset({"about", "window", "kind", "sign", "out", "state", "what", "how"})
_JAPANESE: Final = {
    "amount": "人数",
    "client": "委託元",
    "approval": "未承認",
    "none": "チケットなし",
    "window": "期間外",
    "day": "1日",
    "30 days": "30日",
    "year": "1年",
    "lifetime": "全期間",
    "read": "閲覧",
    "pull": "取得",
    "takeout": "持ち出し",
    "command": "コマンド",
    "file": "ファイル",
    "archive": "圧縮・改名",
    "delete": "削除",
    "device": "媒体の接続",
    "media": "媒体への書き込み",
    "mail": "メール",
    "web": "ウェブ",
    "print": "印刷",
    "terminal": "端末",
    "tool": "道具",
    "target": "対象",
    "table": "表",
    "medium": "媒体",
    "self": "自己承認",
    "reciprocity": "互いに承認",
    "own log": "自分のログの閲覧",
    "for oneself": "自分のための操作",
    "many": "件数",
    "silent": "沈黙",
    "jump": "時刻の飛び",
    "mismatch": "不一致",
    "stopped": "停止",
    "failed": "失敗",
    "quorum": "定足数の不足",
    "hole": "欠落",
    "bypass": "関所を通らない接続",
    "blind": "検知不能",
    "audit_off": "監査の停止",
    "skipped": "欠番",
    "ahead": "時計の進み",
    "host key": "ホスト鍵",
    "unregistered": "未登録",
    "log_read": "ログの閲覧",
    "role": "役割の付与",
    "unfreeze": "停止の解除",
    "authenticator": "認証手段の登録",
    "log review": "定期点検",
    "surprise": "抜き打ち点検",
    "alerts": "警報の確認",
    "letter": "手紙",
    "call": "電話",
    "list": "名簿",
    "seen": "目撃",
    "outside": "外部宛",
    "upload": "送信",
}


def in_japanese(name: str, value: Value) -> Value:
    """The value of this name as a Japanese sentence says it; names and numbers are what they are."""
    return _JAPANESE.get(str(value), value) if name in _CODES else value
