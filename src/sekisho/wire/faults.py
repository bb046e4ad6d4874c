"""What a peer can do wrong on the wire. Each of these ends the session: a stream that was misread once is lost."""

from typing import Final

from sekisho.faults import Fault, FaultKind, fault_kind

MALFORMED: Final = fault_kind(
    "SEK-WIRE-001",
    en="A {message} message is malformed. The session was ended and nothing of the message was passed on; "
    "check the client or driver, then connect again.",
    ja="{message} メッセージの形式が正しくありません。このメッセージは転送せず、セッションを終了しました。"
    "クライアントまたはドライバーを確認し、接続し直してください。",
)
OVERSIZED: Final = fault_kind(
    "SEK-WIRE-002",
    en="A {message} message announces {length} bytes; at most {limit} are accepted here. The session was ended "
    "and nothing of the message was passed on; send less in one message.",
    ja="{message} メッセージの長さは {length} バイトと宣言されていますが、上限は {limit} バイトです。"
    "このメッセージは転送せず、セッションを終了しました。一度に送る量を減らしてください。",
)
UNKNOWN: Final = fault_kind(
    "SEK-WIRE-003",
    en="A message of unknown type {message} arrived while {state}. The session was ended and the message was "
    "not passed on; use a client that speaks PostgreSQL protocol 3.0.",
    ja="状態「{state}」で、未知の種類 {message} のメッセージを受け取りました。このメッセージは転送せず、"
    "セッションを終了しました。PostgreSQL プロトコル 3.0 に対応したクライアントを使ってください。",
)
UNEXPECTED: Final = fault_kind(
    "SEK-WIRE-004",
    en="A {message} message is not allowed while {state}. The session was ended and the message was not passed "
    "on; connect again.",
    ja="状態「{state}」では {message} メッセージは許可されていません。このメッセージは転送せず、"
    "セッションを終了しました。接続し直してください。",
)
SMUGGLED: Final = fault_kind(
    "SEK-WIRE-005",
    en="Unencrypted bytes followed a request for encryption. The session was ended because somebody on the "
    "network may have inserted them; connect again, and report it when it happens twice.",
    ja="暗号化の要求の直後に、暗号化されていないデータが続きました。通信経路で挿入された可能性があるため、"
    "セッションを終了しました。接続し直し、再発する場合は報告してください。",
)
TOO_MUCH_KEPT: Final = fault_kind(
    "SEK-WIRE-006",
    en="The session holds more {what} than the {limit} allowed. The session was ended and what was in flight is "
    "on record; close statements that are no longer used, or send fewer requests at once.",
    ja="セッションが保持する {what} が上限 {limit} を超えました。セッションを終了しました。処理中だった要求は"
    "記録されています。使わない文を閉じるか、一度に送る要求を減らしてください。",
)
SCRAM_MALFORMED: Final = fault_kind(
    "SEK-WIRE-010",
    en="The password exchange (SCRAM) is malformed: {what}. The log-in was refused and nothing was changed; "
    "check the client or driver, then log in again.",
    ja="パスワード認証（SCRAM）の形式が正しくありません（{what}）。ログインを拒否しました。変更はありません。"
    "クライアントまたはドライバーを確認し、ログインし直してください。",
)
SCRAM_REFUSED: Final = fault_kind(
    "SEK-WIRE-011",
    en="The password does not match. The log-in was refused and nothing was changed; get a new one and try again.",
    ja="パスワードが一致しません。ログインを拒否しました。変更はありません。新しいパスワードを取得し、やり直してください。",
)
SCRAM_IMPOSTOR: Final = fault_kind(
    "SEK-WIRE-012",
    en="The server could not prove that it knows the password. The connection was ended before anything was sent; "
    "check the address and the certificate of the target.",
    ja="サーバーは、パスワードを知っていることを証明できませんでした。何も送信せずに接続を終了しました。"
    "接続先のアドレスと証明書を確認してください。",
)
SCRAM_BINDING: Final = fault_kind(
    "SEK-WIRE-013",
    en="The encrypted channel seen by the other side is not this one. The log-in was refused because somebody may "
    "stand in between; check the certificate, then log in again.",
    ja="相手側から見た暗号化通信路が、この通信路と一致しません。途中に第三者がいる可能性があるため、"
    "ログインを拒否しました。証明書を確認し、ログインし直してください。",
)


class ProtocolViolation(Fault):
    """A peer broke the protocol, or used a part of it that is not spoken here. The session must end."""

    def __init__(self, kind: FaultKind, **values: object) -> None:
        super().__init__(kind, **values)
