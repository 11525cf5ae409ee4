package pages

import "strings"

// languages are those that the pages speak; the first one is for everyone else.
var languages = []string{"en", "de", "fr", "it", "es", "ja"}

// texts is all that pages say in one language. A test holds every language to
// every text.
type texts struct {
	// The ready page. FailedMessage is Amazon Pay's own wording (Saved Wallet,
	// "Update buyer address or payment method") and its translations.
	Ready         byUpdate
	FailedMessage string
	Go            string
	Opening       string
	Blocked       string // Amazon's script could not be loaded
	Refused       string // it threw
	Stuck         string // it did nothing
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

	Again      string // the same once more
	Anew       string // from the start
	StartOver  string // where there is no link to do so
	Close      string // where nothing is left to do, and no link
	BackToShop string
	BackTo     string // with %s for the merchant's name
}

// passage is a title with what follows from it. A zero-width space in a Japanese
// title is where its line may break.
type passage struct{ Title, Body string }

// byUpdate is a passage for each thing that a buyer changes.
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
			Address:       passage{"Update your address", "Amazon Pay opens next. Choose your address there, and we will bring you back."},
			PaymentMethod: passage{"Update your payment method", "Amazon Pay opens next. Choose your payment method there, and we will bring you back."},
			Both:          passage{"Update your address and payment method", "Amazon Pay opens next. Choose your address and payment method there, and we will bring you back."},
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
			Address:       passage{"Your address has been updated", "Your change is saved. There is nothing more for you to do."},
			PaymentMethod: passage{"Your payment method has been updated", "Your change is saved. There is nothing more for you to do."},
			Both:          passage{"Your address and payment method are up to date", "Your choice is saved. There is nothing more for you to do."},
		},
		Pending:       passage{"Your change is on its way", "Amazon Pay has accepted your update, and the shop will have it within a few minutes. There is nothing more for you to do."},
		Failed:        passage{"Your update was not completed", "The update for your address or payment method failed. Please try again."},
		Checking:      passage{"We are checking your update", "Amazon Pay has not confirmed your update yet. We will keep checking, and you can close this page. If the change does not show by tomorrow, please start it again from the shop."},
		CheckAgain:    "Check again now",
		PaymentMethod: "Payment method",
		Address:       "Address",
		Problems: map[Kind]passage{
			LinkExpired: {"This link has expired", "For your security, the link works for a limited time only. Please start the update again from the shop."},
			LinkInvalid: {"This link does not work", "It may be incomplete or belong to another update. Please start the update again from the shop."},
			Done:        {"This update has been completed", "The link can be used only once. To change something else, please start a new update from the shop."},
			Closed:      {"Your Amazon Pay agreement has ended", "It can no longer be updated. To go on paying with Amazon Pay, please set it up again in the shop."},
			NotFollowed: {"This cannot be updated here", "There is no saved Amazon Pay payment method to update. Please contact the shop."},
			NotFound:    {"Page not found", "There is nothing at this address. Please start the update again from the shop."},
			UsedUp:      {"This link has been used too often", "For your security, an update can be tried a limited number of times only. Please start the update again from the shop."},
			Unavailable: {"Something went wrong on our side", "This page cannot be shown right now. Please try again in a few minutes."},
		},
		Again:      "Try again",
		Anew:       "Start again",
		StartOver:  "Please start the update again from the shop.",
		Close:      "You can close this page now.",
		BackToShop: "Back to the shop",
		BackTo:     "Back to %s",
	},
	"de": {
		Ready: byUpdate{
			Address:       passage{"Lieferadresse ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort die gewünschte Lieferadresse aus. Danach kehren Sie hierher zurück."},
			PaymentMethod: passage{"Zahlungsart ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort die gewünschte Zahlungsart aus. Danach kehren Sie hierher zurück."},
			Both:          passage{"Lieferadresse und Zahlungsart ändern", "Als Nächstes öffnet sich Amazon Pay. Wählen Sie dort Lieferadresse und Zahlungsart aus. Danach kehren Sie hierher zurück."},
		},
		FailedMessage: "Die Änderung Ihrer Adresse oder Zahlungsart ist fehlgeschlagen. Bitte versuchen Sie es erneut.",
		Go:            "Weiter zu Amazon Pay",
		Opening:       "Amazon Pay wird geöffnet …",
		Blocked:       "Amazon Pay konnte nicht geladen werden. Bitte prüfen Sie Ihre Verbindung, schalten Sie Werbeblocker für diese Seite aus und versuchen Sie es erneut.",
		Refused:       "Amazon Pay konnte nicht geöffnet werden. Bitte versuchen Sie es erneut. Sollte es wieder nicht gelingen, wenden Sie sich bitte an den Shop.",
		Stuck:         "Amazon Pay hat sich nicht geöffnet. Bitte versuchen Sie es erneut.",
		NoScript:      "Diese Seite benötigt JavaScript, um Amazon Pay zu öffnen. Bitte schalten Sie JavaScript in den Einstellungen Ihres Browsers ein oder verwenden Sie einen anderen Browser, und öffnen Sie diese Seite erneut.",
		Reload:        "Seite erneut öffnen",
		Success: byUpdate{
			Address:       passage{"Ihre Lieferadresse wurde geändert", "Ihre Änderung ist gespeichert. Sie müssen nichts weiter tun."},
			PaymentMethod: passage{"Ihre Zahlungsart wurde geändert", "Ihre Änderung ist gespeichert. Sie müssen nichts weiter tun."},
			Both:          passage{"Ihre Lieferadresse und Zahlungsart sind aktuell", "Ihre Auswahl ist gespeichert. Sie müssen nichts weiter tun."},
		},
		Pending:       passage{"Ihre Änderung ist unterwegs", "Amazon Pay hat Ihre Änderung angenommen. In wenigen Minuten liegt sie dem Shop vor. Sie müssen nichts weiter tun."},
		Failed:        passage{"Ihre Änderung wurde nicht abgeschlossen", "Die Änderung Ihrer Adresse oder Zahlungsart ist fehlgeschlagen. Bitte versuchen Sie es erneut."},
		Checking:      passage{"Wir prüfen Ihre Änderung", "Amazon Pay hat Ihre Änderung noch nicht bestätigt. Wir prüfen das weiter, und Sie können diese Seite schließen. Ist die Änderung morgen noch nicht zu sehen, starten Sie sie bitte im Shop erneut."},
		CheckAgain:    "Jetzt erneut prüfen",
		PaymentMethod: "Zahlungsart",
		Address:       "Lieferadresse",
		Problems: map[Kind]passage{
			LinkExpired: {"Dieser Link ist abgelaufen", "Zu Ihrer Sicherheit gilt der Link nur für begrenzte Zeit. Bitte starten Sie die Änderung im Shop erneut."},
			LinkInvalid: {"Dieser Link funktioniert nicht", "Er ist unvollständig oder gehört zu einer anderen Änderung. Bitte starten Sie die Änderung im Shop erneut."},
			Done:        {"Diese Änderung ist bereits abgeschlossen", "Der Link gilt nur einmal. Wenn Sie noch etwas ändern möchten, starten Sie bitte im Shop eine neue Änderung."},
			Closed:      {"Ihre Amazon-Pay-Vereinbarung ist beendet", "Sie kann nicht mehr geändert werden. Um weiterhin mit Amazon Pay zu bezahlen, richten Sie es bitte im Shop neu ein."},
			NotFollowed: {"Hier ist keine Änderung möglich", "Es ist keine Zahlungsart von Amazon Pay hinterlegt, die sich ändern ließe. Bitte wenden Sie sich an den Shop."},
			NotFound:    {"Seite nicht gefunden", "Unter dieser Adresse gibt es nichts. Bitte starten Sie die Änderung im Shop erneut."},
			UsedUp:      {"Dieser Link wurde zu oft verwendet", "Zu Ihrer Sicherheit ist die Zahl der Versuche begrenzt. Bitte starten Sie die Änderung im Shop erneut."},
			Unavailable: {"Bei uns ist etwas schiefgelaufen", "Diese Seite kann gerade nicht angezeigt werden. Bitte versuchen Sie es in einigen Minuten erneut."},
		},
		Again:      "Erneut versuchen",
		Anew:       "Neu beginnen",
		StartOver:  "Bitte starten Sie die Änderung im Shop erneut.",
		Close:      "Sie können diese Seite jetzt schließen.",
		BackToShop: "Zurück zum Shop",
		BackTo:     "Zurück zu %s",
	},
	"fr": {
		Ready: byUpdate{
			Address:       passage{"Modifier votre adresse de livraison", "Amazon Pay va s’ouvrir. Choisissez-y l’adresse de livraison souhaitée, puis vous reviendrez sur ce site."},
			PaymentMethod: passage{"Modifier votre moyen de paiement", "Amazon Pay va s’ouvrir. Choisissez-y le moyen de paiement souhaité, puis vous reviendrez sur ce site."},
			Both:          passage{"Modifier votre adresse de livraison et votre moyen de paiement", "Amazon Pay va s’ouvrir. Choisissez-y l’adresse de livraison et le moyen de paiement souhaités, puis vous reviendrez sur ce site."},
		},
		FailedMessage: "La modification de votre adresse ou de votre moyen de paiement a échoué. Veuillez réessayer.",
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
		Pending:       passage{"Votre modification est en cours d’enregistrement", "Amazon Pay a accepté votre modification. La boutique la recevra dans quelques minutes. Vous n’avez rien d’autre à faire."},
		Failed:        passage{"Votre modification n’a pas abouti", "La modification de votre adresse ou de votre moyen de paiement a échoué. Veuillez réessayer."},
		Checking:      passage{"Nous vérifions votre modification", "Amazon Pay n’a pas encore confirmé votre modification. Nous continuons à vérifier et vous pouvez fermer cette page. Si la modification n’apparaît pas d’ici demain, veuillez recommencer depuis la boutique."},
		CheckAgain:    "Vérifier à nouveau",
		PaymentMethod: "Moyen de paiement",
		Address:       "Adresse de livraison",
		Problems: map[Kind]passage{
			LinkExpired: {"Ce lien a expiré", "Pour votre sécurité, ce lien n’est valable que pendant une durée limitée. Veuillez recommencer la modification depuis la boutique."},
			LinkInvalid: {"Ce lien ne fonctionne pas", "Il est incomplet ou correspond à une autre modification. Veuillez recommencer la modification depuis la boutique."},
			Done:        {"Cette modification est déjà terminée", "Ce lien ne peut servir qu’une fois. Pour modifier autre chose, veuillez commencer une nouvelle modification depuis la boutique."},
			Closed:      {"Votre accord Amazon Pay a pris fin", "Il ne peut plus être modifié. Pour continuer à payer avec Amazon Pay, veuillez le configurer à nouveau dans la boutique."},
			NotFollowed: {"Aucune modification n’est possible ici", "Aucun moyen de paiement Amazon Pay n’est enregistré pour être modifié. Veuillez contacter la boutique."},
			NotFound:    {"Page introuvable", "Il n’y a rien à cette adresse. Veuillez recommencer la modification depuis la boutique."},
			UsedUp:      {"Ce lien a été utilisé trop souvent", "Pour votre sécurité, le nombre de tentatives est limité. Veuillez recommencer la modification depuis la boutique."},
			Unavailable: {"Un problème est survenu de notre côté", "Cette page ne peut pas être affichée pour le moment. Veuillez réessayer dans quelques minutes."},
		},
		Again:      "Réessayer",
		Anew:       "Recommencer",
		StartOver:  "Veuillez recommencer la modification depuis la boutique.",
		Close:      "Vous pouvez maintenant fermer cette page.",
		BackToShop: "Retour à la boutique",
		BackTo:     "Retour à %s",
	},
	"it": {
		Ready: byUpdate{
			Address:       passage{"Modifica dell’indirizzo di spedizione", "Ora si aprirà Amazon Pay. Scelga lì l’indirizzo di spedizione che desidera usare; poi tornerà su questo sito."},
			PaymentMethod: passage{"Modifica del metodo di pagamento", "Ora si aprirà Amazon Pay. Scelga lì il metodo di pagamento che desidera usare; poi tornerà su questo sito."},
			Both:          passage{"Modifica dell’indirizzo di spedizione e del metodo di pagamento", "Ora si aprirà Amazon Pay. Scelga lì l’indirizzo di spedizione e il metodo di pagamento che desidera usare; poi tornerà su questo sito."},
		},
		FailedMessage: "La modifica dell’indirizzo o del metodo di pagamento non è riuscita. La preghiamo di riprovare.",
		Go:            "Continua su Amazon Pay",
		Opening:       "Apertura di Amazon Pay…",
		Blocked:       "Non è stato possibile caricare Amazon Pay. Controlli la connessione, disattivi eventuali blocchi della pubblicità per questa pagina e riprovi.",
		Refused:       "Non è stato possibile aprire Amazon Pay. La preghiamo di riprovare. Se il problema persiste, contatti il negozio.",
		Stuck:         "Amazon Pay non si è aperto. La preghiamo di riprovare.",
		NoScript:      "Per aprire Amazon Pay questa pagina ha bisogno di JavaScript. Attivi JavaScript nelle impostazioni del browser, oppure usi un altro browser, e riapra questa pagina.",
		Reload:        "Riapri questa pagina",
		Success: byUpdate{
			Address:       passage{"L’indirizzo di spedizione è stato modificato", "La modifica è stata salvata. Non deve fare altro."},
			PaymentMethod: passage{"Il metodo di pagamento è stato modificato", "La modifica è stata salvata. Non deve fare altro."},
			Both:          passage{"L’indirizzo di spedizione e il metodo di pagamento sono aggiornati", "La scelta è stata salvata. Non deve fare altro."},
		},
		Pending:       passage{"La modifica è in arrivo", "Amazon Pay ha accettato la modifica. Il negozio la riceverà entro pochi minuti. Non deve fare altro."},
		Failed:        passage{"La modifica non è stata completata", "La modifica dell’indirizzo o del metodo di pagamento non è riuscita. La preghiamo di riprovare."},
		Checking:      passage{"Stiamo verificando la modifica", "Amazon Pay non ha ancora confermato la modifica. Continuiamo a verificare e può chiudere questa pagina. Se entro domani la modifica non è visibile, la avvii di nuovo dal negozio."},
		CheckAgain:    "Verifica di nuovo",
		PaymentMethod: "Metodo di pagamento",
		Address:       "Indirizzo di spedizione",
		Problems: map[Kind]passage{
			LinkExpired: {"Questo link è scaduto", "Per la Sua sicurezza il link è valido solo per un tempo limitato. Avvii di nuovo la modifica dal negozio."},
			LinkInvalid: {"Questo link non funziona", "È incompleto o appartiene a un’altra modifica. Avvii di nuovo la modifica dal negozio."},
			Done:        {"Questa modifica è già stata completata", "Il link si può usare una sola volta. Per modificare altro, avvii una nuova modifica dal negozio."},
			Closed:      {"L’accordo Amazon Pay è terminato", "Non può più essere modificato. Per continuare a pagare con Amazon Pay, lo configuri di nuovo nel negozio."},
			NotFollowed: {"Qui non è possibile alcuna modifica", "Non c’è un metodo di pagamento Amazon Pay salvato da modificare. Contatti il negozio."},
			NotFound:    {"Pagina non trovata", "A questo indirizzo non c’è nulla. Avvii di nuovo la modifica dal negozio."},
			UsedUp:      {"Questo link è stato usato troppe volte", "Per sicurezza il numero di tentativi è limitato. Avvia di nuovo la modifica dal negozio."},
			Unavailable: {"Si è verificato un problema da parte nostra", "Al momento questa pagina non può essere mostrata. La preghiamo di riprovare tra qualche minuto."},
		},
		Again:      "Riprova",
		Anew:       "Ricomincia",
		StartOver:  "Avvii di nuovo la modifica dal negozio.",
		Close:      "Ora può chiudere questa pagina.",
		BackToShop: "Torna al negozio",
		BackTo:     "Torna a %s",
	},
	"es": {
		Ready: byUpdate{
			Address:       passage{"Cambiar su dirección de envío", "A continuación se abrirá Amazon Pay. Elija allí la dirección de envío que desee usar y después volverá a este sitio."},
			PaymentMethod: passage{"Cambiar su método de pago", "A continuación se abrirá Amazon Pay. Elija allí el método de pago que desee usar y después volverá a este sitio."},
			Both:          passage{"Cambiar su dirección de envío y su método de pago", "A continuación se abrirá Amazon Pay. Elija allí la dirección de envío y el método de pago que desee usar y después volverá a este sitio."},
		},
		FailedMessage: "No se ha podido cambiar su dirección o su método de pago. Inténtelo de nuevo.",
		Go:            "Continuar a Amazon Pay",
		Opening:       "Abriendo Amazon Pay…",
		Blocked:       "No se ha podido cargar Amazon Pay. Compruebe su conexión, desactive los bloqueadores de anuncios en esta página e inténtelo de nuevo.",
		Refused:       "No se ha podido abrir Amazon Pay. Inténtelo de nuevo. Si vuelve a ocurrir, póngase en contacto con la tienda.",
		Stuck:         "Amazon Pay no se ha abierto. Inténtelo de nuevo.",
		NoScript:      "Esta página necesita JavaScript para abrir Amazon Pay. Active JavaScript en los ajustes de su navegador, o use otro navegador, y vuelva a abrir esta página.",
		Reload:        "Volver a abrir esta página",
		Success: byUpdate{
			Address:       passage{"Su dirección de envío se ha cambiado", "El cambio está guardado. No tiene que hacer nada más."},
			PaymentMethod: passage{"Su método de pago se ha cambiado", "El cambio está guardado. No tiene que hacer nada más."},
			Both:          passage{"Su dirección de envío y su método de pago están al día", "Su elección está guardada. No tiene que hacer nada más."},
		},
		Pending:       passage{"Su cambio está en camino", "Amazon Pay ha aceptado el cambio y la tienda lo tendrá en unos minutos. No tiene que hacer nada más."},
		Failed:        passage{"El cambio no se ha completado", "No se ha podido cambiar su dirección o su método de pago. Inténtelo de nuevo."},
		Checking:      passage{"Estamos comprobando su cambio", "Amazon Pay todavía no ha confirmado el cambio. Seguimos comprobándolo y puede cerrar esta página. Si mañana el cambio no aparece, inícielo de nuevo desde la tienda."},
		CheckAgain:    "Comprobar de nuevo",
		PaymentMethod: "Método de pago",
		Address:       "Dirección de envío",
		Problems: map[Kind]passage{
			LinkExpired: {"Este enlace ha caducado", "Por su seguridad, el enlace solo es válido durante un tiempo limitado. Inicie de nuevo el cambio desde la tienda."},
			LinkInvalid: {"Este enlace no funciona", "Está incompleto o pertenece a otro cambio. Inicie de nuevo el cambio desde la tienda."},
			Done:        {"Este cambio ya se ha completado", "El enlace solo se puede usar una vez. Para cambiar algo más, inicie un nuevo cambio desde la tienda."},
			Closed:      {"Su acuerdo con Amazon Pay ha finalizado", "Ya no se puede modificar. Para seguir pagando con Amazon Pay, configúrelo de nuevo en la tienda."},
			NotFollowed: {"Aquí no se puede cambiar nada", "No hay ningún método de pago de Amazon Pay guardado que se pueda cambiar. Póngase en contacto con la tienda."},
			NotFound:    {"Página no encontrada", "No hay nada en esta dirección. Inicie de nuevo el cambio desde la tienda."},
			UsedUp:      {"Este enlace se ha usado demasiadas veces", "Por seguridad, el número de intentos es limitado. Vuelve a iniciar el cambio desde la tienda."},
			Unavailable: {"Algo ha fallado por nuestra parte", "Esta página no se puede mostrar en este momento. Inténtelo de nuevo dentro de unos minutos."},
		},
		Again:      "Intentar de nuevo",
		Anew:       "Empezar de nuevo",
		StartOver:  "Inicie de nuevo el cambio desde la tienda.",
		Close:      "Ya puede cerrar esta página.",
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
		NoScript:      "Amazon Payを開くにはJavaScriptが必要です。ブラウザの設定でJavaScriptを有効にするか、別のブラウザで、このページをもう一度開いてください。",
		Reload:        "このページを開き直す",
		Success: byUpdate{
			Address:       passage{"お届け先を\u200b変更しました", "変更内容を保存しました。これ以上のお手続きは必要ありません。"},
			PaymentMethod: passage{"お支払い方法を\u200b変更しました", "変更内容を保存しました。これ以上のお手続きは必要ありません。"},
			Both:          passage{"お届け先と\u200bお支払い方法を\u200b更新しました", "ご選択の内容を保存しました。これ以上のお手続きは必要ありません。"},
		},
		Pending:       passage{"変更を\u200b反映しています", "Amazon Payで変更を受け付けました。数分以内にショップに反映されます。これ以上のお手続きは必要ありません。"},
		Failed:        passage{"変更は\u200b完了していません", "お届け先またはお支払い方法を変更できませんでした。もう一度お試しください。"},
		Checking:      passage{"変更の結果を\u200b確認しています", "Amazon Payからの確認がまだ届いていません。引き続き確認しますので、このページは閉じていただいてかまいません。明日になっても変更が反映されない場合は、お手数ですが、ショップからもう一度お手続きください。"},
		CheckAgain:    "もう一度確認する",
		PaymentMethod: "お支払い方法",
		Address:       "お届け先",
		Problems: map[Kind]passage{
			LinkExpired: {"リンクの\u200b有効期限が\u200b切れています", "安全のため、リンクには有効期限があります。お手数ですが、ショップからもう一度お手続きください。"},
			LinkInvalid: {"このリンクは\u200bご利用いただけません", "リンクが途中で切れているか、別のお手続きのものである可能性があります。お手数ですが、ショップからもう一度お手続きください。"},
			Done:        {"このお手続きは\u200b完了しています", "リンクは一度だけご利用いただけます。ほかに変更がある場合は、ショップから新しくお手続きください。"},
			Closed:      {"Amazon Payの\u200bご契約は\u200b終了しています", "このご契約は変更できません。引き続きAmazon Payでお支払いいただくには、ショップであらためて設定してください。"},
			NotFollowed: {"ここでは\u200b変更できません", "変更できるAmazon Payのお支払い方法が登録されていません。お手数ですが、ショップまでお問い合わせください。"},
			NotFound:    {"ページが\u200b見つかりません", "お探しのページはありません。お手数ですが、ショップからもう一度お手続きください。"},
			UsedUp:      {"このリンクは\u200bこれ以上\u200bご利用いただけません", "安全のため、お手続きの回数には上限があります。お手数ですが、ショップからもう一度お手続きください。"},
			Unavailable: {"ただいま\u200bページを\u200b表示できません", "システムに問題が発生しました。お手数ですが、数分後にもう一度お試しください。"},
		},
		Again:      "もう一度試す",
		Anew:       "はじめからやり直す",
		StartOver:  "お手数ですが、ショップからもう一度お手続きください。",
		Close:      "このページは閉じていただいてかまいません。",
		BackToShop: "ショップに戻る",
		BackTo:     "%sに戻る",
	},
}
