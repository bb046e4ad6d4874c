"""What the ledger refuses, or cannot do."""

from sekisho.faults import fault_kind

FAILED = fault_kind(
    "SEK-LEDG-001",
    en="The ledger can no longer write ({reason}). Facts acknowledged before are kept; nothing since then was "
    "recorded. Access stays closed: repair the cause, then start Sekisho again.",
    ja="台帳に書き込めません ({reason})。受領済みの記録は保たれていますが、それ以降は記録されていません。"
    "アクセスは閉じたままです。原因を取り除いてから Sekisho を再起動してください。",
)
QUEUE_FULL = fault_kind(
    "SEK-LEDG-002",
    en="The ledger's queue is full ({capacity} facts wait for the disk). This fact was not recorded and what it "
    "permits must not happen. Try again shortly.",
    ja="台帳の待ち行列が満杯です ({capacity} 件が書き込み待ち)。この事実は記録されておらず、許可してはなりません。"
    "しばらくしてから再試行してください。",
)
CLOSED = fault_kind(
    "SEK-LEDG-003",
    en="The ledger is closed; the fact was not recorded. Start Sekisho again.",
    ja="台帳は閉じられており、事実は記録されませんでした。Sekisho を再起動してください。",
)
CORRUPTED = fault_kind(
    "SEK-LEDG-004",
    en="The ledger at {url} cannot be read ({reason}). Nothing was changed. Keep the file as evidence, restore "
    "the last backup beside it, and compare both with the published log by `sekisho state rebuild --check`.",
    ja="{url} の台帳を読めません ({reason})。何も変更していません。ファイルを証拠として保全し、別の場所に直近の"
    "バックアップを復元して、`sekisho state rebuild --check` で公開済みログと照合してください。",
)
UNREACHABLE = fault_kind(
    "SEK-LEDG-005",
    en="The ledger at {url} cannot be opened ({reason}). Nothing was changed. Check the address, the rights of "
    "the folder, and that the database answers, then start again.",
    ja="{url} の台帳を開けません ({reason})。何も変更していません。接続先、フォルダの権限、データベースの応答を"
    "確認してから再起動してください。",
)
REFUSED = fault_kind(
    "SEK-LEDG-006",
    en="The fact {fact} about {about} contradicts what is already recorded ({reason}). It was not recorded, and "
    "nothing changed.",
    ja="{about} に関する事実 {fact} は記録済みの内容と矛盾します ({reason})。記録されず、何も変わっていません。",
)
TOO_LONG = fault_kind(
    "SEK-LEDG-007",
    en="The fact {fact} has {length} bytes; an entry of the log holds at most 65,535. It was not recorded. Put "
    "the long part into a confidential part.",
    ja="事実 {fact} は {length} バイトですが、ログの 1 件は 65,535 バイトまでです。記録されていません。"
    "長い部分は機密部分に入れてください。",
)
UNKNOWN_URL = fault_kind(
    "SEK-LEDG-008",
    en="{url} is no address of a ledger. Use sqlite:///PATH or postgresql://USER@HOST/DATABASE.",
    ja="{url} は台帳の所在として使えません。sqlite:///PATH か postgresql://USER@HOST/DATABASE を指定してください。",
)
NOT_DURABLE = fault_kind(
    "SEK-LEDG-009",
    en="The database at {url} has {setting} switched off: it could lose what it acknowledged. Nothing was changed. "
    "Switch it on, then start again.",
    ja="{url} のデータベースは {setting} が無効で、受領した記録を失うおそれがあります。何も変更していません。"
    "有効にしてから再起動してください。",
)
BAD_KEY_FILE = fault_kind(
    "SEK-LEDG-010",
    en="The key file {path} cannot be used ({reason}). No key was changed. Restore it from the key backup.",
    ja="鍵ファイル {path} を使えません ({reason})。鍵は変更していません。鍵のバックアップから復元してください。",
)
OWNER_ERASED = fault_kind(
    "SEK-LEDG-011",
    en="The key of {owner} was erased; nothing more can be sealed for that owner.",
    ja="{owner} の鍵は消去済みのため、新たに封をすることはできません。",
)
BAD_OWNER = fault_kind(
    "SEK-LEDG-012",
    en="{owner} cannot name a key: use 1 to 64 letters, digits, dots, hyphens or underscores.",
    ja="{owner} は鍵の名前に使えません。英数字、ピリオド、ハイフン、下線で 1〜64 文字にしてください。",
)
NO_PART = fault_kind(
    "SEK-LEDG-013",
    en="The confidential part {commitment} is not in this ledger, and no fact says that it was erased. Look for "
    "it in a backup, and find out who removed it.",
    ja="機密部分 {commitment} はこの台帳になく、消去したという事実もありません。バックアップを探し、"
    "誰が取り除いたかを調べてください。",
)
PART_ALTERED = fault_kind(
    "SEK-LEDG-014",
    en="The confidential part {commitment} is not what its fact commits to ({reason}). It is kept as it is; "
    "compare it with a backup.",
    ja="機密部分 {commitment} は事実の約束と一致しません ({reason})。現状のまま保持しています。"
    "バックアップと照合してください。",
)
NOT_REBUILT = fault_kind(
    "SEK-LEDG-015",
    en="The tables could not be rebuilt from the facts ({reason}). Facts and tables are as they were. Use the "
    "version of Sekisho that wrote them, and report this.",
    ja="事実から表を再構築できませんでした ({reason})。事実も表も元のままです。書き込んだ版の Sekisho を使い、"
    "この件を報告してください。",
)
FOLDER_BEHIND = fault_kind(
    "SEK-LEDG-020",
    en="The log folder {path} holds {size} entries that do not reproduce the checkpoint of {signed} entries signed "
    "before: an older copy was put in its place, or it was changed. Nothing was published. Keep it as evidence, and "
    "restore the newest copy.",
    ja="ログフォルダー {path} の {size} 件は、以前に署名した {signed} 件のチェックポイントを再現しません。古い写しに"
    "差し替えられたか、改変されています。何も公開していません。証拠として保全し、最新の写しに戻してください。",
)
LEDGER_BEHIND = fault_kind(
    "SEK-LEDG-021",
    en="The database holds {durable} facts, but {size} are published in {path}: an older database was restored. "
    "Nothing was published. Keep it as evidence, and restore the newest copy.",
    ja="データベースの事実は {durable} 件ですが、{path} には {size} 件が公開済みです。古いデータベースに"
    "戻されています。何も公開していません。証拠として保全し、最新の写しに戻してください。",
)
FACT_CHANGED = fault_kind(
    "SEK-LEDG-022",
    en="The fact {seq} in the database is not the one that was recorded. It was not published, and publication has "
    "stopped. Keep the database as evidence, and find out who can write to it.",
    ja="データベースの事実 {seq} は記録されたものと異なります。公開せず、公開を停止しました。データベースを証拠として"
    "保全し、誰が書き込めるかを調べてください。",
)
LOCK_LOST = fault_kind(
    "SEK-LEDG-023",
    en="This checkpoint lost the right to publish, because the connection that held it ended. Another one may "
    "publish now; nothing is lost. Start again to take its place.",
    ja="接続が切れたため、この関所は公開の権利を失いました。別の関所が公開を引き継げます。失われたものはありません。"
    "引き継ぐには再起動してください。",
)
NOT_REACHED = fault_kind(
    "SEK-LEDG-024",
    en="The fact {seq} was not {level} within {seconds} seconds. It is durable; look at the publisher and the "
    "witnesses, and ask again.",
    ja="事実 {seq} は {seconds} 秒以内に {level} になりませんでした。記録は保たれています。公開処理と立会人を"
    "確認してから、もう一度確かめてください。",
)
NOT_FROM_HERE = fault_kind(
    "SEK-LEDG-025",
    en="The fact {fact} is not one that this process may record. Nothing was recorded. If the program was just "
    "replaced, start the checkpoint anew, so that all of its processes are of one version.",
    ja="事実 {fact} は、このプロセスが記録してよいものではありません。何も記録されていません。プログラムを"
    "入れ替えた直後であれば、すべてのプロセスが同じ版になるように関所を起動し直してください。",
)
