package main

// mutation is one rule broken on purpose: a piece of a file that is there
// exactly once, and what to put in its place.
type mutation struct {
	rule, file, old, new string
}

// The files, from internal.
const (
	model  = "refresh/storetest/model.go"
	plan   = "refresh/plan.go"
	fetch  = "refresh/fetch.go"
	run    = "refresh/run.go"
	worker = "ipn/worker.go"
)

var mutations = []mutation{
	{"no fence", model,
		`if r == nil || r.Lease != q.Lease { // the fence`, `if r == nil {`},
	{"a lease is freed by any worker", model,
		`if r == nil || r.Lease != q.Lease { // the fence`, `if r == nil || r.Lease != q.Lease {
			if r != nil {
				r.Lease, r.LeaseUntil = refresh.Lease{}, time.Time{}
			}`},
	{"a live lease is no obstacle", model,
		`return later(r.NotBefore, r.LeaseUntil)`, `return r.NotBefore`},
	{"reasons counted at the commit, not at the claim", model,
		`r.Done = r.Claimed`, `r.Done = r.Wanted`},
	{"wanted not raised during a fetch", model,
		`r.Wanted += reasons`, `if r.Lease == (refresh.Lease{}) {
		r.Wanted += reasons
	}`},
	{"duplicates not recognised", model,
		`if _, ok := m.inbox[a.MessageID]; ok {`, `if _, ok := m.inbox[a.MessageID]; ok && false {`},
	{"covered without margin", model,
		`!a.Published.Add(q.Margin).After(r.ReadAt):`, `!a.Published.After(r.ReadAt):`},
	{"never covered", model,
		`case !r.ReadAt.IsZero() && !a.Published`, `case false && !a.Published`},
	{"a waiting confirmation takes newer notifications too", model,
		`!a.Published.After(later(r.NotifiedAt, r.ReadAt)),`, `!a.Published.After(now.Add(24 * time.Hour)),`},
	{"a read under way answers for newer notifications too", model,
		`r.LeaseUntil.After(now) && !a.Published.After(r.NotifiedAt):`, `r.LeaseUntil.After(now):`},
	{"a read answers for notifications when it is not under way any more", model,
		`r.LeaseUntil.After(now) && !a.Published.After(r.NotifiedAt):`, `!a.Published.After(r.NotifiedAt):`},
	{"the newest notification is not noted", model,
		`if r.NotifiedAt.Before(g.newest) {`, `if r.NotifiedAt.IsZero() {`},
	{"no confirmation", model,
		`t.Confirm = answered && unsure && r.Wanted == r.Claimed && r.Confirms < refresh.MaxConfirms`, `t.Confirm = false`},
	{"no bound of three confirmations", model,
		`t.Confirm = answered && unsure && r.Wanted == r.Claimed && r.Confirms < refresh.MaxConfirms`,
		`t.Confirm = answered && unsure && r.Wanted == r.Claimed`},
	{"a confirmation at once", model,
		`now.Add(q.ConfirmAfter())`, `now`},
	{"a read without Date is no early one", model,
		`early := res.ReadAt.IsZero() || !r.NotifiedAt.IsZero()`, `early := !res.ReadAt.IsZero() && !r.NotifiedAt.IsZero()`},
	{"an early 404 is final", model,
		`unsure := res.Kind != refresh.NotFollowed && (`, `unsure := res.Kind != refresh.NotFollowed && res.Kind != refresh.Gone && (`},
	{"withheld reads are stored", model,
		`Stored: res.Kind == refresh.Read && !withheld}`, `Stored: res.Kind == refresh.Read}`},
	{"nothing is withheld", plan,
		`r.ContradictsRecent = contradictsRecent(c, r.Changes)`, `r.ContradictsRecent = false`},
	{"withheld for ever", model,
		`withheld := res.ContradictsRecent && r.Confirms < refresh.MaxConfirms`, `withheld := res.ContradictsRecent`},
	{"a back-off is cleared by a notification", model,
		`case r.Attempts > 0: // a back-off stays`, `case false:`},
	{"a back-off does not grow", plan,
		`math.Pow(2, float64(min(n, 30)))`, `1`},
	{"a failure counts as done", model,
		`answered := res.Kind == refresh.Read ||`, `answered := res.Kind == refresh.Failed || res.Kind == refresh.Read ||`},
	{"the later not_before wins", model,
		`earlier(r.NotBefore, at)`, `later(r.NotBefore, at)`},
	{"the lower priority wins", model,
		`r.Priority, r.NotBefore = min(r.Priority, priority), `, `r.Priority, r.NotBefore = max(r.Priority, priority), `},
	{"claims in order of age alone", model,
		`return cmp.Or(cmp.Compare(x.Priority, y.Priority), byAge(x, y))`, `return byAge(x, y)`},
	{"a repeated trip claims again", model,
		`if r.Lease == q.Lease { // the trip is repeated
			return
		}`, ``},
	{"a repeated trip asks again at once", model,
		`r != nil && r.Lease == q.Lease {
		return false // the trip is repeated`, `r != nil && false {
		return false`},
	{"of ids never read the longest wanted goes first", model,
		`return cmp.Or(y.Since.Compare(x.Since), cmp.Compare(x.ID, y.ID)) // the newest first`, `return byAge(x, y)`},
	{"no token in ten for the longest wanted", model,
		`oldest := int((b.Granted+int64(n))/10 - b.Granted/10)`, `oldest := 0`},
	{"since does not restart", model,
		`r.Since, r.Attempts = now, 0`, `r.Attempts = 0`},
	{"a token is taken without a claim", model,
		`b.Tokens -= float64(n)`, `b.Tokens = max(0, b.Tokens-float64(n)-1)`},
	{"the quota is overdrawn", model,
		`int(math.Floor(b.Tokens))`, `int(math.Ceil(b.Tokens))`},
	{"at once without a token", model,
		`if !b.ClosedUntil.After(now) && b.Tokens >= 1 {`, `if !b.ClosedUntil.After(now) {`},
	{"a closed bucket gives tokens", model,
		`	if !b.ClosedUntil.After(now) {
		n = `, `	if b != nil {
		n = `},
	{"a refused key does not rest the calls", plan,
		`	if amazonpay.Misconfigured(err) {`, `	if amazonpay.Misconfigured(err) && s.Pause < 0 {`},
	{"a refused object pauses the account's calls", plan,
		`	if amazonpay.Misconfigured(err) {`, `	if amazonpay.Misconfigured(err) || amazonpay.ObjectRefused(err) {`},
	{"what a refused key deferred does not show as failing", model,
		`	case res.Kind == refresh.Deferred: // shows`, `	case false: // shows`},
	{"several ids in a row refused do not pause the calls", model,
		`len(b.Refused) < wallet.MaxRefused {`, `len(b.Refused) <= wallet.MaxRefused {`},
	{"the same id refused again counts as another", model,
		`ids = slices.Compact(ids)`, `ids = ids[:len(ids):len(ids)]`},
	{"an answer does not end the row of refused ids", model,
		`	if r.Answered { // the key is good
		b.Refused = nil`, `	if r.Answered { // the key is good`},
	{"the token of a call that was not made is lost", model,
		`b.Tokens = min(b.Burst, b.Tokens+1)`, `b.Tokens = min(b.Burst, b.Tokens)`},
	{"a token is returned without the fence", model,
		`if r == nil || r.Lease != q.Lease { // the fence`, `if r != nil && res.Kind == refresh.NotCalled && r.Lease != q.Lease {
			m.buckets[r.Account].Tokens++
		}
		if r == nil || r.Lease != q.Lease {`},
	{"a call that was not made is an attempt", model,
		`r.LastError, r.Lease, r.LeaseUntil = res.Error`, `r.Attempts++
		r.LastError, r.Lease, r.LeaseUntil = res.Error`},
	{"a call that was not made does not pause the calls", plan,
		`			&Closing{Account: c.Account, For: s.OwnPause, Why: clip(err.Error())}`, `			nil`},
	{"the feed's position is not raised", model,
		`c.Position = int64(len(m.changes)) + 1`, `c.Position = int64(len(m.changes))`},
	{"what Amazon says of another is stored", fetch,
		`if a.ID != "" && a.ID != string(id) {`, `if false {`},
	{"what is not followed is kept in step", plan,
		`if !follow.Follows(state.Type) {`, `if false {`},
	{"read when it was answered, not when it was asked for", fetch,
		`return r.Date.Add(-r.Duration)`, `return r.Date`},
	{"erasure without taking the lease", model,
		`r.Lease = ErasureLease // the lease is taken over`, `_ = r`},
	{"the erasure marker is ignored", plan,
		`if c.Erased {`, `if false {`},
	{"an erasure leaves the history", model,
		`m.changes[i] = ch.withoutPerson()`, `m.changes[i] = ch`},
	{"an update lifts no erasure", model,
		`r.ErasedAt, r.ReadAt = time.Time{}, time.Time{}`, `r.ReadAt = time.Time{}`},
	{"what was read without the person covers what is read with it", model,
		`r.ErasedAt, r.ReadAt = time.Time{}, time.Time{}`, `r.ErasedAt = time.Time{}`},
	{"acknowledged before the first trip commits", run,
		`return false, err`, `return false, nil`},
	{"acknowledged though the second trip failed", run,
		`			out.redeliver = true
			return out, nil`, `			return out, nil`},
	{"a wake-up that was not sent counts as sent", run,
		`decides again")
			out.redeliver = true`, `decides again")`},
	{"a redelivery without force", run,
		`Woken: b.Woken, Force: b.Redelivered,`, `Woken: b.Woken,`},
	{"an earlier wake-up is not sent", model,
		`|| treated || at.Before(b.WakeAt) {`, `|| treated {`},
	{"a wake-up that has come counts as under way", model,
		`if force || treated { // none`, `if false { // none`},
	{"a wake-up's own time does not pass", model,
		`|| treated || at.Before(b.WakeAt) {`, `|| at.Before(b.WakeAt) {`},
	{"a failed batch comes again in part", worker,
		`failed = append(failed, good...)`, `failed = append(failed, good[0])`},
	{"one account's message decides for all", worker,
		`slices.Sorted(maps.Values(one))...`, `slices.Sorted(maps.Values(one))[0]`},
	{"a dead-letter message that was not sent is acknowledged", worker,
		`			unsent = append(unsent, l.ID)
			continue`, `			continue`},
	{"a bad message is dropped", worker,
		`if err := w.DeadLetters.DeadLetter(send, l.Body, l.reason, l.account); err != nil {`, `if err := send.Err(); err != nil {`},
}
