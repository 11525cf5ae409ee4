package simtest

import "walletsync/internal/wallet"

// reconcile is one run of the reconciler: it marks the longest unread, and
// wakes the worker for what is wanted.
func (w *world) reconcile(n int) {
	accounts := w.model.Sweep(n)
	w.checker.take()
	if len(accounts) > 0 {
		w.saw("sweep")
	}
	for _, r := range w.checker.last.Rows {
		if r.Wanted > r.Done {
			accounts = append(accounts, r.Account)
		}
	}
	sent := map[wallet.AccountID]bool{}
	for _, a := range accounts {
		if sent[a] {
			continue
		}
		if w.enabled(sendErrors) && w.oneIn(3) {
			w.saw("wake-up of the reconciler not sent")
			w.checker.lose()
			continue
		}
		sent[a] = true
		w.enqueue(&message{body: wakeBody(a, w.storeTime())}, 0)
	}
}
