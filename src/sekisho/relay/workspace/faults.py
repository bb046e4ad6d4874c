"""What a workspace refuses."""

from sekisho.faults import fault_kind

DISK = fault_kind(
    "SEK-WORK-001",
    en="The workspace's disk failed or is full ({reason}). What was kept before stays as it was; nothing more is "
    "written. Tell the administrator.",
    ja="作業領域のディスクに異常があるか、空きがありません ({reason})。"
    "それまでの内容はそのまま残り、以降は書き込まれません。管理者に連絡してください。",
)
DAMAGED = fault_kind(
    "SEK-WORK-002",
    en="The workspace cannot be read: something in its folder is not what was written ({reason}). Nothing was opened; "
    "tell the administrator.",
    ja="作業領域を読めません。保存先の内容が書き込まれたものと異なります ({reason})。何も開かれていません。"
    "管理者に連絡してください。",
)
NO_FILE = fault_kind(
    "SEK-WORK-003",
    en="There is no file {name} in this workspace. Nothing was done; look at its list.",
    ja="この作業領域に {name} というファイルはありません。何も行われていません。一覧を確認してください。",
)
NAME_TAKEN = fault_kind(
    "SEK-WORK-004",
    en="The workspace already has a file {name}. Nothing was changed; choose another name.",
    ja="作業領域には既に {name} があります。何も変更されていません。別の名前を指定してください。",
)
BAD_NAME = fault_kind(
    "SEK-WORK-005",
    en="{name} is no name for a file of a workspace. Nothing was done; give a plain relative path.",
    ja="{name} は作業領域のファイル名に使えません。何も行われていません。通常の相対パスを指定してください。",
)
TOO_MANY_FILES = fault_kind(
    "SEK-WORK-006",
    en="The workspace holds {limit} files already. Nothing was added; remove some.",
    ja="作業領域には既に {limit} 個のファイルがあります。何も追加されていません。不要なものを削除してください。",
)
QUOTA = fault_kind(
    "SEK-WORK-007",
    en="The workspace may hold {quota} bytes. What fits was kept; remove what is not needed.",
    ja="作業領域の上限は {quota} バイトです。収まる分だけ保存されています。不要なものを削除してください。",
)
WIPED = fault_kind(
    "SEK-WORK-008",
    en="The workspace of ticket {ticket} was wiped, or is being wiped. Nothing is left of it; ask for a new ticket.",
    ja="チケット {ticket} の作業領域は消去済み、または消去中です。内容は残っていません。"
    "新しいチケットを申請してください。",
)
SANDBOX_FAILED = fault_kind(
    "SEK-WORK-009",
    en="The workspace's sandbox could not be started or ended ({reason}). Nothing ran outside it; what it had saved is "
    "kept. Tell the administrator if it comes again.",
    ja="作業領域の隔離環境を開始できないか、終了しました ({reason})。隔離環境の外では何も実行されておらず、"
    "保存済みの内容は残っています。繰り返す場合は管理者に連絡してください。",
)
CLEAR_SWAP = fault_kind(
    "SEK-WORK-010",
    en="This machine swaps memory to {devices} without encryption, where an open workspace would leave its contents. "
    "No workspace was opened; switch that swap off, or encrypt it.",
    ja="このマシンは暗号化されていないスワップ {devices} を使用しており、開いた作業領域の内容が残る恐れがあります。"
    "作業領域は開かれていません。スワップを停止するか、暗号化してください。",
)
NOT_ALLOWED_COMMAND = fault_kind(
    "SEK-WORK-011",
    en="{command} is no command of a workspace. Nothing ran; use one of {known}.",
    ja="{command} は作業領域で使えるコマンドではありません。何も実行されていません。"
    "{known} のいずれかを使ってください。",
)
PULL_CUT = fault_kind(
    "SEK-WORK-012",
    en="The pull stopped after {rows} rows ({reason}). What had come is kept as {name} and counted. Run the same "
    "command again: whom it counted is not counted twice.",
    ja="取得は {rows} 行で停止しました ({reason})。届いた分は {name} に保存され、計上済みです。"
    "同じコマンドを再実行してください。計上済みの人は二重に数えられません。",
)
NOT_ONE_RESULT = fault_kind(
    "SEK-WORK-013",
    en="A pull is one SELECT with one result; this statement gave none. Nothing was kept.",
    ja="取得できるのは結果が 1 つの SELECT 文だけです。この文には結果がありません。何も保存されていません。",
)
BUSY = fault_kind(
    "SEK-WORK-014",
    en="The workspace already runs {limit} of these. Nothing was started; wait for one to end.",
    ja="この作業領域では既に {limit} 件が実行中です。何も開始していません。終了を待ってください。",
)
NO_UPLOADS = fault_kind(
    "SEK-WORK-015",
    en="The policy does not allow files of a terminal in a workspace. Nothing was kept.",
    ja="方針により、端末のファイルを作業領域に置くことはできません。何も保存されていません。",
)
UPLOAD_TOO_LARGE = fault_kind(
    "SEK-WORK-016",
    en="A file of a terminal may have {limit} bytes here. Nothing was kept.",
    ja="端末から置けるファイルは {limit} バイトまでです。何も保存されていません。",
)
NOT_TEXT = fault_kind(
    "SEK-WORK-017",
    en="{name} is not text, so nobody could mask what a page of it shows. Nothing was shown.",
    ja="{name} はテキストではないため、伏せ字にして表示できません。何も表示されていません。",
)
OVER_LIMIT = fault_kind(
    "SEK-WORK-018",
    en="The limit of {limit} persons or rows per {scope} is reached. Nothing more is shown; ask for a larger budget on "
    "ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} に達しました。これ以上は表示されません。チケット {ticket} の上限の引き上げを"
    "申請してください。",
)
NO_REMOTE_FILES = fault_kind(
    "SEK-WORK-019",
    en="Files of {target} cannot be pulled: {reason}. Nothing was pulled.",
    ja="{target} のファイルを取得できません: {reason}。何も取得されていません。",
)
NO_PROGRAM = fault_kind(
    "SEK-WORK-020",
    en="{program} is not installed, and without it no workspace can be opened. Nothing was opened; install the Debian "
    "package {package}.",
    ja="{program} がインストールされていないため、作業領域を開けません。何も開かれていません。"
    "Debian パッケージ {package} をインストールしてください。",
)
ANSWERED = fault_kind(
    "SEK-WORK-021",
    en="The checkpoint did not do all of it: {reason}",
    ja="チェックポイントは処理を完了していません: {reason}",
)
UNBOUNDED = fault_kind(
    "SEK-WORK-022",
    en="This machine does not let the checkpoint bound what all programs of a workspace take together ({what}). "
    "Workspaces open, and each program in one has its own limits. To bound the sum, give the checkpoint a control "
    "group of its own (systemd: Delegate=cpu memory pids).",
    ja="このマシンでは、作業領域のプログラム全体の使用量 ({what}) を制限できません。作業領域は開き、"
    "プログラムごとの制限は働きます。全体を制限するには、チェックポイントに専用の cgroup を与えてください "
    "(systemd: Delegate=cpu memory pids)。",
)
