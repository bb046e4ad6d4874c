"""Why the gate refuses."""

from sekisho.faults import fault_kind

NO_TICKET = fault_kind(
    "SEK-GATE-001",
    en="There is no ticket {ticket} for you. Nothing was opened; ask for a ticket.",
    ja="あなたのチケット {ticket} はありません。何も開かれていません。チケットを申請してください。",
)
NOT_APPROVED = fault_kind(
    "SEK-GATE-002",
    en="Ticket {ticket} lacks an approval that counts, of: {roles}. Nothing was opened; ask your approver.",
    ja="チケット {ticket} には有効な承認が足りません (役割: {roles})。何も開かれていません。"
    "承認者に依頼してください。",
)
OUTSIDE_WINDOW = fault_kind(
    "SEK-GATE-003",
    en="Ticket {ticket} is valid from {opens} to {closes}. Nothing was opened; ask for a new window.",
    ja="チケット {ticket} の有効期間は {opens} から {closes} までです。何も開かれていません。"
    "新しい期間で申請してください。",
)
OTHER_TARGET = fault_kind(
    "SEK-GATE-004",
    en="Ticket {ticket} does not open {target} through this door. Nothing was opened; use the target it names.",
    ja="チケット {ticket} ではこの入口から {target} を開けません。何も開かれていません。"
    "チケットに記載された対象を使用してください。",
)
TICKET_CLOSED = fault_kind(
    "SEK-GATE-005",
    en="Ticket {ticket} is closed. Nothing was opened; ask for a new ticket.",
    ja="チケット {ticket} は終了しています。何も開かれていません。新しいチケットを申請してください。",
)
NOT_IN_THE_LOG = fault_kind(
    "SEK-GATE-006",
    en="Ticket {ticket} does not stand in the published log as the database shows it. Nothing was opened, and "
    "it was recorded.",
    ja="チケット {ticket} は、データベースの内容と公開ログの内容が一致しません。"
    "何も開かれておらず、記録されました。",
)
SELF_APPROVAL = fault_kind(
    "SEK-GATE-007",
    en="{approver} cannot approve ticket {ticket}: requester and approver must be two persons without a chain "
    "of command from the requester down to the approver. The request stays open.",
    ja="{approver} はチケット {ticket} を承認できません。申請者本人、および申請者の指揮下にある人は"
    "承認者になれません。申請はそのまま残っています。",
)
BUDGET_PERSONS = fault_kind(
    "SEK-GATE-008",
    en="The limit of {limit} persons per {scope} is reached. {passed} rows of this statement passed, no more "
    "will. Narrow the query, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} 人に達しました。この文で通過したのは {passed} 行までで、以降は通りません。"
    "検索条件を絞るか、チケット {ticket} の上限の引き上げを申請してください。",
)
BUDGET_ROWS = fault_kind(
    "SEK-GATE-009",
    en="The limit of {limit} rows per {scope} is reached. {passed} rows of this statement passed, no more "
    "will. Narrow the query, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} 行に達しました。この文で通過したのは {passed} 行までで、以降は通りません。"
    "検索条件を絞るか、チケット {ticket} の上限の引き上げを申請してください。",
)
STATE_UNKNOWN = fault_kind(
    "SEK-GATE-010",
    en="What the decision needs to know about the {part} could not be read. Nothing was opened; tell the "
    "administrator.",
    ja="判断に必要な情報 ({part}) を確認できません。何も開かれていません。管理者に連絡してください。",
)
NOT_YOUR_DUTY = fault_kind(
    "SEK-GATE-011",
    en="{person} has no role that may take the part {part} in {act} here. Nothing was done; ask somebody whose duty "
    "it is.",
    ja="{person} には、ここで {act} の {part} を行う役割がありません。何も行われていません。担当の役割の人に"
    "依頼してください。",
)
ROLES_CLASH = fault_kind(
    "SEK-GATE-012",
    en="{person} holds roles that nobody may hold together: {roles}. Nothing was done; have one of them revoked.",
    ja="{person} は兼ねてはならない役割を持っています: {roles}。何も行われていません。いずれかを外してください。",
)
ABOUT_YOURSELF = fault_kind(
    "SEK-GATE-013",
    en="{person} cannot decide this: it is about {person}, or about the own chain of command. Nothing was done; "
    "ask somebody outside it.",
    ja="{person} はこれを判断できません。本人、または本人の指揮系統に関わる案件です。何も行われていません。"
    "系統の外の人に依頼してください。",
)
ONE_CHAIN = fault_kind(
    "SEK-GATE-014",
    en="{person} cannot take part here beside {other}: they are one human, or stand in one chain of command. "
    "Nothing was done; ask somebody outside it.",
    ja="{person} は {other} と同じ案件に加われません。同一人物であるか、同じ指揮系統にいます。"
    "何も行われていません。系統の外の人に依頼してください。",
)
NOT_OUTSIDE = fault_kind(
    "SEK-GATE-015",
    en="{person} cannot check this: the employer {employer} is itself concerned. Nothing was done; ask somebody from "
    "outside.",
    ja="{person} はこれを点検できません。雇用主 {employer} 自身が関係しています。何も行われていません。"
    "外部の人に依頼してください。",
)
APPROVED_ALREADY = fault_kind(
    "SEK-GATE-016",
    en="No approval of the role {role} is needed here any more. Nothing was recorded for {person}.",
    ja="役割 {role} の承認は既に足りています。{person} の承認は記録されていません。",
)
OTHER_EMPLOYER = fault_kind(
    "SEK-GATE-017",
    en="Above the limit, one approver must have another employer than {employer}, which {person} has too. Nothing was "
    "recorded; ask an approver of another company.",
    ja="上限を超える申請には、{employer} 以外に雇用された承認者が 1 人必要です。{person} の承認は記録されて"
    "いません。別の会社の承認者に依頼してください。",
)
NOT_YET_APPROVED = fault_kind(
    "SEK-GATE-018",
    en="{person} cannot carry this out yet: the approval of {roles} is missing. Nothing was done.",
    ja="{person} はまだ実行できません。{roles} の承認がありません。何も行われていません。",
)
GLASS_TOO_LARGE = fault_kind(
    "SEK-GATE-019",
    en="The emergency access {ticket} asks for more than the policy gives to emergencies. Nothing was opened; ask for "
    "a ticket.",
    ja="緊急アクセス {ticket} は、方針が緊急時に認める範囲を超えています。何も開かれていません。"
    "チケットを申請してください。",
)
DOOR_NOT_ALLOWED = fault_kind(
    "SEK-GATE-020",
    en="The policy does not allow the door {door}. Nothing was opened; use another door.",
    ja="方針により入口 {door} は使えません。何も開かれていません。別の入口を使用してください。",
)
OUTSIDE_HOURS = fault_kind(
    "SEK-GATE-021",
    en="Doors are open from {first}:00 to {last}:00 JST. Nothing was opened; come back then, or break the glass in an "
    "emergency.",
    ja="入口が開くのは {first} 時から {last} 時までです。何も開かれていません。時間内に再度お試しください。"
    "緊急の場合は緊急アクセスを使用してください。",
)
ABOVE_POLICY = fault_kind(
    "SEK-GATE-022",
    en="Ticket {ticket} asks for a larger budget or a longer window than the policy allows. Nothing was opened; ask "
    "for less.",
    ja="チケット {ticket} の上限または期間が方針の範囲を超えています。何も開かれていません。"
    "範囲内で申請してください。",
)
PERSON_NOT_ACTIVE = fault_kind(
    "SEK-GATE-023",
    en="{person} does not work here any more. Nothing was opened.",
    ja="{person} は既に離任しています。何も開かれていません。",
)
PERSON_FROZEN = fault_kind(
    "SEK-GATE-024",
    en="{person} is frozen. Nothing was opened; two persons must end the freeze.",
    ja="{person} は停止されています。何も開かれていません。解除には 2 人の同意が必要です。",
)
NOT_TRAINED = fault_kind(
    "SEK-GATE-025",
    en="{person} lacks a valid training or attestation: {courses}. Nothing was opened; complete it first.",
    ja="{person} には有効な教育・誓約がありません: {courses}。何も開かれていません。先に受講・誓約してください。",
)
BAD_TICKET = fault_kind(
    "SEK-GATE-026",
    en="The ticket {ticket} cannot be recorded: {fields} make no sense. Nothing was recorded; correct them.",
    ja="チケット {ticket} を記録できません。{fields} が正しくありません。何も記録されていません。修正してください。",
)
NOT_REVIEWABLE = fault_kind(
    "SEK-GATE-027",
    en="There is no emergency access {ticket} to review. Nothing was recorded.",
    ja="確認すべき緊急アクセス {ticket} はありません。何も記録されていません。",
)
GLASS_UNREVIEWED = fault_kind(
    "SEK-GATE-028",
    en="{person} has an emergency access whose review is overdue ({ticket}). Nothing was opened; have it reviewed "
    "first.",
    ja="{person} には確認期限を過ぎた緊急アクセスがあります ({ticket})。何も開かれていません。"
    "先に確認を受けてください。",
)
POLICY_CHANGED = fault_kind(
    "SEK-GATE-029",
    en="The proposal {proposal} does not replace the policy in force, or is none. Nothing was changed; propose anew.",
    ja="提案 {proposal} は現在の方針を置き換えるものではないか、存在しません。何も変更されていません。"
    "改めて提案してください。",
)
BAD_POLICY = fault_kind(
    "SEK-GATE-030",
    en="The proposed policy cannot be used: {fields} make no sense. Nothing was recorded; correct them.",
    ja="提案された方針は使えません。{fields} が正しくありません。何も記録されていません。修正してください。",
)
POLICY_NOT_IN_THE_LOG = fault_kind(
    "SEK-GATE-031",
    en="The policy does not stand in the published log as the database shows it. Nothing was opened, and it was "
    "recorded.",
    ja="方針について、データベースの内容と公開ログの内容が一致しません。何も開かれておらず、記録されました。",
)
REQUEST_CHANGED = fault_kind(
    "SEK-GATE-032",
    en="The request of ticket {ticket} is not the one that you were shown. Nothing was approved; look at it again.",
    ja="チケット {ticket} の申請内容が、表示されたものと異なります。承認されていません。もう一度確認してください。",
)
FACT_MISSING = fault_kind(
    "SEK-GATE-033",
    en="The published log has entry {seq}, which restricts this access, and the database has not. Nothing was opened, "
    "and it was recorded.",
    ja="公開ログにはこのアクセスを制限する記録 {seq} がありますが、データベースにはありません。"
    "何も開かれておらず、記録されました。",
)
BULK_ABOVE_POLICY = fault_kind(
    "SEK-GATE-034",
    en="Ticket {ticket} asks for a bulk allowance that the policy does not give. Nothing was opened; ask for less, or "
    "have the policy changed.",
    ja="チケット {ticket} の一括取得枠は方針の範囲を超えています。何も開かれていません。範囲内で申請するか、"
    "方針の変更を依頼してください。",
)
ABOVE_SENSITIVITY = fault_kind(
    "SEK-GATE-040",
    en="Ticket {ticket} is for {persons} persons, and the policy allows {limit} for data as sensitive as this. Nothing "
    "was opened; ask for fewer.",
    ja="チケット {ticket} は {persons} 人分ですが、この機微度のデータについて方針が認めるのは {limit} 人までです。"
    "何も開かれていません。人数を減らして申請してください。",
)
NEEDS_SECOND = fault_kind(
    "SEK-GATE-050",
    en="After an alert, ticket {ticket} needs a second approval, by somebody who did not approve it first. Nothing was "
    "opened; ask for it on the page Alerts, or wait until {until}.",
    ja="警報を受けて、チケット {ticket} には最初の承認者とは別の人の承認が必要です。何も開かれていません。"
    "「警報」のページで承認を依頼するか、{until} までお待ちください。",
)
NO_RESTRAINT = fault_kind(
    "SEK-GATE-051",
    en="There is no restraint {restraint} in force that this could be done about. Nothing was recorded.",
    ja="この操作の対象となる制限 {restraint} はありません。何も記録されていません。",
)
NOT_SECOND = fault_kind(
    "SEK-GATE-052",
    en="{person} cannot give ticket {ticket} its second approval: it takes a role that consents, nobody who approved "
    "it first, and nobody in the requester's chain of command. Nothing was recorded.",
    ja="{person} はチケット {ticket} の二人目の承認者になれません。承認の役割が必要で、最初の承認者や、"
    "申請者と同じ指揮系統の人にはできません。何も記録されていません。",
)
PIXELS_ONLY = fault_kind(
    "SEK-GATE-045",
    en="The access policy of {target} lets nothing but pixels reach a terminal. Nothing was opened through the door "
    "{door}; open the desktop of a workspace in the console (My work), with a ticket for the door workspace.",
    ja="{target} のアクセス方針により、端末に届くのは画素だけです。入口 {door} からは何も開かれていません。"
    "入口「workspace」のチケットで、コンソール (自分の作業) から作業領域のデスクトップを開いてください。",
)
MASKED_ONLY = fault_kind(
    "SEK-GATE-046",
    en="The access policy of {target} lets only masked text reach a terminal, and nothing can mask what the door "
    "{door} shows. Nothing was opened; work in the desktop of a workspace, with a ticket for the door workspace.",
    ja="{target} のアクセス方針により、端末に届く文字はマスク済みのものだけです。"
    "入口 {door} の表示はマスクできないため、何も開かれていません。"
    "入口「workspace」のチケットで、作業領域のデスクトップを使用してください。",
)
