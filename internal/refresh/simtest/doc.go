// Package simtest simulates the refresh: the real ipn.Worker, refresh.Runner and
// its plan, and the real reconciler, over the model store that Postgres must equal
// (package storetest), with a model of everything around them, in one process. Only
// one goroutine runs at a time, and a seed chooses which: the same seed always gives
// the same schedule. After each step a checker compares store, queue and Amazon's
// state with the design's invariants.
//
//	make sim                    a million schedules, at most 8 minutes
//	make sim SIM_SEED=17        one schedule; if it fails, its shortest form
//	make mutants                each rule broken on purpose must be found
//
// Modelled:
//
//   - Amazon Pay: buyers change a facet, several, back again, or only the
//     balance; charge permissions appear, and are 404 where a replica does not
//     have them yet; reads lag by up to the margin and go back in time from one
//     to the next; Date is in whole seconds, written when the answer leaves or
//     long before it arrives, or missing; 429 with and without Retry-After, 403,
//     500, another's answer, time-outs not applied and applied with the answer
//     lost (for a read: the quota is spent, nothing else differs).
//   - SNS: notifications late, lost, two or three times, in any order.
//   - The queue: visibility time-outs, also while a worker still processes the
//     message, receive counts, delays, no order, acknowledgements lost, late ones
//     that do or do not count, dead-letter messages, unreadable messages.
//   - The store: each trip fails before its commit, or after it with the answer
//     lost. Its clock is another than Amazon's, and jumps back and forth.
//   - Workers: up to three invocations at once, of the queue's or of refresh.Now,
//     each of which crashes wherever it awaits something (store, call, answer,
//     wake-up, dead-letter message, acknowledgement), is slow there for longer than
//     its lease, or runs out of time in mid-call.
//   - Erasure of the person behind a charge permission, at any moment, and the
//     buyer's own update after it.
//   - The reconciler: the real package reconcile, with its duties to lost
//     wake-ups and lost notifications; it crashes, fails and loses answers too.
//   - One or two accounts, one of which may follow known ids only; charge
//     permissions of a type that is not followed.
//
// Not modelled: SQL itself (package storetest compares it with the model, package e2e
// runs it under real crashes), several transactions at once (each is atomic
// here), the IPN endpoint and SNS envelopes on the queue, reads that lag by more than
// the margin, 404s of what exists and is not new, closed charge permissions
// whose details Amazon withholds, the queue's receive limit (a schedule never
// comes near it), unfinished returns, retention.
//
// Two limits keep schedules within the design's guarantees. Without a Date a read is
// confirmed by the store's clock alone, so a schedule has either answers without Date
// or clock jumps, and at most two jumps forward. A wake-up may be lost without a
// message to replace it (refresh.Now could not send it; a message was acknowledged by
// one invocation while another relied on its redelivery). Only then may the
// reconciler be needed; otherwise all invariants must hold without it.
package simtest
