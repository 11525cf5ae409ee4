package console

// languages are those that the console speaks; the first one is for everyone else.
var languages = []string{"en", "ja"}

// texts is all that the console says in one language. A test holds every
// language to every text.
type texts struct {
	Language   string // its own name
	TimeFormat string // of package time
	Units      units
	JustNow    string
	Ago        string // with %s for a length of time
	In         string // the same, to come
	TimesIn    string // with %s for a time zone

	Skip       string
	Navigation string
	SignedInAs string
	SignOut    string
	RoleMasked string

	Search      string
	SearchLead  string
	SearchTerm  string
	SearchHint  string
	MaskedHint  string
	State       string
	States      map[string]string // of the search form
	AnyState    string
	Find        string
	Found       string // with %s for how many, and a plus if there are more
	FoundNone   string
	SearchedAs  map[string]string
	SearchError map[string]string
	More        string
	Newest      string

	Lists     string
	Filters   map[string]passage // title, and what is in it
	EmptyList string
	At        map[string]string // what the time of a row is

	Buyer        string
	CanCharge    string
	CannotCharge string
	NotRead      string
	Account      string
	MessageID    string // of SNS
	Topic        string
	Colon        string // between a label and its value
	Comma        string
	Open         string

	// The record.
	Charge           string // can we charge?
	RequiredAction   string // what must the buyer do?
	Must             map[string]string
	MustShort        map[string]string // in a list
	Because          string
	PaymentMethod    string
	Limit            string
	LimitRemaining   string // with %s for an amount
	StateSince       string
	Expires          string
	Address          string
	BillingAddress   string
	SameAddress      string
	NoAddress        string
	AddressMasked    string
	Since            string
	LastChange       string
	NoChange         string
	Fresh            string
	ReadAt           string
	NeverRead        string
	NothingWaits     string
	WaitsSince       string
	NextAttempt      string
	FailedAttempts   string
	LastError        string
	Gone             string
	AmazonRequest    string
	LastNotified     string
	Contact          string
	BuyerID          string
	Act              string
	RefreshNow       string
	RefreshHint      string
	Refreshed        map[string]string
	CreateLink       string
	LinkFor          string
	Requested        map[string]string
	Timeline         string
	TimelineEmpty    string
	Older            string
	WhatWasRead      string
	Field            string
	Before           string
	After            string
	Nothing          string
	OnlyMasked       string // a change of which nothing may be seen
	Facets           map[string]string
	Fields           map[string]string // by name, or by facet and name
	Causes           map[string]string
	AmazonStates     map[string]string
	Updates          string
	UpdatesEmpty     string
	UpdateStates     map[string]string
	Started          string
	Ended            string
	ValidUntil       string
	Reason           string
	Attempts         string
	ChangeStored     string
	Money            string
	MoneyEmpty       string
	MoneyHint        string
	Notifications    string
	NotificationNone string
	Object           string
	Published        string
	Outcome          string
	Outcomes         map[string]string
	Person           string
	Export           string
	Erase            string

	// The update link.
	LinkTitle  string
	LinkLead   string
	LinkLabel  string
	Copy       string
	Copied     string
	CopyByHand string
	BackTo     string // with %s for a charge permission

	// Export and erasure.
	Confirm      map[string]passage
	ConfirmField string
	ConfirmWrong string
	ConfirmDo    map[string]string
	Cancel       string
	ErasedTitle  string
	ErasedBody   string

	// Who opened a record.
	AccessTitle string
	AccessLead  string // with %s for a charge permission
	AccessNone  string
	AccessWords map[string]string

	// What failed.
	Failures     string
	DeadLetters  string
	DeadLead     string
	DeadNone     string
	DeadSome     string // with %s for how many are shown
	DeadReasons  map[string]string
	Retry        string
	RetryAll     string
	Retried      string // with %s for how many
	Missing      string
	SentAt       string
	Message      string
	FailingTitle string
	FailingLead  string
	FailingNone  string
	AllFailing   string

	// The overview.
	Overview   string
	Spans      map[string]string
	Span       string
	NowTitle   string
	Oldest     string
	OldestNone string
	FailingNow string
	DeadNow    string
	LastSeen   string
	Channel    string
	// Channels are the verdicts on whether notifications come.
	Channels       map[string]string
	ChannelMissing string
	LastStored     string
	Never          string
	Calls          string
	CallsRest      string
	Unknown        string
	Charts         string
	ChartEmpty     string
	ChartTable     string
	Hour           string
	ChartNames     map[string]passage // title, and what is drawn
	ChartColumns   map[string]string
	ChartMost      string // with %s for the highest value, for who cannot see it
	QuotaHint      string

	Problems map[string]passage
	ToSearch string
}

type passage struct{ Title, Body string }

type units struct{ Millisecond, Second, Minute, Hour, Day, Year string }

var translations = map[string]*texts{"en": &english, "ja": &japanese}

var english = texts{
	Language:   "English",
	TimeFormat: "2 Jan 2006, 15:04",
	Units:      units{" ms", " s", " min", " h", " days", " years"},
	JustNow:    "just now",
	Ago:        "%s ago",
	In:         "in %s",
	TimesIn:    "Times are in %s.",

	Skip:       "Skip to main content",
	Navigation: "Console",
	SignedInAs: "Signed in",
	SignOut:    "Sign out",
	RoleMasked: "without personal data",

	Search:      "Search",
	SearchLead:  "Find a charge permission",
	SearchTerm:  "ID, name, email or postcode",
	SearchHint:  "A charge permission or charge ID, the beginning of a buyer’s first or last name or of an email address, or at least three characters of a postcode.",
	MaskedHint:  "A charge permission or charge ID. Personal data is hidden from you, so you cannot search by name, email address or postcode.",
	State:       "Payment state",
	States:      map[string]string{"chargeable": "Can be charged", "not_chargeable": "Cannot be charged", "closed": "Closed"},
	AnyState:    "Any",
	Find:        "Search",
	Found:       "Found: %s",
	FoundNone:   "Nothing was found. Check the spelling, or search for something else that you know about the buyer.",
	SearchedAs:  map[string]string{"charge_permission_id": "Searched as a charge permission", "name": "Searched as a name", "email": "Searched as an email address", "postal_code": "Searched as a postcode", "state": "Searched by payment state"},
	SearchError: map[string]string{"too_short": "Please enter at least three characters of the postcode.", "masked": "Personal data is hidden from you. Please search by the charge permission’s ID."},
	More:        "Next page",
	Newest:      "Back to the first page",

	Lists: "Lists",
	Filters: map[string]passage{
		"not_chargeable": {"Cannot be charged", "Charge permissions that cannot be charged at present. Newest change first."},
		"updated_today":  {"Changed today", "Charge permissions that changed today. Newest first."},
		"update_pending": {"Update pending", "Updates that were started and that the buyer has not finished. Newest first."},
		"waiting":        {"Waiting", "These may have changed and will be read soon. Longest wait first."},
		"stale":          {"Stale", "Charge permissions that were not read within the period of the sweep. Oldest read first."},
		"failing":        {"Failing", "Charge permissions whose last read failed. They are retried automatically. Longest wait first."},
	},
	EmptyList: "This list is empty.",
	At:        map[string]string{"not_chargeable": "Changed", "updated_today": "Changed", "update_pending": "Started", "waiting": "Waiting since", "stale": "Last read", "failing": "Waiting since"},

	Buyer:        "Buyer",
	CanCharge:    "Can be charged",
	CannotCharge: "Cannot be charged",
	NotRead:      "Not read yet",
	Account:      "Account",
	MessageID:    "SNS message ID",
	Topic:        "SNS topic",
	Colon:        ": ",
	Comma:        ", ",
	Open:         "Open",

	Charge:         "Can we charge?",
	RequiredAction: "What must the buyer do?",
	Must: map[string]string{
		"nothing":      "Nothing.",
		"update":       "Update the payment method on Amazon’s page. Create an update link below and send it to the buyer.",
		"wait":         "Nothing now. It resolves by itself: a charge is in progress, or the monthly limit has been reached.",
		"set_up_again": "Set up Amazon Pay again in the shop. This charge permission can no longer be used.",
		"unknown":      "Unknown: see Amazon’s reason. An update link may help.",
	},
	MustShort: map[string]string{
		"nothing": "", "update": "Buyer must update the payment method", "wait": "Resolves by itself",
		"set_up_again": "Buyer must set up again", "unknown": "See Amazon’s reason",
	},
	Because:        "Reason",
	PaymentMethod:  "Payment method",
	Limit:          "Monthly limit",
	LimitRemaining: "%s left at the last read",
	StateSince:     "In this state since",
	Expires:        "Expires",
	Address:        "Shipping address",
	BillingAddress: "Billing address",
	SameAddress:    "The same as the shipping address.",
	NoAddress:      "None.",
	AddressMasked:  "The rest is personal data, which is hidden from you.",
	Since:          "Stored",
	LastChange:     "What changed last?",
	NoChange:       "Nothing has changed since it was first read.",
	Fresh:          "How fresh is this?",
	ReadAt:         "Read from Amazon Pay",
	NeverRead:      "It has not been read yet.",
	NothingWaits:   "No newer change is known.",
	WaitsSince:     "It may have changed since then; a read was requested",
	NextAttempt:    "Next attempt",
	FailedAttempts: "Failed attempts",
	LastError:      "Last error",
	Gone:           "Amazon Pay does not recognise this charge permission. First noticed:",
	AmazonRequest:  "Amazon’s request ID",
	LastNotified:   "Last notification",
	Contact:        "Buyer",
	BuyerID:        "Amazon’s buyer ID",
	Act:            "Actions",
	RefreshNow:     "Refresh now",
	RefreshHint:    "Fetches it from Amazon Pay now.",
	Refreshed: map[string]string{
		"read":         "It was just fetched from Amazon Pay and had changed: see the timeline.",
		"unchanged":    "It was just fetched from Amazon Pay. Nothing has changed.",
		"gone":         "Amazon Pay does not recognise this charge permission.",
		"not_followed": "This charge permission is of a type that is not synchronised.",
		"waiting":      "It could not be read right away. It will be read as soon as Amazon Pay allows.",
	},
	CreateLink: "Create update link",
	LinkFor:    "What should the buyer change?",
	Requested:  map[string]string{"address": "Shipping address", "payment_method": "Payment method", "both": "Shipping address and payment method"},

	Timeline:      "Timeline",
	TimelineEmpty: "Nothing has been stored yet.",
	Older:         "Older changes",
	WhatWasRead:   "What was read",
	Field:         "Field",
	Before:        "Before",
	After:         "After",
	Nothing:       "nothing",
	OnlyMasked:    "What changed is personal data, which is hidden from you.",
	Facets: map[string]string{
		"shipping_address": "Shipping address", "billing_address": "Billing address", "payment_method": "Payment method", "state": "Payment state", "buyer": "Buyer",
		"limit": "Limit", "expiry": "Expiry", "first_read": "First read", "erased": "Personal data erased",
	},
	Fields: map[string]string{
		"name": "Name", "line1": "Line 1", "line2": "Line 2", "line3": "Line 3", "city": "City", "county": "County", "district": "District",
		"state_or_region": "State or region", "postal_code": "Postcode", "country_code": "Country", "phone": "Phone", "payment_descriptors": "Payment method",
		"state": "State", "reason_codes": "Reasons", "buyer_id": "Amazon’s buyer ID", "email": "Email", "limit_amount": "Amount", "limit_currency": "Currency", "expires_at": "Expires",
	},
	Causes: map[string]string{
		"ipn": "Amazon notified us", "return": "the buyer came back from an update", "confirm": "an early read was confirmed", "refresh": "someone refreshed it",
		"reconcile": "the regular sweep", "import": "it was imported", "erasure": "erasure was requested", "retention": "its retention period ended",
	},
	AmazonStates: map[string]string{"Chargeable": "Can be charged", "NonChargeable": "Cannot be charged", "Closed": "Closed"},
	Updates:      "Updates by the buyer",
	UpdatesEmpty: "No update has been started.",
	UpdateStates: map[string]string{
		"started": "Started", "returned": "Returned; waiting for the outcome", "completed": "Completed", "failed": "Failed",
		"expired": "Not finished in time",
	},
	Started:          "Started",
	Ended:            "Ended",
	ValidUntil:       "Valid until",
	Reason:           "Reason",
	Attempts:         "Attempts",
	ChangeStored:     "Change stored",
	Money:            "Refunds and chargebacks",
	MoneyEmpty:       "No notification of a refund or chargeback.",
	MoneyHint:        "A notification tells you that something happened, but not what. See the object in Seller Central.",
	Notifications:    "Notifications received",
	NotificationNone: "None, or their retention period has ended.",
	Object:           "Object",
	Published:        "Sent by Amazon",
	Outcome:          "Led to",
	Outcomes: map[string]string{
		"wanted": "a read", "covered": "nothing: a newer read was stored", "confirming": "the read that was under way", "not_followed": "nothing: not followed",
		"unknown": "nothing: unknown and not followed", "recorded": "nothing: recorded only", "unmatched": "nothing: its charge permission is not stored",
	},
	Person: "The buyer’s data",
	Export: "Export this buyer’s data",
	Erase:  "Erase this buyer’s data",

	LinkTitle:  "Update link",
	LinkLead:   "Send this link only to the buyer: anyone who has it can start the update.",
	LinkLabel:  "Link for the buyer",
	Copy:       "Copy the link",
	Copied:     "Copied.",
	CopyByHand: "It could not be copied. The link is selected: press Ctrl+C or ⌘C.",
	BackTo:     "Back to %s",

	Confirm: map[string]passage{
		"export": {"Export what is stored about this buyer", "You get a JSON file with everything that is stored about this buyer, in all their charge permissions of this account: the current state, the history and the updates. Send it only by secure means."},
		"erase":  {"Erase this buyer’s data", "The personal data in all charge permissions of this buyer in this account is erased for good: from the current state, the whole history and what Amazon sent. The rows remain, without it. This cannot be undone. Later reads store no personal data until the buyer completes an update."},
	},
	ConfirmField: "To confirm, enter the charge permission’s ID:",
	ConfirmWrong: "That is not the ID of this charge permission. Nothing was done.",
	ConfirmDo:    map[string]string{"export": "Export", "erase": "Erase for good"},
	Cancel:       "Cancel",
	ErasedTitle:  "The personal data has been erased",
	ErasedBody:   "What was stored about this buyer has been erased. The history shows when.",

	AccessTitle: "Who opened this record",
	AccessLead:  "What people and programs did with %s in the console, newest first. Each line was written before anything was shown.",
	AccessNone:  "The log has no entries for it.",
	AccessWords: map[string]string{"opened": "opened it", "refreshed": "refreshed it", "linked": "created an update link", "exported": "exported the buyer’s data", "erased": "erased the buyer’s data"},

	Failures:    "Failures",
	DeadLetters: "Dead-letter messages",
	DeadLead:    "Messages that could not be processed. Remove the cause, then retry.",
	DeadNone:    "There are none.",
	DeadSome:    "Showing %s of them.",
	DeadReasons: map[string]string{
		"unreadable":          "It is not the JSON of an Amazon Pay notification.",
		"names_nothing":       "It has no ID of a charge permission, charge or refund. If it contains another envelope, a relay publishes whole envelopes: publish only the content of the inner Message.",
		"raw_delivery":        "Raw message delivery is on for a subscription of the queue, so the signature is missing. Turn it off. This message can never be verified.",
		"certificate_missing": "For an hour SNS answered that its signing certificate does not exist. Retry once; if the message returns, SNS did not send it.",
		"wrong_merchant":      "Its merchant ID is not the account’s. Check the account’s merchantId, and the endpoint in Seller Central.",
		"foreign_topic":       "It came from a topic that is not the account’s. If the topic is right, add it to the account’s topics, deploy, and retry.",
		"unknown_account":     "Its account is no longer in the configuration. Add it again, deploy, and retry.",
		"unknown_kind":        "This release does not know this kind of message. A newer release may have sent it, or someone else.",
		"forged":              "It came through a relay topic without an SNS signature. If this continues, find out who writes to the queue.",
		"received_too_often":  "Its attempts were used up, as in a long outage of the database. Check that the database works again, then retry.",
	},
	Retry:        "Retry",
	RetryAll:     "Retry all",
	Retried:      "Sent to the queue again: %s. What fails again returns here within seconds.",
	Missing:      "This message is gone: it was retried already, or someone else is looking at it. Reload in half a minute.",
	SentAt:       "Failed at",
	Message:      "The message as it came",
	FailingTitle: "Failing reads",
	FailingLead:  "They are retried automatically, at growing intervals.",
	FailingNone:  "No read is failing.",
	AllFailing:   "All failing reads",

	Overview:       "Overview",
	Spans:          map[string]string{"24h": "24 hours", "7d": "7 days"},
	Span:           "Period",
	NowTitle:       "Now",
	Oldest:         "Longest wait",
	OldestNone:     "Nothing waiting",
	FailingNow:     "Failing reads",
	DeadNow:        "Dead-letter messages",
	Channel:        "Notifications",
	Channels:       map[string]string{"alive": "Arriving", "untested": "None yet", "doubtful": "One missing", "dead": "Stopped"},
	ChannelMissing: "Missing",
	LastSeen:       "Last notification",
	LastStored:     "Last change stored",
	Never:          "Never",
	Calls:          "API calls available",
	CallsRest:      "Calls paused, resuming",
	Unknown:        "Unavailable",
	Charts:         "Over time",
	ChartEmpty:     "Nothing was counted in this period. The reconciler counts every few minutes.",
	ChartTable:     "Charts as a table",
	Hour:           "Hour",
	ChartNames: map[string]passage{
		"notifications": {"Notifications", "Notifications processed in each hour"},
		"changes":       {"Changes", "Changes stored in each hour"},
		"lag":           {"Lag", "From the arrival of a notification until its change was stored: median (lower line) and 95th percentile (upper line)"},
		"failing":       {"Failing reads", "The highest number of charge permissions with failing reads in each hour"},
		"quota":         {"Quota used", "The part of walletsync’s share of Amazon Pay’s quota that was used in each hour"},
		"oldest":        {"Longest wait", "The age of the oldest pending read, at its highest in each hour"},
	},
	ChartColumns: map[string]string{"notifications": "Notifications", "changes": "Changes", "lag_p50": "Lag (median)", "lag_p95": "Lag (95th percentile)", "failing": "Failing", "quota": "Quota used", "oldest": "Longest wait"},
	ChartMost:    "Highest: %s.",
	QuotaHint:    "Without reads that someone waited for.",

	Problems: map[string]passage{
		"unauthorized":              {"You are not signed in", "Please sign in again. Your session may have ended."},
		"forbidden":                 {"You do not have permission for this", "It needs a role that you do not have. Please ask the administrator of your sign-in for it."},
		"not_found":                 {"There is nothing here", "The charge permission may be misspelled, of a type that is not synchronised, or not known to walletsync yet."},
		"bad_request":               {"That did not work", "The request was malformed. Please go back and try again."},
		"unavailable":               {"Something went wrong", "This page is unavailable at the moment. Please try again in a few seconds. The log has the reason."},
		"closed":                    {"No update can be started", "The charge permission is closed for good. The buyer must set up Amazon Pay again in the shop."},
		"not_followed":              {"No update can be started", "This charge permission is of a type that is not synchronised. Only Saved Wallets can be updated."},
		"not_updatable":             {"No update can be started", "Amazon’s update page does not accept charge permissions of this type."},
		"unknown_charge_permission": {"No update can be started", "Amazon Pay does not recognise this charge permission."},
	},
	ToSearch: "Go to search",
}

var japanese = texts{
	Language:   "日本語",
	TimeFormat: "2006年1月2日 15:04",
	Units:      units{"ミリ秒", "秒", "分", "時間", "日", "年"},
	JustNow:    "たった今",
	Ago:        "%s前",
	In:         "%s後",
	TimesIn:    "時刻は%sで表示しています。",

	Skip:       "本文へ移動",
	Navigation: "コンソール",
	SignedInAs: "サインイン中",
	SignOut:    "サインアウト",
	RoleMasked: "個人情報は非表示",

	Search:      "検索",
	SearchLead:  "Charge Permissionの検索",
	SearchTerm:  "ID・氏名・メールアドレス・郵便番号",
	SearchHint:  "Charge PermissionまたはChargeのID、購入者の姓または名の先頭、メールアドレスの先頭、郵便番号（3文字以上）で検索できます。",
	MaskedHint:  "Charge PermissionまたはChargeのIDで検索できます。個人情報が非表示の権限でサインインしているため、氏名・メールアドレス・郵便番号では検索できません。",
	State:       "支払い状態",
	States:      map[string]string{"chargeable": "請求できる", "not_chargeable": "請求できない", "closed": "終了"},
	AnyState:    "すべて",
	Find:        "検索する",
	Found:       "検索結果：%s件",
	FoundNone:   "見つかりませんでした。入力内容を確認するか、別の項目で検索してください。",
	SearchedAs:  map[string]string{"charge_permission_id": "Charge PermissionのIDとして検索しました", "name": "氏名として検索しました", "email": "メールアドレスとして検索しました", "postal_code": "郵便番号として検索しました", "state": "支払い状態で検索しました"},
	SearchError: map[string]string{"too_short": "郵便番号は3文字以上入力してください。", "masked": "個人情報が非表示の権限でサインインしています。Charge PermissionのIDで検索してください。"},
	More:        "次のページ",
	Newest:      "先頭に戻る",

	Lists: "一覧",
	Filters: map[string]passage{
		"not_chargeable": {"請求できない", "現在Amazon Payで請求できないCharge Permissionです。変更が新しい順に並びます。"},
		"updated_today":  {"本日変更あり", "本日変更があったCharge Permissionです。新しい順に並びます。"},
		"update_pending": {"更新手続き中", "開始されたあと、購入者がまだ完了していない更新手続きです。新しい順に並びます。"},
		"waiting":        {"取得待ち", "変更の可能性があり、これから取得するものです。待ち時間が長い順に並びます。"},
		"stale":          {"未更新", "定期巡回の期間内に取得されていないCharge Permissionです。最後の取得が古い順に並びます。"},
		"failing":        {"取得失敗", "直近の取得に失敗したCharge Permissionです。自動的に再試行されます。待ち時間が長い順に並びます。"},
	},
	EmptyList: "この一覧には何もありません。",
	At:        map[string]string{"not_chargeable": "変更", "updated_today": "変更", "update_pending": "開始", "waiting": "待機開始", "stale": "最後の取得", "failing": "待機開始"},

	Buyer:        "購入者",
	CanCharge:    "請求できます",
	CannotCharge: "請求できません",
	NotRead:      "未取得",
	Account:      "アカウント",
	MessageID:    "SNSメッセージID",
	Topic:        "SNSトピック",
	Colon:        "：",
	Comma:        "、",
	Open:         "開く",

	Charge:         "請求できますか？",
	RequiredAction: "購入者がすべきことは？",
	Must: map[string]string{
		"nothing":      "ありません。",
		"update":       "Amazonの画面で支払い方法を更新していただきます。下のボタンで更新リンクを作成し、購入者に送ってください。",
		"wait":         "今はありません。請求処理中か、翌月まで上限に達しているため、自動的に解消します。",
		"set_up_again": "ショップでAmazon Payを設定し直していただきます。このCharge Permissionはもう使えません。",
		"unknown":      "不明です。Amazonが返した理由をご確認ください。更新リンクで解消する場合があります。",
	},
	MustShort: map[string]string{
		"nothing": "", "update": "購入者による支払い方法の更新が必要", "wait": "自動的に解消",
		"set_up_again": "購入者による再設定が必要", "unknown": "Amazonが返した理由を確認",
	},
	Because:        "理由",
	PaymentMethod:  "支払い方法",
	Limit:          "月間上限額",
	LimitRemaining: "前回取得時の残り：%s",
	StateSince:     "この状態になった日時",
	Expires:        "有効期限",
	Address:        "お届け先",
	BillingAddress: "請求先住所",
	SameAddress:    "お届け先と同じです。",
	NoAddress:      "ありません。",
	AddressMasked:  "これ以外は個人情報のため表示されません。",
	Since:          "保存日時",
	LastChange:     "最後の変更は？",
	NoChange:       "最初の取得から変更はありません。",
	Fresh:          "いつの情報ですか？",
	ReadAt:         "Amazon Payからの取得",
	NeverRead:      "まだ取得されていません。",
	NothingWaits:   "これより新しい変更の通知はありません。",
	WaitsSince:     "その後に変更された可能性があり、取得を待っています：",
	NextAttempt:    "次の試行",
	FailedAttempts: "失敗回数",
	LastError:      "直近のエラー",
	Gone:           "Amazon Payで認識されていません。最初の確認：",
	AmazonRequest:  "AmazonのリクエストID",
	LastNotified:   "最後の通知",
	Contact:        "購入者",
	BuyerID:        "Amazonの購入者ID",
	Act:            "操作",
	RefreshNow:     "最新状態を取得",
	RefreshHint:    "Amazon Payから最新状態を取得します。",
	Refreshed: map[string]string{
		"read":         "Amazon Payから取得しました。変更がありましたので、履歴をご確認ください。",
		"unchanged":    "Amazon Payから取得しました。変更はありません。",
		"gone":         "Amazon PayはこのCharge Permissionを認識していません。",
		"not_followed": "このCharge Permissionは同期対象外の種類です。",
		"waiting":      "今すぐには取得できませんでした。Amazon Payが許可し次第、取得します。",
	},
	CreateLink: "更新リンクを作成",
	LinkFor:    "購入者が変更するもの",
	Requested:  map[string]string{"address": "お届け先", "payment_method": "支払い方法", "both": "お届け先と支払い方法"},

	Timeline:      "履歴",
	TimelineEmpty: "まだ何も保存されていません。",
	Older:         "以前の変更",
	WhatWasRead:   "取得した内容",
	Field:         "項目",
	Before:        "変更前",
	After:         "変更後",
	Nothing:       "なし",
	OnlyMasked:    "変更内容は個人情報のため表示されません。",
	Facets: map[string]string{
		"shipping_address": "お届け先", "billing_address": "請求先住所", "payment_method": "支払い方法", "state": "支払い状態", "buyer": "購入者",
		"limit": "上限額", "expiry": "有効期限", "first_read": "最初の取得", "erased": "個人情報の消去",
	},
	Fields: map[string]string{
		"name": "氏名", "line1": "住所1", "line2": "住所2", "line3": "住所3", "city": "市区町村", "county": "郡", "district": "地区",
		"state_or_region": "都道府県・州", "postal_code": "郵便番号", "country_code": "国", "phone": "電話番号", "payment_descriptors": "支払い方法",
		"state": "状態", "reason_codes": "理由", "buyer_id": "Amazonの購入者ID", "email": "メールアドレス", "limit_amount": "金額", "limit_currency": "通貨", "expires_at": "期限",
	},
	Causes: map[string]string{
		"ipn": "Amazonからの通知", "return": "購入者が更新手続きから戻った", "confirm": "早期取得の再確認", "refresh": "担当者の操作",
		"reconcile": "定期巡回", "import": "取り込み", "erasure": "依頼による消去", "retention": "保存期間の終了",
	},
	AmazonStates: map[string]string{"Chargeable": "請求できる", "NonChargeable": "請求できない", "Closed": "終了"},
	Updates:      "購入者の更新手続き",
	UpdatesEmpty: "更新手続きが開始されたことはありません。",
	UpdateStates: map[string]string{
		"started": "開始済み", "returned": "戻り済み（結果を確認中）", "completed": "完了", "failed": "失敗",
		"expired": "期限内に完了せず",
	},
	Started:          "開始",
	Ended:            "終了",
	ValidUntil:       "有効期限",
	Reason:           "理由",
	Attempts:         "試行回数",
	ChangeStored:     "変更の保存",
	Money:            "返金とチャージバック",
	MoneyEmpty:       "返金やチャージバックの通知はありません。",
	MoneyHint:        "通知は何かが起きたことだけを伝えます。内容はセラーセントラルでご確認ください。",
	Notifications:    "受信した通知",
	NotificationNone: "ありません。または保存期間を過ぎています。",
	Object:           "対象",
	Published:        "Amazonの送信",
	Outcome:          "結果",
	Outcomes: map[string]string{
		"wanted": "取得", "covered": "なし（より新しい取得結果を保存済み）", "confirming": "進行中の取得に含む", "not_followed": "なし（同期対象外）",
		"unknown": "なし（未知で同期対象外）", "recorded": "なし（記録のみ）", "unmatched": "なし（対応するCharge Permissionが未保存）",
	},
	Person: "購入者のデータ",
	Export: "購入者のデータをエクスポート",
	Erase:  "購入者のデータを消去",

	LinkTitle:  "更新リンク",
	LinkLead:   "このリンクを購入者だけに送ってください。リンクを知っている人は誰でも更新手続きを始められます。",
	LinkLabel:  "購入者用のリンク",
	Copy:       "リンクをコピー",
	Copied:     "コピーしました。",
	CopyByHand: "コピーできませんでした。選択してありますので、Ctrl+Cまたは⌘Cを押してください。",
	BackTo:     "%sに戻る",

	Confirm: map[string]passage{
		"export": {"この購入者のデータをエクスポート", "このアカウントにおけるこの購入者のすべてのCharge Permissionについて、保存されているデータ（現在の状態、履歴、更新手続き）をJSONファイルでエクスポートします。安全な方法でのみお渡しください。"},
		"erase":  {"この購入者のデータを消去", "このアカウントにおけるこの購入者のすべてのCharge Permissionの個人情報を、現在の状態、すべての履歴、Amazonから届いた内容から完全に消去します。行は空欄のまま残ります。元に戻すことはできません。以後の取得では、購入者が更新手続きを完了するまで個人情報を保存しません。"},
	},
	ConfirmField: "確認のため、Charge PermissionのIDを入力してください：",
	ConfirmWrong: "このCharge PermissionのIDではありません。操作は実行されていません。",
	ConfirmDo:    map[string]string{"export": "エクスポート", "erase": "完全に消去する"},
	Cancel:       "キャンセル",
	ErasedTitle:  "個人情報を消去しました",
	ErasedBody:   "この購入者について保存されていた情報は消去されました。消去した日時は履歴に残ります。",

	AccessTitle: "この記録を開いた人",
	AccessLead:  "%sについて、人やプログラムがコンソールで行った操作です。新しい順に並んでいます。どの行も、内容が表示される前に記録されています。",
	AccessNone:  "記録が残っている範囲では、誰も開いていません。",
	AccessWords: map[string]string{"opened": "開いた", "refreshed": "最新状態を取得した", "linked": "更新リンクを作成した", "exported": "購入者のデータをエクスポートした", "erased": "購入者のデータを消去した"},

	Failures:    "失敗",
	DeadLetters: "デッドレターメッセージ",
	DeadLead:    "処理できなかったメッセージです。先に原因を取り除いてから、再試行してください。",
	DeadNone:    "ありません。",
	DeadSome:    "そのうち%s件を表示しています。",
	DeadReasons: map[string]string{
		"unreadable":          "Amazon Payの通知のJSONではありません。",
		"names_nothing":       "Charge Permission・請求・返金のIDがありません。別のエンベロープが入っている場合は、中継がエンベロープごと発行しています。内側のMessageの内容だけを発行してください。",
		"raw_delivery":        "キューのサブスクリプションで「raw message delivery」が有効なため、署名がありません。無効にしてください。このメッセージは検証できません。",
		"certificate_missing": "1時間にわたり、SNSが署名証明書は存在しないと応答しました。一度だけ再試行し、再び失敗した場合はSNSからのものではありません。",
		"wrong_merchant":      "アカウントとは別のマーチャントIDが書かれています。アカウントのmerchantIdと、セラーセントラルの通知先をご確認ください。",
		"foreign_topic":       "アカウントのものではないトピックから届きました。正しいトピックであれば、アカウントのtopicsに追加してデプロイし、再試行してください。",
		"unknown_account":     "このアカウントは設定にもうありません。設定に戻してデプロイし、再試行してください。",
		"unknown_kind":        "このリリースが知らない種類のメッセージです。新しいリリースのものか、walletsyncのものではありません。",
		"forged":              "中継トピックから届きましたが、SNSの署名がありません。続く場合は、キューに書き込んでいる相手を調べてください。",
		"received_too_often":  "長いデータベース障害などで、再試行回数の上限に達しました。復旧を確認してから再試行してください。",
	},
	Retry:        "再試行",
	RetryAll:     "すべて再試行",
	Retried:      "%s件をキューに戻しました。再び失敗したものは数秒でここに戻ります。",
	Missing:      "このメッセージはもうありません。すでに再試行されたか、ほかの人が表示した直後です。30秒ほどしてから再読み込みしてください。",
	SentAt:       "失敗した時刻",
	Message:      "届いたままのメッセージ",
	FailingTitle: "取得の失敗",
	FailingLead:  "間隔を広げながら自動的に再試行されます。",
	FailingNone:  "失敗している取得はありません。",
	AllFailing:   "すべての取得失敗",

	Overview:       "概要",
	Spans:          map[string]string{"24h": "24時間", "7d": "7日間"},
	Span:           "表示期間",
	NowTitle:       "現在",
	Oldest:         "最長待機時間",
	OldestNone:     "待機なし",
	FailingNow:     "取得失敗",
	DeadNow:        "デッドレターメッセージ",
	Channel:        "通知",
	Channels:       map[string]string{"alive": "届いています", "untested": "まだありません", "doubtful": "1件届いていません", "dead": "止まっています"},
	ChannelMissing: "未着",
	LastSeen:       "最後の通知",
	LastStored:     "最後に保存した変更",
	Never:          "なし",
	Calls:          "API呼び出し可能数",
	CallsRest:      "API呼び出し停止中（再開まで）",
	Unknown:        "現在不明",
	Charts:         "推移",
	ChartEmpty:     "この期間の集計はありません。数分ごとに集計されます。",
	ChartTable:     "グラフを表で見る",
	Hour:           "時間帯",
	ChartNames: map[string]passage{
		"notifications": {"通知", "1時間ごとに処理した通知の数"},
		"changes":       {"変更", "1時間ごとに保存した変更の数"},
		"lag":           {"遅れ", "通知の到着から変更の保存まで。半数は下の線より、95％は上の線より速く保存されました"},
		"failing":       {"取得失敗", "1時間のうち同時に最も多く失敗していた数"},
		"quota":         {"クォータの使用", "Amazon Payのクォータのうちwalletsyncの持ち分を1時間ごとに使った割合"},
		"oldest":        {"最長待機時間", "最も長く待っていた取得の待ち時間（1時間ごとの最大）"},
	},
	ChartColumns: map[string]string{"notifications": "通知", "changes": "変更", "lag_p50": "遅れ（半数）", "lag_p95": "遅れ（95％）", "failing": "失敗", "quota": "クォータ", "oldest": "最長待機時間"},
	ChartMost:    "最大%s。",
	QuotaHint:    "担当者や購入者が待っていた取得は含みません。",

	Problems: map[string]passage{
		"unauthorized":              {"サインインしていません", "もう一度サインインしてください。セッションが終了した可能性があります。"},
		"forbidden":                 {"この操作は許可されていません", "必要な権限がありません。サインインの管理者にご依頼ください。"},
		"not_found":                 {"ページが見つかりません", "Charge PermissionのIDが誤っているか、同期対象外の種類か、walletsyncに未登録の可能性があります。"},
		"bad_request":               {"処理できませんでした", "要求の形式が正しくありません。戻ってもう一度お試しください。"},
		"unavailable":               {"システムに問題が発生しました", "現在表示できません。数秒後にもう一度お試しください。原因はログに記録されています。"},
		"closed":                    {"更新手続きを開始できません", "このCharge Permissionは終了しています。購入者にショップでAmazon Payを設定し直していただく必要があります。"},
		"not_followed":              {"更新手続きを開始できません", "同期対象外の種類です。更新できるのはSaved Walletだけです。"},
		"not_updatable":             {"更新手続きを開始できません", "Amazonの更新画面はこの種類のCharge Permissionに対応していません。"},
		"unknown_charge_permission": {"更新手続きを開始できません", "Amazon PayはこのCharge Permissionを認識していません。"},
	},
	ToSearch: "検索へ",
}
