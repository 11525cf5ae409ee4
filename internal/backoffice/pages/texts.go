package pages

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
	NoName       string
	Postcode     string
	CanCharge    string
	CannotCharge string
	NotRead      string
	Account      string
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
	Arrived          string
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

	Skip:       "Skip to the content",
	Navigation: "Console",
	SignedInAs: "Signed in",
	SignOut:    "Sign out",
	RoleMasked: "without personal data",

	Search:      "Search",
	SearchLead:  "Find a charge permission",
	SearchTerm:  "Id, name, e-mail or postcode",
	SearchHint:  "A charge permission or charge id, the beginning of a buyer’s first or last name, of an e-mail address, or at least three characters of a postcode.",
	MaskedHint:  "A charge permission or charge id. You are signed in without personal data, so names, e-mail addresses and postcodes cannot be searched.",
	State:       "Payment state",
	States:      map[string]string{"chargeable": "Can be charged", "not_chargeable": "Cannot be charged", "closed": "Closed"},
	AnyState:    "Any",
	Find:        "Search",
	Found:       "Found: %s",
	FoundNone:   "Nothing was found. Check the spelling, or search for something else you know of the buyer.",
	SearchedAs:  map[string]string{"charge_permission_id": "Searched for as a charge permission", "name": "Searched for as a name", "email": "Searched for as an e-mail address", "postal_code": "Searched for as a postcode", "state": "Searched for by payment state"},
	SearchError: map[string]string{"too_short": "Please give at least three characters of the postcode.", "masked": "You are signed in without personal data. Please search by the charge permission’s id."},
	More:        "Next page",
	Newest:      "Back to the beginning",

	Lists: "Lists",
	Filters: map[string]passage{
		"not_chargeable": {"Cannot be charged", "Charge permissions that Amazon Pay takes no charge of at present. The newest change first."},
		"updated_today":  {"Changed today", "Charge permissions in which something changed today. The newest first."},
		"update_pending": {"Update pending", "Updates that were started and that the buyer has not finished. The newest first."},
		"waiting":        {"Waiting", "Something says that these may have changed, and they are about to be read. The longest wanted first."},
		"stale":          {"Stale", "Charge permissions that have not been read for longer than the sweep should take. The longest unread first."},
		"failing":        {"Failing", "Charge permissions whose last read failed. They are tried again by themselves. The longest wanted first."},
	},
	EmptyList: "There is nothing in this list.",
	At:        map[string]string{"not_chargeable": "Changed", "updated_today": "Changed", "update_pending": "Started", "waiting": "Wanted", "stale": "Last read", "failing": "Wanted"},

	Buyer:        "Buyer",
	NoName:       "No name",
	Postcode:     "Postcode and city",
	CanCharge:    "Can be charged",
	CannotCharge: "Cannot be charged",
	NotRead:      "Not read yet",
	Account:      "Account",
	Open:         "Open",

	Charge:         "Can we charge?",
	RequiredAction: "What must the buyer do?",
	Must: map[string]string{
		"nothing":      "Nothing.",
		"update":       "Update the payment method on Amazon’s page. Create an update link below and send it to the buyer.",
		"wait":         "Nothing now. It passes by itself: a charge is in progress, or the limit is reached until next month.",
		"set_up_again": "Set up Amazon Pay again in the shop. This charge permission cannot be used any more.",
		"unknown":      "This is not known: see Amazon’s reason. An update link may help.",
	},
	MustShort: map[string]string{
		"nothing": "", "update": "Buyer must update the payment method", "wait": "Passes by itself",
		"set_up_again": "Buyer must set up again", "unknown": "See Amazon’s reason",
	},
	Because:        "Reason",
	PaymentMethod:  "Payment method",
	Limit:          "Monthly limit",
	LimitRemaining: "%s left when last read",
	StateSince:     "Since",
	Expires:        "Ends by itself",
	Address:        "Shipping address",
	BillingAddress: "Billing address",
	SameAddress:    "The same as the shipping address.",
	NoAddress:      "None.",
	AddressMasked:  "The rest is personal data, which you are not shown.",
	Since:          "Stored",
	LastChange:     "What changed last?",
	NoChange:       "Nothing has changed since it was first read.",
	Fresh:          "How fresh is this?",
	ReadAt:         "Read from Amazon Pay",
	NeverRead:      "It has not been read yet.",
	NothingWaits:   "Nothing newer is waiting.",
	WaitsSince:     "It may have changed since: a read has been wanted",
	NextAttempt:    "Next attempt",
	FailedAttempts: "Failed attempts",
	LastError:      "Last error",
	Gone:           "Amazon Pay does not know this charge permission, since",
	AmazonRequest:  "Amazon’s request id",
	LastNotified:   "Last notification",
	Contact:        "Buyer",
	BuyerID:        "Amazon’s buyer id",
	Act:            "Do something",
	RefreshNow:     "Refresh now",
	RefreshHint:    "Reads it from Amazon Pay at once.",
	Refreshed: map[string]string{
		"read":         "It was read from Amazon Pay just now, and something had changed: see the timeline.",
		"unchanged":    "It was read from Amazon Pay just now. Nothing has changed.",
		"gone":         "Amazon Pay says that it does not know this charge permission.",
		"not_followed": "Amazon Pay says that this is of a type that is not kept in step.",
		"waiting":      "It could not be read at once, and is wanted: it is read as soon as Amazon Pay allows.",
	},
	CreateLink: "Create update link",
	LinkFor:    "What is the buyer to change?",
	Requested:  map[string]string{"address": "Address", "payment_method": "Payment method", "both": "Address and payment method"},

	Timeline:      "Timeline",
	TimelineEmpty: "Nothing has been stored yet.",
	Older:         "Older changes",
	WhatWasRead:   "What was read",
	Field:         "Field",
	Before:        "Before",
	After:         "After",
	Nothing:       "nothing",
	OnlyMasked:    "What changed is personal data, which you are not shown.",
	Facets: map[string]string{
		"shipping_address": "Shipping address", "billing_address": "Billing address", "payment_method": "Payment method", "state": "Payment state", "buyer": "Buyer",
		"limit": "Limit", "expiry": "End", "first_read": "First read", "erased": "Personal data erased",
	},
	Fields: map[string]string{
		"name": "Name", "line1": "Line 1", "line2": "Line 2", "line3": "Line 3", "city": "City", "county": "County", "district": "District",
		"state_or_region": "State or region", "postal_code": "Postcode", "country_code": "Country", "phone": "Telephone", "payment_descriptors": "Payment method",
		"state": "State", "reason_codes": "Reasons", "buyer_id": "Amazon’s buyer id", "email": "E-mail", "limit_amount": "Amount", "limit_currency": "Currency", "expires_at": "Ends",
	},
	Causes: map[string]string{
		"ipn": "Amazon notified us", "return": "the buyer came back from an update", "confirm": "an early read was confirmed", "refresh": "somebody asked",
		"reconcile": "the regular sweep", "import": "it was imported", "erasure": "somebody asked", "retention": "its time of storage had passed",
	},
	AmazonStates: map[string]string{"Chargeable": "Can be charged", "NonChargeable": "Cannot be charged", "Closed": "Closed"},
	Updates:      "Updates by the buyer",
	UpdatesEmpty: "No update was ever started.",
	UpdateStates: map[string]string{
		"started": "Started", "returned": "Returned; the outcome is being found out", "completed": "Completed", "failed": "Failed",
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
	MoneyHint:        "A notification says that something happened, not what. Look the object up in Seller Central.",
	Notifications:    "Notifications received",
	NotificationNone: "None, or they have passed their time of storage.",
	Object:           "Object",
	Published:        "Sent by Amazon",
	Arrived:          "Arrived",
	Outcome:          "Led to",
	Outcomes: map[string]string{
		"wanted": "a read", "covered": "nothing: a newer read was stored", "confirming": "the read that was under way", "not_followed": "nothing: not followed",
		"unknown": "nothing: unknown and not followed", "recorded": "nothing: recorded only", "unmatched": "nothing: its charge permission is not stored",
	},
	Person: "The buyer’s data",
	Export: "Export what is stored",
	Erase:  "Erase this person",

	LinkTitle:  "Update link",
	LinkLead:   "Send this link to the buyer, and to nobody else: whoever has it can start the update.",
	LinkLabel:  "Link for the buyer",
	Copy:       "Copy the link",
	Copied:     "Copied.",
	CopyByHand: "It could not be copied. It is selected: press Ctrl+C or ⌘C.",
	BackTo:     "Back to %s",

	Confirm: map[string]passage{
		"export": {"Export what is stored of this buyer", "You get a file in JSON with everything that is stored under this charge permission: the present state, the history and the updates. Pass it on by a safe way only."},
		"erase":  {"Erase this person", "The personal data of this charge permission is erased for good: from the present state, from the whole history, and from what Amazon sent. The rows stay, blank. It cannot be undone. Later reads store no personal data, until the buyer completes an update."},
	},
	ConfirmField: "To confirm, type the charge permission’s id:",
	ConfirmWrong: "That is not the id of this charge permission. Nothing was done.",
	ConfirmDo:    map[string]string{"export": "Export", "erase": "Erase for good"},
	Cancel:       "Cancel",
	ErasedTitle:  "The personal data is erased",
	ErasedBody:   "What was stored of the person is gone. The history says that it was erased, and when.",

	AccessTitle: "Who opened this record",
	AccessLead:  "What people and programs did with %s in the console, the newest first. Each line was written before they saw anything.",
	AccessNone:  "Nobody, as far as the log goes back.",
	AccessWords: map[string]string{"opened": "opened it", "refreshed": "refreshed it", "linked": "created an update link", "exported": "exported the person", "erased": "erased the person"},

	Failures:    "Failures",
	DeadLetters: "Dead letters",
	DeadLead:    "Messages that could not be processed. Remove the cause first; then try again.",
	DeadNone:    "There are none.",
	DeadSome:    "Shown are %s of them.",
	DeadReasons: map[string]string{
		"unreadable":          "It is not the JSON of an Amazon Pay notification.",
		"names_nothing":       "It has no id of a charge permission, charge or refund. If it holds another envelope, a relay publishes whole envelopes: publish only what the inner Message holds.",
		"raw_delivery":        "Raw message delivery is on at a subscription of the queue, so the signature is missing. Switch it off there. This message can never be verified.",
		"certificate_missing": "For an hour SNS answered that its signing certificate does not exist. Try again once; if it comes back, SNS did not send it.",
		"wrong_merchant":      "It names another merchant id than the account’s. Check merchantId of the account, and whose endpoint is set in Seller Central.",
		"foreign_topic":       "It comes from a topic that is not the account’s. If the topic is right, add it to topics of the account, deploy, and try again.",
		"unknown_account":     "Its account is not in the configuration any more. Bring it back, deploy, and try again.",
		"unknown_kind":        "This release does not know this kind of message: it may be of a newer one, or not ours.",
		"forged":              "It came by a relay topic and SNS did not sign it. If this goes on, find out who writes to the queue.",
		"received_too_often":  "It was tried until the queue gave up, as in a long outage of the database. Check that it works again, then try again.",
	},
	Retry:        "Try again",
	RetryAll:     "Try all again",
	Retried:      "Sent to the queue again: %s. What fails again comes back here within seconds.",
	Missing:      "This message is not there any more: it was tried again already, or has just been looked at by somebody else. Reload in half a minute to see.",
	SentAt:       "Dead since",
	Message:      "The message as it came",
	FailingTitle: "Reads that fail",
	FailingLead:  "They are tried again by themselves, less and less often.",
	FailingNone:  "No read is failing.",
	AllFailing:   "All that are failing",

	Overview:       "Overview",
	Spans:          map[string]string{"24h": "24 hours", "7d": "7 days"},
	Span:           "Time shown",
	NowTitle:       "Now",
	Oldest:         "Longest wanted",
	OldestNone:     "Nothing waits",
	FailingNow:     "Reads that fail",
	DeadNow:        "Dead letters",
	Channel:        "Notifications",
	Channels:       map[string]string{"alive": "Come", "untested": "None yet", "doubtful": "One is missing", "dead": "Have stopped"},
	ChannelMissing: "Missing",
	LastSeen:       "Last notification",
	LastStored:     "Last change stored",
	Never:          "Never",
	Calls:          "Calls free",
	CallsRest:      "Calls rest",
	Unknown:        "Not known just now",
	Charts:         "How it went",
	ChartEmpty:     "Nothing was counted in this time. The reconciler counts every few minutes.",
	ChartTable:     "As a table",
	Hour:           "Hour",
	ChartNames: map[string]passage{
		"notifications": {"Notifications", "Notifications processed in each hour"},
		"changes":       {"Changes", "Changes stored in each hour"},
		"lag":           {"Lag", "From a notification’s arrival to the change stored: half were faster than the lower line, 95 % than the upper"},
		"failing":       {"Failing reads", "The most charge permissions at once whose reads failed, in each hour"},
		"quota":         {"Quota used", "Part of walletsync’s share of Amazon Pay’s quota that was spent in each hour"},
		"oldest":        {"Longest wanted", "The age of the longest wanted, the highest in each hour"},
	},
	ChartColumns: map[string]string{"notifications": "Notifications", "changes": "Changes", "lag_p50": "Lag, half", "lag_p95": "Lag, 95 %", "failing": "Failing", "quota": "Quota used", "oldest": "Longest wanted"},
	ChartMost:    "%s at most.",
	QuotaHint:    "Without the reads that somebody waited for.",

	Problems: map[string]passage{
		"unauthorized":              {"You are not signed in", "Please sign in again. Your session may have ended."},
		"forbidden":                 {"You may not do this", "This takes a role that you do not have. Whoever looks after the sign-in can give it to you."},
		"not_found":                 {"There is nothing here", "The charge permission may be mistyped, of a type that is not kept in step, or not known to walletsync yet."},
		"bad_request":               {"That did not work", "The request was not one that a page of the console makes. Please go back and try again."},
		"unavailable":               {"Something is wrong on our side", "This cannot be shown just now. Please try again in a few seconds. The log says what is wrong."},
		"closed":                    {"No update can be started", "The charge permission is closed for good. The buyer must set up Amazon Pay again in the shop."},
		"not_followed":              {"No update can be started", "This is of a type that is not kept in step. Only Saved Wallets can be updated."},
		"not_updatable":             {"No update can be started", "Amazon’s update page does not take charge permissions of this type."},
		"unknown_charge_permission": {"No update can be started", "Amazon Pay does not know this charge permission."},
	},
	ToSearch: "To the search",
}

var japanese = texts{
	Language:   "日本語",
	TimeFormat: "2006年1月2日 15:04",
	Units:      units{"ミリ秒", "秒", "分", "時間", "日", "年"},
	JustNow:    "たった今",
	Ago:        "%s前",
	In:         "%s後",
	TimesIn:    "時刻は%sです。",

	Skip:       "本文へ移動",
	Navigation: "コンソール",
	SignedInAs: "ログイン中",
	SignOut:    "ログアウト",
	RoleMasked: "個人情報は非表示",

	Search:      "検索",
	SearchLead:  "Charge Permissionを探す",
	SearchTerm:  "ID・氏名・メールアドレス・郵便番号",
	SearchHint:  "Charge PermissionまたはChargeのID、購入者の姓または名の先頭、メールアドレスの先頭、郵便番号（3文字以上）で検索できます。",
	MaskedHint:  "Charge PermissionまたはChargeのIDで検索できます。個人情報が非表示の権限でログインしているため、氏名・メールアドレス・郵便番号では検索できません。",
	State:       "支払い状態",
	States:      map[string]string{"chargeable": "請求できる", "not_chargeable": "請求できない", "closed": "終了"},
	AnyState:    "すべて",
	Find:        "検索する",
	Found:       "%s件見つかりました",
	FoundNone:   "見つかりませんでした。入力内容を確認するか、別の項目で検索してください。",
	SearchedAs:  map[string]string{"charge_permission_id": "Charge PermissionのIDとして検索しました", "name": "氏名として検索しました", "email": "メールアドレスとして検索しました", "postal_code": "郵便番号として検索しました", "state": "支払い状態で検索しました"},
	SearchError: map[string]string{"too_short": "郵便番号は3文字以上入力してください。", "masked": "個人情報が非表示の権限でログインしています。Charge PermissionのIDで検索してください。"},
	More:        "次のページ",
	Newest:      "先頭に戻る",

	Lists: "一覧",
	Filters: map[string]passage{
		"not_chargeable": {"請求できない", "現在Amazon Payで請求できないCharge Permissionです。変更が新しい順に並びます。"},
		"updated_today":  {"本日変更あり", "本日変更があったCharge Permissionです。新しい順に並びます。"},
		"update_pending": {"更新手続き中", "開始されたあと、購入者がまだ完了していない更新手続きです。新しい順に並びます。"},
		"waiting":        {"読み取り待ち", "変更の可能性があり、これから読み取るものです。待ち時間が長い順に並びます。"},
		"stale":          {"古い", "定期巡回の期間を過ぎても読み取られていないCharge Permissionです。古い順に並びます。"},
		"failing":        {"読み取り失敗", "直近の読み取りに失敗したCharge Permissionです。自動的に再試行されます。待ち時間が長い順に並びます。"},
	},
	EmptyList: "この一覧には何もありません。",
	At:        map[string]string{"not_chargeable": "変更", "updated_today": "変更", "update_pending": "開始", "waiting": "待ち始め", "stale": "最後の読み取り", "failing": "待ち始め"},

	Buyer:        "購入者",
	NoName:       "氏名なし",
	Postcode:     "郵便番号・市区町村",
	CanCharge:    "請求できます",
	CannotCharge: "請求できません",
	NotRead:      "未読み取り",
	Account:      "アカウント",
	Open:         "開く",

	Charge:         "請求できますか？",
	RequiredAction: "購入者がすべきことは？",
	Must: map[string]string{
		"nothing":      "ありません。",
		"update":       "Amazonの画面で支払い方法を更新していただきます。下のボタンで更新リンクを作成し、購入者に送ってください。",
		"wait":         "今はありません。請求処理中か、翌月まで上限に達しているため、自然に解消します。",
		"set_up_again": "ショップでAmazon Payを設定し直していただきます。このCharge Permissionはもう使えません。",
		"unknown":      "不明です。Amazonの理由をご確認ください。更新リンクで解消する場合があります。",
	},
	MustShort: map[string]string{
		"nothing": "", "update": "購入者による支払い方法の更新が必要", "wait": "自然に解消",
		"set_up_again": "購入者による再設定が必要", "unknown": "Amazonの理由を確認",
	},
	Because:        "理由",
	PaymentMethod:  "支払い方法",
	Limit:          "月間上限額",
	LimitRemaining: "前回読み取り時の残り：%s",
	StateSince:     "状態の更新",
	Expires:        "有効期限",
	Address:        "お届け先",
	BillingAddress: "請求先住所",
	SameAddress:    "お届け先と同じです。",
	NoAddress:      "ありません。",
	AddressMasked:  "これ以外は個人情報のため表示されません。",
	Since:          "保存",
	LastChange:     "最後の変更は？",
	NoChange:       "最初の読み取りから変更はありません。",
	Fresh:          "いつの情報ですか？",
	ReadAt:         "Amazon Payから読み取り",
	NeverRead:      "まだ読み取られていません。",
	NothingWaits:   "これより新しい変更の知らせはありません。",
	WaitsSince:     "その後に変更された可能性があり、読み取りを待っています：",
	NextAttempt:    "次の試行",
	FailedAttempts: "失敗回数",
	LastError:      "直近のエラー",
	Gone:           "Amazon Payに存在しません：",
	AmazonRequest:  "AmazonのリクエストID",
	LastNotified:   "最後の通知",
	Contact:        "購入者",
	BuyerID:        "Amazonの購入者ID",
	Act:            "操作",
	RefreshNow:     "今すぐ読み取る",
	RefreshHint:    "Amazon Payから今すぐ読み取ります。",
	Refreshed: map[string]string{
		"read":         "Amazon Payから読み取り、変更がありました。履歴をご確認ください。",
		"unchanged":    "Amazon Payから読み取りました。変更はありません。",
		"gone":         "Amazon Payから、このCharge Permissionは存在しないと返されました。",
		"not_followed": "このCharge Permissionは同期対象外の種類です。",
		"waiting":      "今すぐには読み取れませんでした。Amazon Payが許可し次第、読み取ります。",
	},
	CreateLink: "更新リンクを作成",
	LinkFor:    "購入者が変更するもの",
	Requested:  map[string]string{"address": "お届け先", "payment_method": "支払い方法", "both": "お届け先と支払い方法"},

	Timeline:      "履歴",
	TimelineEmpty: "まだ何も保存されていません。",
	Older:         "以前の変更",
	WhatWasRead:   "読み取った内容",
	Field:         "項目",
	Before:        "変更前",
	After:         "変更後",
	Nothing:       "なし",
	OnlyMasked:    "変更内容は個人情報のため表示されません。",
	Facets: map[string]string{
		"shipping_address": "お届け先", "billing_address": "請求先住所", "payment_method": "支払い方法", "state": "支払い状態", "buyer": "購入者",
		"limit": "上限額", "expiry": "有効期限", "first_read": "最初の読み取り", "erased": "個人情報の消去",
	},
	Fields: map[string]string{
		"name": "氏名", "line1": "住所1", "line2": "住所2", "line3": "住所3", "city": "市区町村", "county": "郡", "district": "地区",
		"state_or_region": "都道府県・州", "postal_code": "郵便番号", "country_code": "国", "phone": "電話番号", "payment_descriptors": "支払い方法",
		"state": "状態", "reason_codes": "理由", "buyer_id": "Amazonの購入者ID", "email": "メールアドレス", "limit_amount": "金額", "limit_currency": "通貨", "expires_at": "期限",
	},
	Causes: map[string]string{
		"ipn": "Amazonからの通知", "return": "購入者が更新手続きから戻った", "confirm": "早い読み取りの確認", "refresh": "担当者の操作",
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
	Arrived:          "受信",
	Outcome:          "結果",
	Outcomes: map[string]string{
		"wanted": "読み取り", "covered": "なし（より新しい読み取りを保存済み）", "confirming": "進行中の読み取りに含む", "not_followed": "なし（同期対象外）",
		"unknown": "なし（未知で同期対象外）", "recorded": "なし（記録のみ）", "unmatched": "なし（対応するCharge Permissionが未保存）",
	},
	Person: "購入者のデータ",
	Export: "保存データを書き出す",
	Erase:  "この人のデータを消去",

	LinkTitle:  "更新リンク",
	LinkLead:   "このリンクを購入者だけに送ってください。リンクを知っている人は誰でも更新手続きを始められます。",
	LinkLabel:  "購入者用のリンク",
	Copy:       "リンクをコピー",
	Copied:     "コピーしました。",
	CopyByHand: "コピーできませんでした。選択してありますので、Ctrl+Cまたは⌘Cを押してください。",
	BackTo:     "%sに戻る",

	Confirm: map[string]passage{
		"export": {"この購入者の保存データを書き出す", "このCharge Permissionについて保存されているすべて（現在の状態、履歴、更新手続き）をJSONファイルで書き出します。安全な方法でのみお渡しください。"},
		"erase":  {"この人のデータを消去する", "このCharge Permissionの個人情報を、現在の状態、すべての履歴、Amazonから届いた内容から完全に消去します。行は空欄のまま残ります。元に戻すことはできません。以後の読み取りでは、購入者が更新手続きを完了するまで個人情報を保存しません。"},
	},
	ConfirmField: "確認のため、Charge PermissionのIDを入力してください：",
	ConfirmWrong: "このCharge PermissionのIDではありません。何も行われていません。",
	ConfirmDo:    map[string]string{"export": "書き出す", "erase": "完全に消去する"},
	Cancel:       "やめる",
	ErasedTitle:  "個人情報を消去しました",
	ErasedBody:   "この人について保存されていた情報は消去されました。消去した日時は履歴に残ります。",

	AccessTitle: "この記録を開いた人",
	AccessLead:  "%sについて、人やプログラムがコンソールで行った操作です。新しい順に並んでいます。どの行も、内容が表示される前に記録されています。",
	AccessNone:  "記録が残っている範囲では、誰も開いていません。",
	AccessWords: map[string]string{"opened": "開いた", "refreshed": "最新状態を取得した", "linked": "更新リンクを作成した", "exported": "本人の情報をエクスポートした", "erased": "本人の情報を消去した"},

	Failures:    "失敗",
	DeadLetters: "デッドレター",
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
		"received_too_often":  "長いデータベース障害などで、キューがあきらめるまで試行されました。復旧を確認してから再試行してください。",
	},
	Retry:        "再試行",
	RetryAll:     "すべて再試行",
	Retried:      "%s件をキューに戻しました。再び失敗したものは数秒でここに戻ります。",
	Missing:      "このメッセージはもうありません。すでに再試行されたか、ほかの人が表示した直後です。30秒ほどしてから再読み込みしてください。",
	SentAt:       "失敗した時刻",
	Message:      "届いたままのメッセージ",
	FailingTitle: "読み取りの失敗",
	FailingLead:  "間隔を広げながら自動的に再試行されます。",
	FailingNone:  "失敗している読み取りはありません。",
	AllFailing:   "失敗しているものすべて",

	Overview:       "概要",
	Spans:          map[string]string{"24h": "24時間", "7d": "7日間"},
	Span:           "表示期間",
	NowTitle:       "現在",
	Oldest:         "最長の待ち",
	OldestNone:     "待ちはありません",
	FailingNow:     "失敗している読み取り",
	DeadNow:        "デッドレター",
	Channel:        "通知",
	Channels:       map[string]string{"alive": "届いています", "untested": "まだありません", "doubtful": "1件届いていません", "dead": "止まっています"},
	ChannelMissing: "未着",
	LastSeen:       "最後の通知",
	LastStored:     "最後に保存した変更",
	Never:          "なし",
	Calls:          "呼び出し可能数",
	CallsRest:      "呼び出し休止中",
	Unknown:        "現在不明",
	Charts:         "推移",
	ChartEmpty:     "この期間の集計はありません。数分ごとに集計されます。",
	ChartTable:     "表で見る",
	Hour:           "時間帯",
	ChartNames: map[string]passage{
		"notifications": {"通知", "1時間ごとに処理した通知の数"},
		"changes":       {"変更", "1時間ごとに保存した変更の数"},
		"lag":           {"遅れ", "通知の到着から変更の保存まで。半数は下の線より、95％は上の線より速く保存されました"},
		"failing":       {"失敗している読み取り", "1時間のうち同時に最も多く失敗していた数"},
		"quota":         {"クォータの使用", "Amazon Payのクォータのうちwalletsyncの持ち分を1時間ごとに使った割合"},
		"oldest":        {"最長の待ち", "最も長く待っていたものの待ち時間（1時間ごとの最大）"},
	},
	ChartColumns: map[string]string{"notifications": "通知", "changes": "変更", "lag_p50": "遅れ（半数）", "lag_p95": "遅れ（95％）", "failing": "失敗", "quota": "クォータ", "oldest": "最長の待ち"},
	ChartMost:    "最大%s。",
	QuotaHint:    "担当者や購入者が待っていた読み取りは含みません。",

	Problems: map[string]passage{
		"unauthorized":              {"ログインしていません", "もう一度ログインしてください。セッションが終了した可能性があります。"},
		"forbidden":                 {"この操作は許可されていません", "必要な権限がありません。ログインの管理者にご依頼ください。"},
		"not_found":                 {"ページが見つかりません", "Charge PermissionのIDが誤っているか、同期対象外の種類か、まだwalletsyncに知られていない可能性があります。"},
		"bad_request":               {"処理できませんでした", "コンソールのページから送られたものではない要求です。戻ってもう一度お試しください。"},
		"unavailable":               {"システムに問題が発生しました", "現在表示できません。数秒後にもう一度お試しください。原因はログに記録されています。"},
		"closed":                    {"更新手続きを開始できません", "このCharge Permissionは終了しています。購入者にショップでAmazon Payを設定し直していただく必要があります。"},
		"not_followed":              {"更新手続きを開始できません", "同期対象外の種類です。更新できるのはSaved Walletだけです。"},
		"not_updatable":             {"更新手続きを開始できません", "Amazonの更新画面はこの種類のCharge Permissionに対応していません。"},
		"unknown_charge_permission": {"更新手続きを開始できません", "Amazon PayはこのCharge Permissionを認識していません。"},
	},
	ToSearch: "検索へ",
}
