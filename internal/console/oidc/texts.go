package oidc

import "walletsync/internal/console/view"

// languages are the languages of the pages; the first one is the default.
var languages = []string{"en", "ja"}

// texts are the texts of these pages in one language.
type texts struct {
	Problems  map[Problem]passage
	SignedOut passage
	Roles     map[view.Role]passage

	SignIn        string
	SignInNew     string
	SignOut       string
	SignOutIssuer string
	Again         string
	Console       string
	You           string
	Name          string
	Role          string
}

// passage is a title and its text. Japanese titles may break at zero-width spaces.
type passage struct{ Title, Body string }

var translations = map[string]*texts{
	"en": {
		Problems: map[Problem]passage{
			SignedOut:       {"You are signed out", "Your session has ended, so nothing was done. Sign in and try again."},
			SignInCancelled: {"The sign-in was cancelled", "You can sign in again at any time."},
			SignInStale:     {"This sign-in cannot continue", "It took too long, or it was started in another browser. Please sign in again."},
			SignInRefused:   {"The sign-in failed", "The answer of your organisation’s sign-in cannot be accepted. Please sign in again. If this keeps happening, please tell the console’s administrator."},
			SignInLimited:   {"Too many sign-ins have failed", "Please sign in again in a few minutes. If this keeps happening, please tell the console’s administrator."},
			NoRole:          {"You have no access to the console", "You are signed in but have no role here. Please ask the console’s administrator for one, or sign in as someone else."},
			FormRefused:     {"This page has expired", "Nothing was done. Please open the page again and try again."},
			CrossOrigin:     {"This was sent by another site", "Nothing was done. If you meant to do it, please do it in the console."},
			TokenRefused:    {"The access token cannot be accepted", "It has expired, or is not for the console."},
			Unavailable:     {"Sign-in is unavailable right now", "Please try again in a few seconds."},
		},
		SignedOut: passage{"You are signed out", "This browser has forgotten your session. Your organisation’s sign-in may still remember you."},
		Roles: map[view.Role]passage{
			view.RoleMasked: {"Read without personal data", "You see states and times, but nothing that identifies a buyer."},
			view.RoleRead:   {"Read", "You see everything, but cannot make changes."},
			view.RoleAct:    {"Act", "You see everything, and can refresh, create update links, retry, export and erase."},
		},
		SignIn: "Sign in", SignInNew: "Sign in as someone else", SignOut: "Sign out", SignOutIssuer: "Also sign out of your organisation’s sign-in",
		Again: "Try again", Console: "Go to the console", You: "Your account", Name: "Name", Role: "Role",
	},
	"ja": {
		Problems: map[Problem]passage{
			SignedOut:       {"サインアウトされています", "セッションが終了したため、操作は実行されていません。サインインしてから、もう一度操作してください。"},
			SignInCancelled: {"サインインが\u200bキャンセルされました", "いつでももう一度サインインできます。"},
			SignInStale:     {"このサインインは\u200b続けられません", "時間がかかりすぎたか、別のブラウザーで開始されたものです。もう一度サインインしてください。"},
			SignInRefused:   {"サインインに\u200b失敗しました", "組織のサインインから届いた内容を受け付けられません。もう一度サインインしてください。繰り返す場合は、コンソールの管理者にお知らせください。"},
			SignInLimited:   {"サインインの失敗が\u200b続いています", "数分待ってから、もう一度サインインしてください。繰り返す場合は、コンソールの管理者にお知らせください。"},
			NoRole:          {"コンソールを\u200b利用する権限がありません", "サインインはできましたが、ここでの権限が割り当てられていません。コンソールの管理者に依頼するか、別のユーザーとしてサインインしてください。"},
			FormRefused:     {"このページは\u200b古くなっています", "操作は実行されていません。ページを開き直してから、もう一度操作してください。"},
			CrossOrigin:     {"別のサイトから\u200b送信されました", "操作は実行されていません。必要な操作であれば、コンソールで直接行ってください。"},
			TokenRefused:    {"アクセストークンを\u200b受け付けられません", "期限が切れているか、このコンソール用のものではありません。"},
			Unavailable:     {"現在\u200bサインインできません", "数秒後にもう一度お試しください。"},
		},
		SignedOut: passage{"サインアウトしました", "このブラウザーのセッションは消去されました。組織のサインインには、まだ記憶されている場合があります。"},
		Roles: map[view.Role]passage{
			view.RoleMasked: {"閲覧（個人情報なし）", "状態と日時を閲覧できます。購入者を特定できる情報は表示されません。"},
			view.RoleRead:   {"閲覧", "すべてを閲覧できます。変更はできません。"},
			view.RoleAct:    {"操作", "すべてを閲覧でき、最新状態の取得、更新リンクの作成、再試行、エクスポート、消去ができます。"},
		},
		SignIn: "サインイン", SignInNew: "別のユーザーとしてサインイン", SignOut: "サインアウト", SignOutIssuer: "組織のサインインからもサインアウトする",
		Again: "もう一度試す", Console: "コンソールへ", You: "アカウント情報", Name: "名前", Role: "権限",
	},
}
