package pages

import "strings"

// languages are the languages of the pages. The first one is the default.
var languages = []string{"en", "de", "fr", "it", "es", "ja"}

// texts holds the texts of the pages in one language. A test checks that every
// language has every text.
type texts struct {
	// The update page. FailedMessage is Amazon Pay's own wording (Saved Wallet,
	// "Update buyer address or payment method") and its translations.
	Ready         byUpdate
	FailedMessage string
	Go            string
	Opening       string
	Blocked       string // Amazon's script could not be loaded
	Refused       string // Amazon's script threw an error
	Stuck         string // Amazon's script did nothing
	NoScript      string
	Reload        string

	// The result page.
	Success       byUpdate
	Pending       passage
	Failed        passage
	Checking      passage
	CheckAgain    string
	PaymentMethod string
	Address       string

	Problems map[Kind]passage

	Retry      string // button: try the same step again
	Restart    string // button: start a new update
	StartOver  string // asks for a new update if there is no link to start one
	Close      string // if nothing is left to do and there is no link
	BackToShop string
	BackTo     string // with %s for the merchant's name
}

// passage is a title and a body. A zero-width space in a Japanese title marks
// where the line may break.
type passage struct{ Title, Body string }

// byUpdate has a passage for each kind of update.
type byUpdate struct{ Address, PaymentMethod, Both passage }

func (b byUpdate) of(update string) passage {
	switch update {
	case Address:
		return b.Address
	case PaymentMethod:
		return b.PaymentMethod
	}
	return b.Both
}

// Back names the link to the merchant.
func (t *texts) Back(merchant string) string {
	if merchant == "" {
		return t.BackToShop
	}
	return strings.Replace(t.BackTo, "%s", merchant, 1)
}

var translations = map[string]*texts{
	"en": {
		Ready: byUpdate{
			Address:       passage{"Update your shipping address", "Continue to Amazon Pay to choose your shipping address. We will then bring you back here."},
			PaymentMethod: passage{"Update your payment method", "Continue to Amazon Pay to choose your payment method. We will then bring you back here."},
			Both:          passage{"Update your shipping address and payment method", "Continue to Amazon Pay to choose your shipping address and payment method. We will then bring you back here."},
		},
		FailedMessage: "The update for your address or payment method failed. Please try again.",
		Go:            "Continue to Amazon Pay",
		Opening:       "Opening Amazon Pay…",
		Blocked:       "Amazon Pay could not be loaded. Please check your connection, turn off any ad blocker for this page, and try again.",
		Refused:       "Amazon Pay could not be opened. Please try again. If this keeps happening, please contact the shop.",
		Stuck:         "Amazon Pay has not opened. Please try again.",
		NoScript:      "This page needs JavaScript to open Amazon Pay. Please turn on JavaScript in your browser’s settings, or use another browser, and open this page again.",
		Reload:        "Open this page again",
		Success: byUpdate{
			Address:       passage{"Your shipping address has been updated", "Your change is saved. You do not need to do anything else."},
			PaymentMethod: passage{"Your payment method has been updated", "Your change is saved. You do not need to do anything else."},
			Both:          passage{"Your shipping address and payment method are up to date", "Your choice is saved. You do not need to do anything else."},
		},
		Pending:       passage{"Your update is being processed", "Amazon Pay has accepted your update, and the shop will have it within a few minutes. You do not need to do anything else."},
		Failed:        passage{"Your update was not completed", "The update for your address or payment method failed. Please try again."},
		Checking:      passage{"We are checking your update", "Amazon Pay has not confirmed your update yet. We will keep checking, and you can close this page. If you do not see the change by tomorrow, please start it again from the shop."},
		CheckAgain:    "Check again now",
		PaymentMethod: "Payment method",
		Address:       "Shipping address",
		Problems: map[Kind]passage{
			LinkExpired: {"This link has expired", "For your security, this link works for a limited time only. Please start the update again from the shop."},
			LinkInvalid: {"This link does not work", "It may be incomplete or belong to another update. Please start the update again from the shop."},
			Done:        {"This update has already been completed", "The link can be used only once. To change something else, please start a new update from the shop."},
			Closed:      {"Your Amazon Pay merchant agreement has ended", "It can no longer be updated. To keep paying with Amazon Pay, please set it up again in the shop."},
			NotFollowed: {"There is nothing to update here", "There is no saved Amazon Pay payment method to update. Please contact the shop."},
			NotFound:    {"Page not found", "This page does not exist. Please start the update again from the shop."},
			UsedUp:      {"This link has been used too often", "For your security, an update can be tried a limited number of times only. Please start the update again from the shop."},
			Unavailable: {"Something went wrong on our side", "This page cannot be shown right now. Please try again in a few minutes."},
		},
		Retry:      "Try again",
		Restart:    "Start the update again",
		StartOver:  "Please start the update again from the shop.",
		Close:      "You can close this page now.",
		BackToShop: "Back to the shop",
		BackTo:     "Back to %s",
	},
	"de": {
		Ready: byUpdate{
			Address:       passage{"Lieferadresse ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort die gewünschte Lieferadresse aus. Danach gelangen Sie automatisch hierher zurück."},
			PaymentMethod: passage{"Zahlungsart ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort die gewünschte Zahlungsart aus. Danach gelangen Sie automatisch hierher zurück."},
			Both:          passage{"Lieferadresse und Zahlungsart ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort Lieferadresse und Zahlungsart aus. Danach gelangen Sie automatisch hierher zurück."},
		},
		FailedMessage: "Die Änderung Ihrer Lieferadresse oder Zahlungsart ist fehlgeschlagen. Bitte versuchen Sie es erneut.",
		Go:            "Weiter zu Amazon Pay",
		Opening:       "Amazon Pay wird geöffnet …",
		Blocked:       "Amazon Pay konnte nicht geladen werden. Bitte prüfen Sie Ihre Verbindung, deaktivieren Sie Werbeblocker für diese Seite und versuchen Sie es erneut.",
		Refused:       "Amazon Pay konnte nicht geöffnet werden. Bitte versuchen Sie es erneut. Sollte es wieder nicht gelingen, wenden Sie sich bitte an den Shop.",
		Stuck:         "Amazon Pay hat sich nicht geöffnet. Bitte versuchen Sie es erneut.",
		NoScript:      "Diese Seite benötigt JavaScript, um Amazon Pay zu öffnen. Bitte aktivieren Sie JavaScript in den Einstellungen Ihres Browsers oder verwenden Sie einen anderen Browser, und öffnen Sie diese Seite erneut.",
		Reload:        "Seite erneut öffnen",
		Success: byUpdate{
			Address:       passage{"Ihre Lieferadresse wurde geändert", "Ihre Änderung ist gespeichert. Sie müssen nichts weiter tun."},
			PaymentMethod: passage{"Ihre Zahlungsart wurde geändert", "Ihre Änderung ist gespeichert. Sie müssen nichts weiter tun."},
			Both:          passage{"Ihre Lieferadresse und Zahlungsart sind aktuell", "Ihre Auswahl ist gespeichert. Sie müssen nichts weiter tun."},
		},
		Pending:       passage{"Ihre Änderung wird übernommen", "Amazon Pay hat Ihre Änderung angenommen. In wenigen Minuten liegt sie dem Shop vor. Sie müssen nichts weiter tun."},
		Failed:        passage{"Ihre Änderung wurde nicht abgeschlossen", "Die Änderung Ihrer Lieferadresse oder Zahlungsart ist fehlgeschlagen. Bitte versuchen Sie es erneut."},
		Checking:      passage{"Wir prüfen Ihre Änderung", "Amazon Pay hat Ihre Änderung noch nicht bestätigt. Wir prüfen weiter. Sie können diese Seite schließen. Ist die Änderung morgen noch nicht zu sehen, starten Sie sie bitte im Shop erneut."},
		CheckAgain:    "Jetzt erneut prüfen",
		PaymentMethod: "Zahlungsart",
		Address:       "Lieferadresse",
		Problems: map[Kind]passage{
			LinkExpired: {"Dieser Link ist abgelaufen", "Zu Ihrer Sicherheit gilt der Link nur für begrenzte Zeit. Bitte starten Sie die Änderung im Shop erneut."},
			LinkInvalid: {"Dieser Link funktioniert nicht", "Möglicherweise ist er unvollständig oder gehört zu einer anderen Änderung. Bitte starten Sie die Änderung im Shop erneut."},
			Done:        {"Diese Änderung ist bereits abgeschlossen", "Der Link kann nur einmal verwendet werden. Wenn Sie noch etwas ändern möchten, starten Sie bitte im Shop eine neue Änderung."},
			Closed:      {"Ihre Händlervereinbarung bei Amazon Pay ist beendet", "Sie kann nicht mehr geändert werden. Um weiterhin mit Amazon Pay zu bezahlen, richten Sie es bitte im Shop neu ein."},
			NotFollowed: {"Hier ist keine Änderung möglich", "Es ist keine Zahlungsart von Amazon Pay hinterlegt, die geändert werden kann. Bitte wenden Sie sich an den Shop."},
			NotFound:    {"Seite nicht gefunden", "Diese Seite gibt es nicht. Bitte starten Sie die Änderung im Shop erneut."},
			UsedUp:      {"Dieser Link wurde zu oft verwendet", "Zu Ihrer Sicherheit ist die Zahl der Versuche begrenzt. Bitte starten Sie die Änderung im Shop erneut."},
			Unavailable: {"Bei uns ist etwas schiefgelaufen", "Diese Seite kann gerade nicht angezeigt werden. Bitte versuchen Sie es in einigen Minuten erneut."},
		},
		Retry:      "Erneut versuchen",
		Restart:    "Änderung neu starten",
		StartOver:  "Bitte starten Sie die Änderung im Shop erneut.",
		Close:      "Sie können diese Seite jetzt schließen.",
		BackToShop: "Zurück zum Shop",
		BackTo:     "Zurück zu %s",
	},
	"fr": {
		Ready: byUpdate{
			Address:       passage{"Modifier votre adresse de livraison", "Amazon Pay va s’ouvrir. Choisissez l’adresse de livraison souhaitée : vous reviendrez ensuite sur ce site."},
			PaymentMethod: passage{"Modifier votre moyen de paiement", "Amazon Pay va s’ouvrir. Choisissez le moyen de paiement souhaité : vous reviendrez ensuite sur ce site."},
			Both:          passage{"Modifier votre adresse de livraison et votre moyen de paiement", "Amazon Pay va s’ouvrir. Choisissez l’adresse de livraison et le moyen de paiement souhaités : vous reviendrez ensuite sur ce site."},
		},
		FailedMessage: "La modification de votre adresse de livraison ou de votre moyen de paiement a échoué. Veuillez réessayer.",
		Go:            "Continuer vers Amazon Pay",
		Opening:       "Ouverture d’Amazon Pay…",
		Blocked:       "Impossible de charger Amazon Pay. Veuillez vérifier votre connexion, désactiver tout bloqueur de publicité pour cette page, puis réessayer.",
		Refused:       "Impossible d’ouvrir Amazon Pay. Veuillez réessayer. Si le problème persiste, veuillez contacter la boutique.",
		Stuck:         "Amazon Pay ne s’est pas ouvert. Veuillez réessayer.",
		NoScript:      "Cette page a besoin de JavaScript pour ouvrir Amazon Pay. Veuillez activer JavaScript dans les paramètres de votre navigateur, ou utiliser un autre navigateur, puis rouvrir cette page.",
		Reload:        "Rouvrir cette page",
		Success: byUpdate{
			Address:       passage{"Votre adresse de livraison a été modifiée", "Votre modification est enregistrée. Vous n’avez rien d’autre à faire."},
			PaymentMethod: passage{"Votre moyen de paiement a été modifié", "Votre modification est enregistrée. Vous n’avez rien d’autre à faire."},
			Both:          passage{"Votre adresse de livraison et votre moyen de paiement sont à jour", "Votre choix est enregistré. Vous n’avez rien d’autre à faire."},
		},
		Pending:       passage{"Votre modification est en cours d’enregistrement", "Amazon Pay a accepté votre modification. La boutique la recevra d’ici quelques minutes. Vous n’avez rien d’autre à faire."},
		Failed:        passage{"Votre modification n’a pas abouti", "La modification de votre adresse de livraison ou de votre moyen de paiement a échoué. Veuillez réessayer."},
		Checking:      passage{"Nous vérifions votre modification", "Amazon Pay n’a pas encore confirmé votre modification. Nous poursuivons la vérification ; vous pouvez fermer cette page. Si la modification n’apparaît pas d’ici demain, veuillez recommencer depuis la boutique."},
		CheckAgain:    "Vérifier à nouveau",
		PaymentMethod: "Moyen de paiement",
		Address:       "Adresse de livraison",
		Problems: map[Kind]passage{
			LinkExpired: {"Ce lien a expiré", "Pour votre sécurité, ce lien n’est valable que pendant une durée limitée. Veuillez recommencer la modification depuis la boutique."},
			LinkInvalid: {"Ce lien ne fonctionne pas", "Il est peut-être incomplet ou lié à une autre modification. Veuillez recommencer la modification depuis la boutique."},
			Done:        {"Cette modification a déjà été effectuée", "Ce lien ne peut servir qu’une fois. Pour modifier autre chose, veuillez lancer une nouvelle modification depuis la boutique."},
			Closed:      {"Votre accord marchand Amazon Pay a pris fin", "Il ne peut plus être modifié. Pour continuer à payer avec Amazon Pay, veuillez en configurer un nouveau dans la boutique."},
			NotFollowed: {"Aucune modification n’est possible ici", "Il n’y a aucun moyen de paiement Amazon Pay enregistré à modifier. Veuillez contacter la boutique."},
			NotFound:    {"Page introuvable", "Cette page n’existe pas. Veuillez recommencer la modification depuis la boutique."},
			UsedUp:      {"Ce lien a été utilisé trop souvent", "Pour votre sécurité, le nombre de tentatives est limité. Veuillez recommencer la modification depuis la boutique."},
			Unavailable: {"Un problème est survenu de notre côté", "Cette page ne peut pas être affichée pour le moment. Veuillez réessayer dans quelques minutes."},
		},
		Retry:      "Réessayer",
		Restart:    "Recommencer la modification",
		StartOver:  "Veuillez recommencer la modification depuis la boutique.",
		Close:      "Vous pouvez maintenant fermer cette page.",
		BackToShop: "Retour à la boutique",
		BackTo:     "Retour à %s",
	},
	"it": {
		Ready: byUpdate{
			Address:       passage{"Modifica dell’indirizzo di spedizione", "Ora si aprirà Amazon Pay. Scegli l’indirizzo di spedizione che vuoi usare, poi tornerai su questo sito."},
			PaymentMethod: passage{"Modifica del metodo di pagamento", "Ora si aprirà Amazon Pay. Scegli il metodo di pagamento che vuoi usare, poi tornerai su questo sito."},
			Both:          passage{"Modifica dell’indirizzo di spedizione e del metodo di pagamento", "Ora si aprirà Amazon Pay. Scegli l’indirizzo di spedizione e il metodo di pagamento che vuoi usare, poi tornerai su questo sito."},
		},
		FailedMessage: "La modifica dell’indirizzo di spedizione o del metodo di pagamento non è riuscita. Riprova.",
		Go:            "Continua su Amazon Pay",
		Opening:       "Apertura di Amazon Pay…",
		Blocked:       "Impossibile caricare Amazon Pay. Controlla la connessione, disattiva eventuali ad blocker per questa pagina e riprova.",
		Refused:       "Impossibile aprire Amazon Pay. Riprova. Se il problema persiste, contatta il negozio.",
		Stuck:         "Amazon Pay non si è aperto. Riprova.",
		NoScript:      "Per aprire Amazon Pay questa pagina ha bisogno di JavaScript. Attiva JavaScript nelle impostazioni del browser, oppure usa un altro browser, e riapri questa pagina.",
		Reload:        "Riapri questa pagina",
		Success: byUpdate{
			Address:       passage{"L’indirizzo di spedizione è stato modificato", "La modifica è stata salvata. Non devi fare altro."},
			PaymentMethod: passage{"Il metodo di pagamento è stato modificato", "La modifica è stata salvata. Non devi fare altro."},
			Both:          passage{"L’indirizzo di spedizione e il metodo di pagamento sono aggiornati", "La tua scelta è stata salvata. Non devi fare altro."},
		},
		Pending:       passage{"Stiamo registrando la modifica", "Amazon Pay ha accettato la modifica. Il negozio la riceverà entro pochi minuti. Non devi fare altro."},
		Failed:        passage{"La modifica non è stata completata", "La modifica dell’indirizzo di spedizione o del metodo di pagamento non è riuscita. Riprova."},
		Checking:      passage{"Stiamo verificando la modifica", "Amazon Pay non ha ancora confermato la modifica. Continueremo a verificare: puoi chiudere questa pagina. Se entro domani non vedi la modifica, avviala di nuovo dal negozio."},
		CheckAgain:    "Verifica di nuovo",
		PaymentMethod: "Metodo di pagamento",
		Address:       "Indirizzo di spedizione",
		Problems: map[Kind]passage{
			LinkExpired: {"Questo link è scaduto", "Per la tua sicurezza, il link è valido solo per un tempo limitato. Avvia di nuovo la modifica dal negozio."},
			LinkInvalid: {"Questo link non funziona", "Potrebbe essere incompleto o appartenere a un’altra modifica. Avvia di nuovo la modifica dal negozio."},
			Done:        {"Questa modifica è già stata completata", "Il link si può usare una sola volta. Per modificare altro, avvia una nuova modifica dal negozio."},
			Closed:      {"Il tuo contratto venditore Amazon Pay è terminato", "Non è più possibile modificarlo. Per continuare a pagare con Amazon Pay, configuralo di nuovo nel negozio."},
			NotFollowed: {"Qui non è possibile alcuna modifica", "Non c’è un metodo di pagamento Amazon Pay salvato da modificare. Contatta il negozio."},
			NotFound:    {"Pagina non trovata", "Questa pagina non esiste. Avvia di nuovo la modifica dal negozio."},
			UsedUp:      {"Questo link è stato usato troppe volte", "Per sicurezza il numero di tentativi è limitato. Avvia di nuovo la modifica dal negozio."},
			Unavailable: {"Si è verificato un problema da parte nostra", "Al momento questa pagina non può essere mostrata. Riprova tra qualche minuto."},
		},
		Retry:      "Riprova",
		Restart:    "Ricomincia la modifica",
		StartOver:  "Avvia di nuovo la modifica dal negozio.",
		Close:      "Ora puoi chiudere questa pagina.",
		BackToShop: "Torna al negozio",
		BackTo:     "Torna a %s",
	},
	"es": {
		Ready: byUpdate{
			Address:       passage{"Cambiar tu dirección de envío", "A continuación se abrirá Amazon Pay. Elige allí la dirección de envío que quieras usar y después volverás a este sitio."},
			PaymentMethod: passage{"Cambiar tu método de pago", "A continuación se abrirá Amazon Pay. Elige allí el método de pago que quieras usar y después volverás a este sitio."},
			Both:          passage{"Cambiar tu dirección de envío y tu método de pago", "A continuación se abrirá Amazon Pay. Elige allí la dirección de envío y el método de pago que quieras usar y después volverás a este sitio."},
		},
		FailedMessage: "No se ha podido cambiar tu dirección de envío o tu método de pago. Inténtalo de nuevo.",
		Go:            "Ir a Amazon Pay",
		Opening:       "Abriendo Amazon Pay…",
		Blocked:       "No se ha podido cargar Amazon Pay. Comprueba tu conexión, desactiva los bloqueadores de anuncios en esta página e inténtalo de nuevo.",
		Refused:       "No se ha podido abrir Amazon Pay. Inténtalo de nuevo. Si vuelve a ocurrir, ponte en contacto con la tienda.",
		Stuck:         "Amazon Pay no se ha abierto. Inténtalo de nuevo.",
		NoScript:      "Esta página necesita JavaScript para abrir Amazon Pay. Activa JavaScript en los ajustes de tu navegador, o usa otro navegador, y vuelve a abrir esta página.",
		Reload:        "Volver a abrir esta página",
		Success: byUpdate{
			Address:       passage{"Has cambiado tu dirección de envío", "El cambio está guardado. No tienes que hacer nada más."},
			PaymentMethod: passage{"Has cambiado tu método de pago", "El cambio está guardado. No tienes que hacer nada más."},
			Both:          passage{"Tu dirección de envío y tu método de pago están actualizados", "Tu elección está guardada. No tienes que hacer nada más."},
		},
		Pending:       passage{"Estamos registrando tu cambio", "Amazon Pay ha aceptado el cambio y la tienda lo tendrá en unos minutos. No tienes que hacer nada más."},
		Failed:        passage{"El cambio no se ha completado", "No se ha podido cambiar tu dirección de envío o tu método de pago. Inténtalo de nuevo."},
		Checking:      passage{"Estamos comprobando tu cambio", "Amazon Pay todavía no ha confirmado el cambio. Seguimos comprobándolo y puedes cerrar esta página. Si mañana el cambio no aparece, vuelve a iniciarlo desde la tienda."},
		CheckAgain:    "Comprobar de nuevo",
		PaymentMethod: "Método de pago",
		Address:       "Dirección de envío",
		Problems: map[Kind]passage{
			LinkExpired: {"Este enlace ha caducado", "Por tu seguridad, el enlace solo es válido durante un tiempo limitado. Vuelve a iniciar el cambio desde la tienda."},
			LinkInvalid: {"Este enlace no funciona", "Puede que esté incompleto o que pertenezca a otro cambio. Vuelve a iniciar el cambio desde la tienda."},
			Done:        {"Este cambio ya se ha completado", "El enlace solo se puede usar una vez. Para cambiar algo más, inicia un nuevo cambio desde la tienda."},
			Closed:      {"Tu acuerdo de pago de Amazon Pay ha finalizado", "Ya no se puede modificar. Para seguir pagando con Amazon Pay, vuelve a configurarlo en la tienda."},
			NotFollowed: {"Aquí no se puede cambiar nada", "No hay ningún método de pago de Amazon Pay guardado que se pueda cambiar. Ponte en contacto con la tienda."},
			NotFound:    {"Página no encontrada", "Esta página no existe. Vuelve a iniciar el cambio desde la tienda."},
			UsedUp:      {"Este enlace se ha usado demasiadas veces", "Por seguridad, el número de intentos es limitado. Vuelve a iniciar el cambio desde la tienda."},
			Unavailable: {"Algo ha fallado por nuestra parte", "Esta página no se puede mostrar en este momento. Inténtalo de nuevo dentro de unos minutos."},
		},
		Retry:      "Intentar de nuevo",
		Restart:    "Empezar el cambio de nuevo",
		StartOver:  "Vuelve a iniciar el cambio desde la tienda.",
		Close:      "Ya puedes cerrar esta página.",
		BackToShop: "Volver a la tienda",
		BackTo:     "Volver a %s",
	},
	"ja": {
		Ready: byUpdate{
			Address:       passage{"お届け先の\u200b変更", "次にAmazon Payの画面が開きます。ご希望のお届け先をお選びください。お手続きが終わると、このサイトに戻ります。"},
			PaymentMethod: passage{"お支払い方法の\u200b変更", "次にAmazon Payの画面が開きます。ご希望のお支払い方法をお選びください。お手続きが終わると、このサイトに戻ります。"},
			Both:          passage{"お届け先と\u200bお支払い方法の\u200b変更", "次にAmazon Payの画面が開きます。ご希望のお届け先とお支払い方法をお選びください。お手続きが終わると、このサイトに戻ります。"},
		},
		FailedMessage: "お届け先またはお支払い方法を変更できませんでした。もう一度お試しください。",
		Go:            "Amazon Payへ進む",
		Opening:       "Amazon Payを開いています…",
		Blocked:       "Amazon Payを読み込めませんでした。通信環境をご確認のうえ、広告ブロック機能をお使いの場合はこのページで無効にして、もう一度お試しください。",
		Refused:       "Amazon Payを開けませんでした。もう一度お試しください。何度試しても開けない場合は、ショップまでお問い合わせください。",
		Stuck:         "Amazon Payが開きませんでした。もう一度お試しください。",
		NoScript:      "Amazon Payを開くにはJavaScriptが必要です。ブラウザの設定でJavaScriptを有効にしてこのページを開き直すか、別のブラウザで開いてください。",
		Reload:        "このページを開き直す",
		Success: byUpdate{
			Address:       passage{"お届け先を\u200b変更しました", "変更内容を保存しました。これ以上のお手続きは必要ありません。"},
			PaymentMethod: passage{"お支払い方法を\u200b変更しました", "変更内容を保存しました。これ以上のお手続きは必要ありません。"},
			Both:          passage{"お届け先と\u200bお支払い方法を\u200b更新しました", "選択内容を保存しました。これ以上のお手続きは必要ありません。"},
		},
		Pending:       passage{"変更を\u200b反映しています", "Amazon Payで変更を受け付けました。数分以内にショップに反映されます。これ以上のお手続きは必要ありません。"},
		Failed:        passage{"変更を\u200b完了できませんでした", "お届け先またはお支払い方法を変更できませんでした。もう一度お試しください。"},
		Checking:      passage{"変更の結果を\u200b確認しています", "Amazon Payからの確認がまだ届いていません。引き続き確認しますので、このページは閉じていただいて差し支えありません。明日になっても変更が反映されない場合は、お手数ですが、ショップからもう一度お手続きください。"},
		CheckAgain:    "もう一度確認する",
		PaymentMethod: "お支払い方法",
		Address:       "お届け先",
		Problems: map[Kind]passage{
			LinkExpired: {"リンクの\u200b有効期限が\u200b切れています", "安全のため、リンクには有効期限があります。お手数ですが、ショップからもう一度お手続きください。"},
			LinkInvalid: {"このリンクは\u200bご利用いただけません", "リンクが途中で切れているか、別のお手続きのものである可能性があります。お手数ですが、ショップからもう一度お手続きください。"},
			Done:        {"このお手続きは\u200b完了しています", "リンクは一度だけご利用いただけます。ほかに変更がある場合は、ショップから新しくお手続きください。"},
			Closed:      {"Amazon Payの\u200bお支払い設定は\u200b終了しています", "この設定は変更できません。引き続きAmazon Payでお支払いいただくには、ショップであらためて設定してください。"},
			NotFollowed: {"ここでは\u200b変更できません", "変更できるAmazon Payのお支払い方法が登録されていません。お手数ですが、ショップまでお問い合わせください。"},
			NotFound:    {"ページが\u200b見つかりません", "お探しのページはありません。お手数ですが、ショップからもう一度お手続きください。"},
			UsedUp:      {"このリンクは\u200bこれ以上\u200bご利用いただけません", "安全のため、お手続きの回数には上限があります。お手数ですが、ショップからもう一度お手続きください。"},
			Unavailable: {"ただいま\u200bページを\u200b表示できません", "システムに問題が発生しました。お手数ですが、数分後にもう一度お試しください。"},
		},
		Retry:      "もう一度試す",
		Restart:    "お手続きをやり直す",
		StartOver:  "お手数ですが、ショップからもう一度お手続きください。",
		Close:      "このページは閉じていただいて差し支えありません。",
		BackToShop: "ショップに戻る",
		BackTo:     "%sに戻る",
	},
}
