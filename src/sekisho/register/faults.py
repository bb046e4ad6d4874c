"""Every fault of the register that a person can meet. Codes from 100 are the reading of tables."""

from typing import Final

from sekisho.faults import fault_kind

PERIOD_UNREADABLE: Final = fault_kind(
    "SEK-REG-101",
    en="The contract period “{text}” could not be read. The text is kept as written; write it for example as"
    " 2016年2月~2023年1月, 平成30年度, 2021年12月まで, or 不明.",
    ja="契約期間「{text}」を読み取れませんでした。文字はそのまま残しています。"
    "「2016年2月~2023年1月」「平成30年度」「2021年12月まで」「不明」のように書いてください。",
)
COUNT_UNREADABLE: Final = fault_kind(
    "SEK-REG-102",
    en="The count “{text}” could not be read from “{rest}” on. The text is kept as written; write it for"
    " example as 516,185件, 約1.5万件, 延べ1,909件(1,074人分), or 記載なし.",
    ja="件数「{text}」を「{rest}」から先、読み取れませんでした。文字はそのまま残しています。"
    "「516,185件」「約1.5万件」「延べ1,909件(1,074人分)」「記載なし」のように書いてください。",
)
LEAK_STATUS_UNKNOWN: Final = fault_kind(
    "SEK-REG-103",
    en="The leak status “{text}” is none of the forms that Sekisho knows, and was not guessed. The text is kept"
    " as written; choose one of the known forms or add this one to the table.",
    ja="外部流出の有無「{text}」は既知の表現になく、推測はしていません。文字はそのまま残しています。"
    "既知の表現から選ぶか、表に追加してください。",
)
FOUND_UNREADABLE: Final = fault_kind(
    "SEK-REG-104",
    en="How it came to light, “{text}”, could not be read. The text is kept as written; write it for example as"
    " 10月16日報告受領し判明, 確認し判明, or 記載なし.",
    ja="発覚の経緯「{text}」を読み取れませんでした。文字はそのまま残しています。"
    "「10月16日報告受領し判明」「確認し判明」「記載なし」のように書いてください。",
)
ORGANISATION_UNREADABLE: Final = fault_kind(
    "SEK-REG-105",
    en="The organisation cell “{text}” could not be read at “{rest}”. The text is kept as written; marks stand in"
    " brackets behind the name, as in (第2報), and member bodies behind a colon.",
    ja="顧客組織の欄「{text}」の「{rest}」を読み取れませんでした。文字はそのまま残しています。"
    "印は名称の後の括弧に「(第2報)」のように、構成団体はコロンの後に書いてください。",
)
ITEMS_UNREADABLE: Final = fault_kind(
    "SEK-REG-106",
    en="The items cell “{text}” has brackets that do not close. The text is kept as written; close the bracket"
    " and read the table again.",
    ja="情報項目の欄「{text}」は括弧が閉じていません。文字はそのまま残しています。"
    "括弧を閉じて、表をもう一度読み込んでください。",
)
# What does not add up in a table of affected organisations. Nothing is corrected: each one is told.
ROW_ABOVE_TOTAL: Final = fault_kind(
    "SEK-REG-121",
    en="{organisation} states “{text}”, more than the {total:,} of the whole case. The text is kept as written;"
    " ask the source which number and unit were meant.",
    ja="{organisation}の「{text}」は、事案全体の{total:,}件を超えています。文字はそのまま残しています。"
    "数と単位を出所に確かめてください。",
)
IMPLAUSIBLE_MYRIAD: Final = fault_kind(
    "SEK-REG-122",
    en="{organisation} states “{text}”: nobody writes 万 behind 10,000 or more. The text is kept as written; ask the"
    " source whether {likely:,} was meant.",
    ja="{organisation}の「{text}」は、一万以上の数に「万」が付いています。文字はそのまま残しています。"
    "{likely:,}件の誤りでないか、出所に確かめてください。",
)
DUPLICATE_ITEM: Final = fault_kind(
    "SEK-REG-123",
    en="{organisation} names the item “{item}” more than once. The list is kept as written; ask the source whether"
    " another item was meant.",
    ja="{organisation}は項目「{item}」を重ねて挙げています。一覧はそのまま残しています。"
    "別の項目の誤りでないか、出所に確かめてください。",
)
LEAK_BEFORE_CONTRACT: Final = fault_kind(
    "SEK-REG-124",
    en="{organisation}: {source} says that data left in {window}, but the earliest contract stated is {period}. Both"
    " are kept with their sources; look for an earlier contract.",
    ja="{organisation}:{source}は流出の期間を{window}としていますが、記載のある最初の契約は{period}です。"
    "両方を出所とともに残しています。それより前の契約を探してください。",
)
PARTS_AND_SUM: Final = fault_kind(
    "SEK-REG-125",
    en="{organisation} states {stated:,} for {what}, but the parts add up to {total:,}. Both are kept; ask the source"
    " which one holds.",
    ja="{organisation}は{what}を{stated:,}件としていますが、内訳の合計は{total:,}件です。"
    "両方を残しています。どちらが正しいか、出所に確かめてください。",
)
ROWS_AND_TOTAL: Final = fault_kind(
    "SEK-REG-126",
    en="The {rows} rows with a count add up to {total:,}, while {stated:,} are attributed in all; the rows mix {units}."
    " A 万 that cannot be meant was left out. Every figure is kept; say this beside any total that is shown.",
    ja="件数のある{rows}行の合計は{total:,}件ですが、特定された総数は{stated:,}件です。行には{units}が混在しています。"
    "あり得ない「万」は除いて数えました。どの数字も残しています。合計を示すときは、このことを添えてください。",
)
NAMED_ELSEWHERE: Final = fault_kind(
    "SEK-REG-127",
    en="{source} names {organisation}, which stands in no row of the table. Both are kept; ask whether a row is"
    " missing.",
    ja="{source}に名前のある{organisation}が、表のどの行にもありません。両方を残しています。"
    "行が抜けていないか確かめてください。",
)
# Why data may not be reached through a chain of entrustments.
NO_ENTRUSTMENT: Final = fault_kind(
    "SEK-REG-141",
    en="No chain of entrustments leads from {client} to {party} for the dataset {dataset}. Nothing was opened;"
    " register the entrustment, or take the technical reach away.",
    ja="{client}から{party}へ、データセット{dataset}の委託のつながりがありません。何も開いていません。"
    "委託を登録するか、技術的に届かないようにしてください。",
)
HOP_NOT_APPROVED: Final = fault_kind(
    "SEK-REG-142",
    en="The re-entrustment {hop} from {giver} to {receiver} was not approved by {client} before it began. Access to"
    " {client}'s data stays closed; ask {client} for its approval.",
    ja="{giver}から{receiver}への再委託{hop}は、開始前に{client}の承認を得ていません。"
    "{client}のデータは閉じたままです。{client}に承認を求めてください。",
)
NO_CONTRACT_IN_FORCE: Final = fault_kind(
    "SEK-REG-143",
    en="No contract of the entrustment {hop} from {giver} to {receiver} is in force on {day}. Access stays closed;"
    " register the contract in force, or have the data erased.",
    ja="{giver}から{receiver}への委託{hop}には、{day}に有効な契約がありません。閉じたままです。"
    "有効な契約を登録するか、データを消去させてください。",
)
NOT_DESCRIBED: Final = fault_kind(
    "SEK-REG-144",
    en="The register does not say what the dataset {dataset} is, or where it stands. It stays closed; describe it"
    " (`sekisho register import`) and confirm where it stands.",
    ja="データセット{dataset}の内容または所在が台帳にありません。閉じたままです。"
    "内容を登録し(`sekisho register import`)、所在を確定してください。",
)
DESCRIPTION_GAPS: Final = fault_kind(
    "SEK-REG-145",
    en="The dataset {dataset} cannot be opened for maintenance: nothing is written for {fields}. It stays closed;"
    " fill these in.",
    ja="データセット{dataset}は保守のために開けません。{fields}が未記入です。閉じたままです。記入してください。",
)
DESCRIBED_OTHERWISE: Final = fault_kind(
    "SEK-REG-146",
    en="The dataset {dataset} is described as {described}, but the checkpoint opens it as {catalogued}. It stays"
    " closed; correct the one that is wrong.",
    ja="データセット{dataset}は台帳では{described}、関所の目録では{catalogued}です。閉じたままです。"
    "誤っている方を直してください。",
)
NO_OPERATOR: Final = fault_kind(
    "SEK-REG-147",
    en="Nobody is registered as the operator of {target}, so whose staff reach the dataset {dataset} is not known. It"
    " stays closed; register the operator.",
    ja="{target}の運用者が登録されておらず、データセット{dataset}に誰の従業者が届くのか分かりません。"
    "閉じたままです。運用者を登録してください。",
)
NOT_IN_THE_LOG: Final = fault_kind(
    "SEK-REG-148",
    en="The fact number {seq} about {about} in the database is not the one in the published log. The dataset stays"
    " closed; keep the database as it is, and have somebody look at `sekisho verify`.",
    ja="データベースにある{about}についての事実{seq}番は、公開されたログのものと一致しません。"
    "データセットは閉じたままです。データベースをそのまま保全し、`sekisho verify`で調べてください。",
)
# Acts on the register that are not the caller's to make, or not yet.
NOT_THE_CLIENT: Final = fault_kind(
    "SEK-REG-151",
    en="{organisation} does not act for {client}. Nothing was recorded; somebody of {client} has to do this.",
    ja="{organisation}は{client}を代表しません。何も記録していません。{client}の方が行う必要があります。",
)
UNKNOWN_HOP: Final = fault_kind(
    "SEK-REG-152",
    en="There is no entrustment {hop}. Nothing was recorded; look at `sekisho register show`.",
    ja="委託{hop}はありません。何も記録していません。`sekisho register show`で確かめてください。",
)
NO_ERASE_TASK: Final = fault_kind(
    "SEK-REG-153",
    en="There is no open erase task for the dataset {dataset} at {party}. Nothing was recorded; it opens when the last"
    " contract has ended.",
    ja="{party}にデータセット{dataset}の消去タスクはありません。何も記録していません。最後の契約が終わると開きます。",
)
NOT_CERTIFIED: Final = fault_kind(
    "SEK-REG-154",
    en="The erasure of the dataset {dataset} at {party} is not certified, or is certified anew. Nothing was recorded;"
    " read the certificate as it stands now.",
    ja="{party}でのデータセット{dataset}の消去証明がないか、新しいものに替わっています。何も記録していません。"
    "現在の証明を確認してください。",
)
SAME_PERSON: Final = fault_kind(
    "SEK-REG-155",
    en="{person} certified this erasure and cannot countersign it. Nothing was recorded; somebody else has to.",
    ja="{person}はこの消去の証明者なので、副署できません。何も記録していません。別の方が行う必要があります。",
)
NOT_IN_CAMPAIGN: Final = fault_kind(
    "SEK-REG-156",
    en="The campaign {campaign} has no {system} with the point {point}. Nothing was recorded; correct the answer.",
    ja="点検{campaign}に{system}の項目{point}はありません。何も記録していません。回答を直してください。",
)
# Why a file with the register's tables was not taken over. One of these, and nothing of the file is.
FILE_UNREADABLE: Final = fault_kind(
    "SEK-REG-161",
    en="{name} could not be read as {form}. Nothing was taken over; save it again in that form.",
    ja="{name}を{form}として読み取れませんでした。何も取り込んでいません。その形式で保存し直してください。",
)
FILE_TOO_LARGE: Final = fault_kind(
    "SEK-REG-162",
    en="{name} is larger than {limit}. Nothing was taken over; divide it.",
    ja="{name}が{limit}を超えています。何も取り込んでいません。分割してください。",
)
SHEET_UNKNOWN: Final = fault_kind(
    "SEK-REG-163",
    en="{name} is none of the register's tables. Nothing was taken over; rename it to one of {known}, or remove it.",
    ja="{name}は台帳の表ではありません。何も取り込んでいません。{known}のいずれかに改めるか、除いてください。",
)
COLUMN_UNKNOWN: Final = fault_kind(
    "SEK-REG-164",
    en="{sheet}, row {row}: there is no column “{column}” in this table. Nothing was taken over;"
    " rename it or remove it.",
    ja="{sheet}の{row}行目:この表に「{column}」という列はありません。何も取り込んでいません。"
    "列名を改めるか、除いてください。",
)
COLUMN_REPEATED: Final = fault_kind(
    "SEK-REG-165",
    en="{sheet}, row {row}: the column “{column}” stands there twice. Nothing was taken over; remove one.",
    ja="{sheet}の{row}行目:列「{column}」が二つあります。何も取り込んでいません。一つにしてください。",
)
CELL_MISSING: Final = fault_kind(
    "SEK-REG-166",
    en="{sheet}, row {row}, column {column}: nothing is written there. Nothing was taken over; fill it in, for example"
    " with {example}.",
    ja="{sheet}の{row}行目「{column}」が空です。何も取り込んでいません。例えば「{example}」のように記入してください。",
)
CELL_UNREADABLE: Final = fault_kind(
    "SEK-REG-167",
    en="{sheet}, row {row}, column {column}: “{text}” is not understood. Nothing was taken over; write it for example"
    " as {example}.",
    ja="{sheet}の{row}行目「{column}」の「{text}」を読み取れません。何も取り込んでいません。"
    "例えば「{example}」のように書いてください。",
)
ID_REPEATED: Final = fault_kind(
    "SEK-REG-168",
    en="{sheet}, row {row}, column {column}: “{text}” already stands in row {first}. Nothing was taken over; give each"
    " row its own.",
    ja="{sheet}の{row}行目「{column}」の「{text}」は{first}行目にもあります。何も取り込んでいません。"
    "行ごとに別のものにしてください。",
)
NAMES_NOTHING: Final = fault_kind(
    "SEK-REG-169",
    en="{sheet}, row {row}, column {column}: “{text}” stands in no row of {other}. Nothing was taken over; add that row"
    " or correct the id.",
    ja="{sheet}の{row}行目「{column}」の「{text}」は、{other}のどの行にもありません。何も取り込んでいません。"
    "その行を加えるか、IDを直してください。",
)
UNKNOWN_PERSON: Final = fault_kind(
    "SEK-REG-157",
    en="There is no person {person}. Nothing was recorded; name the one who answers for it.",
    ja="{person}という人物は登録されていません。何も記録していません。責任を負う方を指定してください。",
)
UNKNOWN_CAMPAIGN: Final = fault_kind(
    "SEK-REG-158",
    en="There is no campaign {campaign}. Nothing was recorded; open it first.",
    ja="点検{campaign}はありません。何も記録していません。先に開いてください。",
)
ANSWER_UNREADABLE: Final = fault_kind(
    "SEK-REG-159",
    en="{sheet}, row {row} is no answer of a campaign: {reason}. Nothing was recorded; correct that row.",
    ja="{sheet}の{row}行目は点検の回答として読み取れません({reason})。何も記録していません。その行を直してください。",
)
# What is missing of the supervision of a client's entrustments. Nothing is closed by these.
HOPLESS: Final = fault_kind(
    "SEK-REG-171",
    en="The dataset {dataset} stands on {target}, and no entrustment names it. Register who was given it by whom.",
    ja="データセット{dataset}は{target}にありますが、どの委託にも含まれていません。"
    "誰が誰に渡したかを登録してください。",
)
APPROVAL_ON_PAPER: Final = fault_kind(
    "SEK-REG-172",
    en="The approval of the re-entrustment {hop} was taken in from papers. Ask {client} to confirm it here.",
    ja="再委託{hop}の承認は書面から登録されたものです。{client}にここで確認を求めてください。",
)
PERIOD_UNKNOWN: Final = fault_kind(
    "SEK-REG-173",
    en="The period of the contract {contract} of the entrustment {hop} is not known: it opens nothing, and never ends."
    " Find it out.",
    ja="委託{hop}の契約{contract}は期間が不明です。何も開けず、終了もしません。期間を確かめてください。",
)
CLAUSE_MISSING: Final = fault_kind(
    "SEK-REG-174",
    en="The contract {contract} of the entrustment {hop} has no clause on {clause}. Add it.",
    ja="委託{hop}の契約{contract}には{clause}の条項がありません。追加してください。",
)
SUPERVISION_MISSING: Final = fault_kind(
    "SEK-REG-175",
    en="The entrustment {hop} has no evidence in force for {item} (Guidelines 3-4-4). Record what was done, and when.",
    ja="委託{hop}には{item}(通則ガイドライン3-4-4)の有効な証拠がありません。実施したことと日付を記録してください。",
)
BELOW_PROFILE: Final = fault_kind(
    "SEK-REG-176",
    en="{receiver} does not meet what {client} demands: {control} {sign} {value}, stated {held}. Agree on a measure and"
    " a day.",
    ja="{receiver}は{client}の求める水準を満たしていません({control} {sign} {value}に対し{held})。"
    "対策と期日を取り決めてください。",
)
# What keeps a target from being surveyed, or a proposal from being confirmed.
CANNOT_SURVEY: Final = fault_kind(
    "SEK-REG-181",
    en="{target} could not be read as {role}: {reason}. Nothing was proposed; check the address, the role and its"
    " password.",
    ja="{target}を{role}として読み取れませんでした({reason})。何も提案していません。"
    "接続先、ロール、パスワードを確かめてください。",
)
UNKNOWN_TARGET: Final = fault_kind(
    "SEK-REG-182",
    en="There is no target {target} in the register. Nothing was done; register it first.",
    ja="台帳に対象{target}がありません。何も行っていません。先に登録してください。",
)
PROPOSAL_UNREADABLE: Final = fault_kind(
    "SEK-REG-183",
    en="{name} is no proposal that can be confirmed: {reason}. Nothing was taken over; correct it there.",
    ja="{name}は確定できる提案ではありません({reason})。何も取り込んでいません。該当箇所を直してください。",
)
PROPOSAL_INCOMPLETE: Final = fault_kind(
    "SEK-REG-184",
    en="The dataset {dataset}: {field} is missing, or names nothing that is known (“{text}”). Nothing was taken over;"
    " write it into the proposal.",
    ja="データセット{dataset}の{field}が未記入か、該当するものがありません(「{text}」)。何も取り込んでいません。"
    "提案に記入してください。",
)
TABLE_TWICE: Final = fault_kind(
    "SEK-REG-185",
    en="The table {table} of {target} belongs to the dataset {other} already. Nothing was taken over; a table has one"
    " client. Remove it from {dataset}.",
    ja="{target}の表{table}は既にデータセット{other}のものです。何も取り込んでいません。"
    "一つの表の委託元は一つです。{dataset}から除いてください。",
)
SHARED_TABLE: Final = fault_kind(
    "SEK-REG-186",
    en="The table {table} holds the rows of several clients, divided by {column}. No door can divide it, so it was not"
    " taken over; make one view for each client, and scan again.",
    ja="表{table}には列{column}で区別される複数の委託元の行があります。関所では分けられないため、取り込んでいません。"
    "委託元ごとのビューを作り、もう一度調べてください。",
)
NO_SUCH_PROPOSAL: Final = fault_kind(
    "SEK-REG-187",
    en="The proposal {proposal} is not open, or what it replaces has changed since. Nothing was changed; propose it"
    " anew.",
    ja="提案{proposal}は未処理のものではないか、その後、変更の対象が変わりました。何も変更していません。"
    "改めて提案してください。",
)
SECOND_PERSON: Final = fault_kind(
    "SEK-REG-188",
    en="You proposed this change of {dataset} yourself. Nothing was changed; somebody else has to agree.",
    ja="{dataset}のこの変更は本人の提案です。何も変更していません。別の人の同意が必要です。",
)
ID_TAKEN: Final = fault_kind(
    "SEK-REG-189",
    en="The ID {text} is registered already. Nothing was taken over; choose another one, or correct that row.",
    ja="ID {text}は既に登録されています。何も取り込んでいません。別のIDにするか、その行を訂正してください。",
)
CLEAR_ONLY_HERE: Final = fault_kind(
    "SEK-REG-190",
    en="Without TLS a target may only be at a loopback address, and {host} is none. Nothing was changed; give the"
    " certificate of its authority.",
    ja="TLSなしの対象はループバックアドレスに限られ、{host}は該当しません。何も変更していません。"
    "認証局の証明書を登録してください。",
)
UNKNOWN_CONTROL: Final = fault_kind(
    "SEK-REG-191",
    en="There is no control {control}. Nothing was recorded; look up its id in the list of controls.",
    ja="統制{control}はありません。何も記録していません。統制の一覧でIDを確かめてください。",
)
BAD_CONTROL: Final = fault_kind(
    "SEK-REG-192",
    en="The control {control} cannot be recorded so: {fields}. Nothing was recorded; correct it and send it again.",
    ja="統制{control}はこのままでは記録できません({fields})。何も記録していません。直して送り直してください。",
)
UNPROVEN: Final = fault_kind(
    "SEK-REG-193",
    en="The control {control} has no evidence in force, so nobody can call it verified. Nothing was changed; record its"
    " evidence first.",
    ja="統制{control}には有効な証跡がないため、検証済みとできません。何も変更していません。"
    "先に証跡を記録してください。",
)
