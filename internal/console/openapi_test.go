package console

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"walletsync/internal/console/view"
	"walletsync/internal/local/apidoc"
	"walletsync/internal/update/pages"
	"walletsync/internal/wallet"
)

const ofOne = "/charge-permissions/{account}/{id}"

// parameters returns those of a path, and those of the query with their texts.
func parameters(path string, query map[string]string) (all openapi3.Parameters) {
	add := func(p *openapi3.Parameter, says string, limit func(*openapi3.Schema)) {
		s := openapi3.NewStringSchema()
		if limit != nil {
			limit(s)
		}
		all = append(all, &openapi3.ParameterRef{Value: p.WithDescription(says).WithSchema(s)})
	}
	if strings.Contains(path, "{account}") {
		add(openapi3.NewPathParameter("account"), "The account, as the configuration names it.", apidoc.Pattern(wallet.AccountIDPattern))
	}
	if strings.Contains(path, "{id}") {
		add(openapi3.NewPathParameter("id"), "The charge permission.", apidoc.Pattern(wallet.ChargePermissionIDPattern))
	}
	if strings.Contains(path, "{filter}") {
		add(openapi3.NewPathParameter("filter"), "The list.", apidoc.OneOf(view.Filters()...))
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		var limit func(*openapi3.Schema)
		if name == "span" {
			limit = apidoc.OneOf(slices.Sorted(maps.Keys(spans))...)
		}
		add(openapi3.NewQueryParameter(name), query[name], limit)
	}
	return all
}

// description is what the console's JSON is described by. The forms that ask for
// a confirmation are for browsers alone.
func description() apidoc.Description {
	const logged = "The access log records the request. "
	type answers map[int]any
	operation := func(method, path, id, summary, says string, query map[string]string, request any, models answers) apidoc.Operation {
		o := apidoc.Operation{Method: method, Path: path, ID: id, Summary: summary, Says: says, Parameters: parameters(path, query), Request: request}
		for _, status := range slices.Sorted(maps.Keys(models)) {
			o.Answers = append(o.Answers, apidoc.Answer{Status: status, Model: models[status], ContentType: "application/json"})
		}
		o.Answers = append(o.Answers, apidoc.Answer{Says: "Why the request failed (RFC 9457).", Model: Problem{}, ContentType: "application/problem+json"})
		return o
	}
	return apidoc.Description{
		Info: openapi3.Info{Title: "walletsync console", Version: "1", Description: "The console's pages as JSON, at the same addresses, for Accept: application/json and an access token of the console's issuer. " +
			"Members are only added; they keep their names and meanings. Times are RFC 3339 in UTC."},
		Servers:  openapi3.Servers{{URL: "../console"}},
		Security: map[string]*openapi3.SecurityScheme{"token": openapi3.NewJWTSecurityScheme()},
		Operations: []apidoc.Operation{
			operation(http.MethodPost, "/search", "search", "Find charge permissions by id, name, email address or postal code.",
				logged+"Needs the role masked; names, email addresses and postal codes need read. The beginning of a term is enough.", nil, searchRequest{}, answers{200: view.Search{}, 422: view.Search{}}),
			operation(http.MethodGet, "/lists/{filter}", "list", "Get a page of a list.", logged+"Needs the role masked.",
				map[string]string{"after": "next of the previous page, in the same role."}, nil, answers{200: view.List{}}),
			operation(http.MethodGet, ofOne, "record", "Get everything about a charge permission.", logged+"Needs the role masked, which gets no personal data.",
				map[string]string{"before": "timeline_next of the previous page."}, nil, answers{200: view.Record{}}),
			operation(http.MethodPost, ofOne+"/refresh", "refresh", "Fetch a charge permission from Amazon Pay now.", logged+"Needs the role act.", nil, nil, answers{200: view.Refreshed{}}),
			operation(http.MethodPost, ofOne+"/update-links", "createUpdateLink", "Start an update and get the link for the buyer.", logged+"Needs the role act.", nil, linkRequest{}, answers{201: view.Link{}}),
			operation(http.MethodGet, ofOne+"/accesses", "accesses", "List who opened a charge permission in the console.", "Needs the role act.", nil, nil, answers{200: view.Accesses{}}),
			operation(http.MethodPost, ofOne+"/export", "exportPerson", "Export everything that is stored about the person behind a charge permission.", logged+"Needs the role act.", nil, confirmRequest{}, answers{200: nil, 422: view.Confirm{}}),
			operation(http.MethodPost, ofOne+"/erase", "erasePerson", "Erase what is stored about the person behind a charge permission, for good.", logged+"Needs the role act.", nil, confirmRequest{}, answers{200: view.Erased{}, 422: view.Confirm{}}),
			operation(http.MethodGet, "/failures", "failures", "List dead-letter messages and failing reads.", logged+"Needs the role masked.", nil, nil, answers{200: view.Failures{}}),
			operation(http.MethodPost, "/failures/retry", "retry", "Send one dead-letter message, or all, to the queue again.", logged+"Needs the role act.", nil, retryRequest{}, answers{200: view.Failures{}}),
			operation(http.MethodGet, "/overview", "overview", "Get the state of all accounts and the hours before.", "Needs the role masked.", map[string]string{"span": "How far back; 24h by default."}, nil, answers{200: view.Overview{}}),
			operation(http.MethodGet, "/you", "you", "Get who is signed in, and the role.", "", nil, nil, answers{200: view.You{}}),
		},
		Members: members(),
	}
}

// members are the texts of all members.
func members() map[string]apidoc.Member {
	const (
		account  = "The account, as the configuration names it."
		id       = "The charge permission."
		trueAsOf = "When Amazon Pay gave the answer that this was read from."
		next     = "The cursor of the next page; empty: there is none."
	)
	id_, account_ := apidoc.Pattern(wallet.ChargePermissionIDPattern), apidoc.Pattern(wallet.AccountIDPattern)
	filters, roles := apidoc.OneOf(view.Filters()...), apidoc.OneOf(view.RoleMasked.String(), view.RoleRead.String(), view.RoleAct.String())
	all := map[string]apidoc.Member{
		"SearchRequest":       {Says: "A search. Without q it lists the charge permissions in a state."},
		"SearchRequest.q":     {Says: "The term: an id of a charge permission, charge or refund, or the beginning of a name, an email address or a postal code."},
		"SearchRequest.state": {Says: "Limits the search to a state; empty: any.", Limit: apidoc.OneOf(slices.Sorted(maps.Keys(states))...)},
		"SearchRequest.after": {Says: "next of the previous page, of the same search and role."},

		"LinkRequest":        {Says: "An update."},
		"LinkRequest.update": {Says: "What the buyer is asked to change.", Limit: apidoc.OneOf(updates...)},

		"ConfirmRequest":         {Says: "A confirmation."},
		"ConfirmRequest.confirm": {Says: "The id of the charge permission once more."},

		"RetryRequest":     {Says: "Either id or all."},
		"RetryRequest.id":  {Says: "The id of one message."},
		"RetryRequest.all": {Says: "1: all messages."},

		"Row":                              {Says: "A charge permission in a list."},
		"Row.name":                         {Says: "The buyer's name."},
		"Row.postal_code":                  {Says: "The postal code of the shipping address."},
		"Row.city":                         {Says: "The city of the shipping address."},
		"Row.country_code":                 {Says: "The country of the shipping address, of ISO 3166-1 alpha-2."},
		"Row.chargeable":                   {Says: "Whether it can be charged; null: it was never read."},
		"Row.required_action":              {Says: "What the buyer must do."},
		"Row.state":                        {Says: "Amazon Pay's state."},
		"Row.payment_descriptor":           {Says: "The payment method, as the buyer sees it."},
		"Row.stored_at":                    {Says: "When it was last stored."},
		"Row.pending_since":                {Says: "Since when a read is pending; null: none is."},
		"Row.failed_attempts":              {Says: "How many attempts of the pending read have failed."},
		"Row.last_error":                   {Says: "Why the last attempt failed."},
		"Row.at":                           {Says: "The time by which the list is ordered."},
		"Search":                           {Says: "The answer to a search."},
		"Search.q":                         {Says: "The term."},
		"Search.state":                     {Says: "The state that was searched for; empty: any."},
		"Search.searched_as":               {Says: "What the term was taken for; empty: nothing was searched.", Limit: apidoc.OneOf("", view.ByID, view.ByName, view.ByEmail, view.ByPostalCode, view.ByState)},
		"Search.rows":                      {Says: "What was found."},
		"Search.next":                      {Says: next},
		"Search.problem":                   {Says: "Why nothing could be searched; empty: it was.", Limit: apidoc.OneOf("", "too_short", "masked")},
		"List":                             {Says: "A page of a list."},
		"List.filter":                      {Says: "The list.", Limit: filters},
		"List.rows":                        {Says: "The charge permissions."},
		"List.next":                        {Says: next},
		"Address":                          {Says: "An address. Null: it was never read."},
		"Address.name":                     {Says: "The recipient."},
		"Address.line1":                    {Says: "The first line."},
		"Address.line2":                    {Says: "The second line."},
		"Address.line3":                    {Says: "The third line."},
		"Address.city":                     {Says: "The city."},
		"Address.county":                   {Says: "The county."},
		"Address.district":                 {Says: "The district."},
		"Address.state_or_region":          {Says: "The state or region."},
		"Address.postal_code":              {Says: "The postal code."},
		"Address.country_code":             {Says: "The country, of ISO 3166-1 alpha-2."},
		"Address.phone":                    {Says: "The phone number."},
		"Address.since":                    {Says: "When this address was first stored."},
		"Address.as_of":                    {Says: trueAsOf},
		"Buyer":                            {Says: "The buyer. Null: it was never read."},
		"Buyer.buyer_id":                   {Says: "Amazon Pay's id of the buyer."},
		"Buyer.name":                       {Says: "The name."},
		"Buyer.email":                      {Says: "The email address."},
		"Buyer.phone":                      {Says: "The phone number."},
		"PaymentState":                     {Says: "Whether the charge permission can be charged. Null: it was never read."},
		"PaymentState.chargeable":          {Says: "Whether it can be charged."},
		"PaymentState.reason":              {Says: "Why it cannot, as Amazon Pay says."},
		"PaymentState.required_action":     {Says: "What the buyer must do: nothing, update, wait, set_up_again, unknown, or a newer word."},
		"PaymentState.state":               {Says: "Amazon Pay's state."},
		"PaymentState.since":               {Says: "Since when it is in this state."},
		"PaymentState.as_of":               {Says: trueAsOf},
		"PaymentState.limit_remaining":     {Says: "What is left of the limit, as a decimal number."},
		"PaymentState.expires_at":          {Says: "When the charge permission expires."},
		"PaymentState.limit_amount":        {Says: "The limit, as a decimal number."},
		"PaymentState.limit_currency":      {Says: "The limit's currency, of ISO 4217."},
		"PaymentState.reason_codes":        {Says: "Amazon Pay's reasons for the state."},
		"PaymentState.payment_descriptor":  {Says: "The payment method, as the buyer sees it."},
		"PaymentState.payment_descriptors": {Says: "The payment methods, as the buyer sees them."},
		"Freshness":                        {Says: "How current the data is."},
		"Freshness.as_of":                  {Says: trueAsOf},
		"Freshness.stored_at":              {Says: "When it was last stored."},
		"Freshness.last_cause":             {Says: "Why it was last fetched."},
		"Freshness.amazon_request_id":      {Says: "Amazon Pay's id of that request."},
		"Freshness.refresh_pending":        {Says: "Whether a read is pending."},
		"Freshness.pending_since":          {Says: "Since when it is."},
		"Freshness.pending_cause":          {Says: "Why it is."},
		"Freshness.next_attempt_at":        {Says: "When it is attempted at the earliest."},
		"Freshness.failed_attempts":        {Says: "How many attempts of it have failed."},
		"Freshness.last_error":             {Says: "Why the last attempt failed."},
		"Freshness.not_found_since":        {Says: "Since when Amazon Pay answers that it does not know the charge permission."},
		"Freshness.last_notified_at":       {Says: "When its newest notification arrived."},
		"Change":                           {Says: "A change of a charge permission."},
		"Change.position":                  {Says: "Its position in the change feed."},
		"Change.facet":                     {Says: "What changed."},
		"Change.before":                    {Says: "What was stored before."},
		"Change.after":                     {Says: "What was stored then."},
		"Change.cause":                     {Says: "Why the charge permission was read."},
		"Change.message_id":                {Says: "The SNS message that caused the read."},
		"Change.amazon_request_id":         {Says: "Amazon Pay's id of the request that found the change."},
		"Change.as_of":                     {Says: trueAsOf},
		"Change.stored_at":                 {Says: "When the change was stored."},
		"Change.differences":               {Says: "The fields that differ."},
		"Difference":                       {Says: "A field that differs."},
		"Difference.facet":                 {Says: "The facet of the change; in a first read, that of the field."},
		"Difference.field":                 {Says: "The field."},
		"Difference.before":                {Says: "Its value before; null: none."},
		"Difference.after":                 {Says: "Its value after; null: none."},
		"Update":                           {Says: "An update session."},
		"Update.update_id":                 {Says: "Its id.", Limit: apidoc.Format("uuid")},
		"Update.requested":                 {Says: "What the buyer was asked to change.", Limit: apidoc.OneOf(pages.PaymentMethod, pages.Address, pages.Both)},
		"Update.open":                      {Says: "Whether it has not ended."},
		"Update.state":                     {Says: "Its state."},
		"Update.failure_reason":            {Says: "Why it failed."},
		"Update.started_at":                {Says: "When it was started."},
		"Update.expires_at":                {Says: "Until when it can be completed."},
		"Update.returned_at":               {Says: "When the buyer came back."},
		"Update.ended_at":                  {Says: "When it ended."},
		"Update.attempts":                  {Says: "How often it was attempted."},
		"Update.change_stored_at":          {Says: "When the change that it led to was stored."},
		"Record":                           {Says: "A charge permission. Its lists begin with the newest and have at most a page."},
		"Record.buyer":                     {Says: "The buyer."},
		"Record.shipping_address":          {Says: "The shipping address."},
		"Record.billing_address":           {Says: "The billing address."},
		"Record.payment_state":             {Says: "Whether it can be charged."},
		"Record.freshness":                 {Says: "How current the data is."},
		"Record.timeline":                  {Says: "Its changes."},
		"Record.timeline_next":             {Says: "The parameter before of the next page of the timeline; 0: there is none."},
		"Record.updates":                   {Says: "Its update sessions."},
		"Record.notifications":             {Says: "Notifications that named it."},
		"Record.refund_and_chargeback_notifications": {Says: "Notifications about its refunds and chargebacks."},
		"Refreshed":                        {Says: "The outcome of a refresh."},
		"Refreshed.outcome":                {Says: "waiting: it could not be read at once, and is read as soon as possible.", Limit: apidoc.OneOf(outcomes...)},
		"Refreshed.changed":                {Says: "The facets that changed."},
		"Link":                             {Says: "A link to the update page for the buyer."},
		"Link.update_id":                   {Says: "The update session.", Limit: apidoc.Format("uuid")},
		"Link.requested":                   {Says: "What the buyer is asked to change.", Limit: apidoc.OneOf(updates...)},
		"Link.url":                         {Says: "The link.", Limit: apidoc.Format("uri")},
		"Link.expires_at":                  {Says: "Until when it can be opened."},
		"Confirm":                          {Says: "The action needs a confirmation."},
		"Confirm.what":                     {Says: "The action.", Limit: apidoc.OneOf("export", "erase")},
		"Confirm.wrong":                    {Says: "Whether the confirmation was not the id of the charge permission."},
		"Erased":                           {Says: "The personal data was erased."},
		"DeadLetter":                       {Says: "A message of the dead-letter queue."},
		"DeadLetter.id":                    {Says: "Its id in the queue."},
		"DeadLetter.reason":                {Says: "Why it could not be processed; received_too_often: its attempts were used up."},
		"DeadLetter.kind":                  {Says: "The kind of message."},
		"DeadLetter.object_type":           {Says: "The type of the object that the notification named."},
		"DeadLetter.object_id":             {Says: "The object that the notification named."},
		"DeadLetter.notification_id":       {Says: "Amazon Pay's id of the notification."},
		"DeadLetter.message_id":            {Says: "SNS's id of the notification."},
		"DeadLetter.topic":                 {Says: "The SNS topic that it came from."},
		"DeadLetter.published_at":          {Says: "When SNS published it."},
		"DeadLetter.sent_at":               {Says: "When it was sent to the dead-letter queue."},
		"DeadLetter.body":                  {Says: "The message as it came; null without the role read."},
		"Failures":                         {Says: "What failed."},
		"Failures.dead_letters":            {Says: "Messages of the dead-letter queue; not all, if there are many."},
		"Failures.total":                   {Says: "How many dead-letter messages there are, approximately."},
		"Failures.failing":                 {Says: "Charge permissions whose reads fail, the longest pending first."},
		"Failures.more_failing":            {Says: "Whether there are more; see the list failing."},
		"Failures.retried":                 {Says: "How many messages this request sent to the queue; null: it was not a retry."},
		"Failures.missing":                 {Says: "Whether the message to retry was gone."},
		"Hour":                             {Says: "One hour, over all accounts."},
		"Hour.hour":                        {Says: "When it began."},
		"Hour.notifications":               {Says: "How many notifications arrived."},
		"Hour.changes":                     {Says: "How many changes were stored."},
		"Hour.lag_p50":                     {Says: "Seconds from the arrival of a notification to the commit of the change, median."},
		"Hour.lag_p95":                     {Says: "The same, 95th percentile."},
		"Hour.failing":                     {Says: "The highest number of charge permissions whose reads failed."},
		"Hour.fetched":                     {Says: "How many tokens of the quota pending reads have used."},
		"Hour.quota_used":                  {Says: "The used part of the share of the quota, 0 to 1, of the account that used the most."},
		"Hour.oldest_wanted":               {Says: "How long the oldest pending read had waited, in seconds."},
		"Hour.counted_until":               {Says: "When these were counted."},
		"AccountNow":                       {Says: "An account now."},
		"AccountNow.merchant_id":           {Says: "The merchant's id."},
		"AccountNow.environment":           {Says: "live or sandbox."},
		"AccountNow.tokens":                {Says: "How many calls of Amazon Pay can be made at once."},
		"AccountNow.burst":                 {Says: "The highest value of tokens."},
		"AccountNow.per_second":            {Says: "How many tokens are added per second."},
		"AccountNow.closed_until":          {Says: "Until when calls are paused."},
		"AccountNow.closed_why":            {Says: "Why they are."},
		"AccountNow.oldest_wanted_since":   {Says: "Since when the oldest due read is pending; null: none is due."},
		"AccountNow.failing":               {Says: "How many charge permissions have failing reads; 1001: more than a thousand."},
		"AccountNow.last_notification_at":  {Says: "When the newest notification arrived."},
		"AccountNow.channel":               {Says: "Whether notifications arrive: alive, doubtful, dead or untested."},
		"AccountNow.missing_notifications": {Says: "How many notifications are missing since the newest one."},
		"AccountNow.missing_since":         {Says: "When the first of them was due."},
		"Overview":                         {Says: "The state of all accounts."},
		"Overview.span":                    {Says: "How far back.", Limit: apidoc.OneOf(slices.Sorted(maps.Keys(spans))...)},
		"Overview.from":                    {Says: "When the first hour began."},
		"Overview.to":                      {Says: "The time of the answer."},
		"Overview.hours":                   {Says: "The hours in which something was counted, in order."},
		"Overview.accounts":                {Says: "The accounts."},
		"Overview.last_change_at":          {Says: "When the newest change was stored."},
		"Overview.dead_letters":            {Says: "How many dead-letter messages there are, approximately; null: the queue is unreachable."},
		"Accessed":                         {Says: "A line of the access log."},
		"Accessed.at":                      {Says: "When."},
		"Accessed.subject":                 {Says: "The issuer's id of the user, which never changes."},
		"Accessed.name":                    {Says: "The user's name then; empty: the issuer gave none."},
		"Accessed.role":                    {Says: "The user's role then.", Limit: roles},
		"Accessed.what":                    {Says: "What the user did: opened, refreshed, linked, exported, erased, or a newer word."},
		"Accesses":                         {Says: "Who opened a charge permission."},
		"Accesses.accesses":                {Says: "The lines of the access log, the newest first."},
		"You":                              {Says: "The signed-in user."},
		"You.subject":                      {Says: "The issuer's id of the user, which never changes."},
		"You.name":                         {Says: "The user's name."},
		"You.role":                         {Says: "The user's role.", Limit: roles},
		"Problem":                          {Says: "Why a request failed (RFC 9457)."},
		"Problem.title":                    {Says: "The HTTP status in words."},
		"Problem.status":                   {Says: "The HTTP status."},
		"Problem.detail":                   {Says: "What to do, for people."},
		"Problem.code":                     {Says: "What is wrong, for programs. Treat an unknown one by its HTTP status."},
	}
	for _, model := range []string{"Notification", "RefundOrChargebackNotification"} {
		for member, says := range map[string]string{
			"": "A notification of Amazon Pay.", ".message_id": "SNS's id.", ".notification_id": "Amazon Pay's id.", ".object_type": "The type of the object.", ".object_id": "The object.",
			".notification_type": "What it is about.", ".published_at": "When SNS published it.", ".arrived_at": "When it arrived.",
		} {
			all[model+member] = apidoc.Member{Says: says}
		}
	}
	all["Notification.processed_at"] = apidoc.Member{Says: "When it was processed."}
	all["Notification.outcome"] = apidoc.Member{Says: "What it led to: wanted, covered, confirming, not_followed, unknown, recorded, unmatched, or a newer word."}
	for _, model := range []string{"Row", "Record", "Link", "Confirm", "Erased", "Accesses", "DeadLetter"} {
		all[model+".account"], all[model+".charge_permission_id"] = apidoc.Member{Says: account, Limit: account_}, apidoc.Member{Says: id, Limit: id_}
	}
	all["AccountNow.account"] = apidoc.Member{Says: account, Limit: account_}
	return all
}

func TestTheDescriptionIsThatOfTheTypes(t *testing.T) {
	doc, err := description().Document()
	if err != nil {
		t.Fatal(err)
	}
	b, err := apidoc.Encode(doc)
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile("openapi.json", b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b, openAPI) {
		t.Error("openapi.json differs from the types; run go test -update. A member that is gone or has another type breaks clients")
	}
}

// The end-to-end tests check the answers of the whole stack in the same way.
func TestAnswersAreAsDescribed(t *testing.T) {
	c, err := apidoc.NewChecker(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	forms := map[string]url.Values{"search": {"q": {"anna"}}, "createUpdateLink": {"update": {"both"}}, "exportPerson": {"confirm": {id}}, "erasePerson": {"confirm": {id}}, "retry": {"all": {"1"}}}
	for _, o := range description().Operations {
		if o.ID == "you" {
			continue // which package oidc answers
		}
		t.Run(o.ID, func(t *testing.T) {
			path := strings.NewReplacer("{account}", "main", "{id}", id, "{filter}", "stale").Replace(o.Path)
			for _, a := range []struct {
				name, broken string
				call         call
				least, limit int // the status
			}{
				{"as asked", "", call{form: forms[o.ID], role: view.RoleAct}, 200, 299},
				{"without a role", "", call{form: forms[o.ID]}, 401, 401},
				{"masked", "", call{form: forms[o.ID], role: view.RoleMasked}, 200, 422},
				{"without a form", "", call{role: view.RoleAct}, 200, 422},
				{"without an access log", "access", call{form: forms[o.ID], role: view.RoleAct}, 200, 503},
			} {
				a.call.method, a.call.path, a.call.json = o.Method, path, true
				p := parts{broken: a.broken, dead: []view.DeadLetter{{ID: "q-1"}}, rows: map[string][]view.Row{view.ByName: rows()}}
				w := p.call(t, a.call)
				if w.Code < a.least || w.Code > a.limit {
					t.Errorf("%s: %d", a.name, w.Code)
				}
				if err := c.Answer(t.Context(), httptest.NewRequest(o.Method, path, nil), w.Code, w.Header(), w.Body.Bytes()); err != nil {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		})
	}
}

// The fullest model of each page is as described too.
func TestModelsAreAsDescribed(t *testing.T) {
	c, err := apidoc.NewChecker(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	models := every()
	for _, a := range []struct {
		name, method, path string
		status             int
	}{
		{"search-found", http.MethodPost, "/search", 200}, {"list", http.MethodGet, "/lists/stale", 200}, {"record", http.MethodGet, record, 200},
		{"link", http.MethodPost, record + "/update-links", 201}, {"confirm-erase", http.MethodPost, record + "/erase", 422},
		{"erased", http.MethodPost, record + "/erase", 200}, {"accesses", http.MethodGet, record + "/accesses", 200},
		{"failures", http.MethodGet, "/failures", 200}, {"overview", http.MethodGet, "/overview", 200},
	} {
		v := models[a.name].v
		if r, ok := v.(recordPage); ok {
			v = r.Record
		}
		w := httptest.NewRecorder()
		WriteJSON(w, a.status, v)
		if err := c.Answer(t.Context(), httptest.NewRequest(a.method, a.path, nil), w.Code, w.Header(), w.Body.Bytes()); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
	}
}
