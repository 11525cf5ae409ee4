package simtest

import (
	"fmt"
	"slices"
	"time"

	"walletsync/internal/ipn"
	"walletsync/internal/wallet"
)

// visibility is how long a message that was taken is hidden from others, and
// mostReceives how often it is delivered before the queue gives it up: the
// design's defaults.
const (
	visibility   = 180 * time.Second
	mostReceives = 1000
)

// message lies in the queue, which is a standard one: in no order, and more
// than once.
type message struct {
	id       string
	body     string
	note     *note // nil: a wake-up, or bogus
	bogus    bool  // can never be processed
	receives int
	visible  time.Duration
	holder   *proc // who took it last
}

func notification(n *note, object string) string {
	return ipn.MessageOf(wallet.Notification{
		Account: n.p.Account, MessageID: n.id, NotificationID: n.id, ObjectType: object, ObjectID: string(n.p.ID),
		ChargePermission: n.p.ID, Type: "STATE_CHANGE", Published: epoch.Add(n.published), Arrived: epoch.Add(n.published),
	}).Encode()
}

func (w *world) enqueue(m *message, delay time.Duration) {
	w.messages++
	m.id = fmt.Sprintf("q%d", w.messages)
	m.visible = w.now + delay
	w.queue = append(w.queue, m)
}

// visible returns the messages that can be taken now.
func (w *world) visible() []*message {
	w.seen = w.seen[:0]
	for _, m := range w.queue {
		if m.visible <= w.now {
			w.seen = append(w.seen, m)
		}
	}
	return w.seen
}

// receive takes up to n of the visible messages, in an order that the schedule
// chooses.
func (w *world) receive(from []*message, n int) []*message {
	var took []*message
	for ; n > 0 && len(from) > 0; n-- {
		i := 0
		if !w.calm {
			i = w.below(len(from))
		}
		m := from[i]
		from = append(from[:i], from[i+1:]...)
		m.receives++
		if m.receives > 1 {
			w.saw("redelivery")
		}
		if m.receives > mostReceives {
			w.fail("message %s was given up after %d deliveries", m.id, mostReceives)
		}
		m.visible = w.now + visibility
		took = append(took, m)
	}
	return took
}

// acknowledge takes the messages of a finished batch off the queue, but for
// those that failed. One that another worker has taken meanwhile may stay.
func (w *world) acknowledge(p *proc, failed []string) {
	how := 0
	if w.enabled(ackErrors) {
		how = w.below(5)
	}
	for _, m := range p.took {
		if slices.Contains(failed, m.id) {
			w.checker.unfinished(p)
			continue
		}
		i := slices.Index(w.queue, m)
		switch {
		case how == 4: // none of the acknowledgements arrives
			w.saw("acknowledgement lost")
			continue
		case how == 3 && w.below(2) == 1:
			w.saw("acknowledgement lost")
			continue
		case i < 0:
			continue // another delivery of it was acknowledged
		case m.holder != p && w.tame(2) == 0:
			continue
		}
		if m.holder != p || slices.ContainsFunc(w.procs, func(o *proc) bool { return o != nil && o != p && slices.Contains(o.took, m) }) {
			// Another is or was at work on it, and may count on its coming again, to
			// send a wake-up that it could not. The function's time-out is there so
			// that this does not happen; if it does, the reconciler helps.
			w.saw("acknowledged while another has it")
			w.checker.lose()
		}
		w.queue = append(w.queue[:i], w.queue[i+1:]...)
		if m.note != nil {
			m.note.acked = true
		}
		w.acknowledged(m)
	}
}

// wakeBody is a wake-up as it lies in the queue.
func wakeBody(account wallet.AccountID, at time.Time) string {
	return ipn.WakeMessage(wallet.Wake{Account: account, At: at}).Encode()
}
