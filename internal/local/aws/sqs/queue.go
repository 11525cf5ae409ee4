package sqs

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Queue is one standard queue. It is safe for concurrent use.
type Queue struct {
	server *Server
	name   string

	// All below is guarded by server.mu.
	settings Settings
	byID     map[string]*entry
	order    entries
	added    int           // entries ever
	expiry   time.Time     // no message expires before; zero: unknown
	changed  chan struct{} // closed when a receive may find more
	held     bool
	purged   time.Time
	totals   Totals
}

// entry is a message in a queue.
type entry struct {
	Message
	receives int       // from this queue: the serial of its last receipt handle
	visible  time.Time // hidden until then
	number   int       // of those that become visible together, the lower is first
	index    int       // in order
}

// Totals count what happened in a queue since it was created.
type Totals struct{ Sent, Received int }

// Stats are a queue's counts.
type Stats struct {
	Visible, InFlight, Delayed int
	Totals
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN is the queue's Amazon Resource Name.
func (q *Queue) ARN() string { return fmt.Sprintf("arn:aws:sqs:%s:%s:%s", Region, account, q.name) }

// URL is the queue's URL at a server that is reached under base, such as
// http://127.0.0.1:9324.
func (q *Queue) URL(base string) string { return fmt.Sprintf("%s/%s/%s", base, account, q.name) }

// Settings returns the queue's settings.
func (q *Queue) Settings() Settings {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.settings
}

// SetSettings changes the queue's settings, at once.
func (q *Queue) SetSettings(settings Settings) error {
	if err := settings.check(); err != nil {
		return err
	}
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.settings = settings
	q.expiry = time.Time{} // the retention may have changed
	q.notify()
	return nil
}

// Stats returns the queue's counts, which are exact here.
func (q *Queue) Stats() Stats {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.stats()
}

func (q *Queue) stats() Stats {
	now := q.expire()
	s := Stats{Totals: q.totals}
	for _, e := range q.order {
		switch {
		case !e.visible.After(now):
			s.Visible++
		case e.receives > 0:
			s.InFlight++
		default:
			s.Delayed++
		}
	}
	return s
}

// Messages returns all messages in the queue, whatever their state, by the
// time when they were sent. Nothing is received by it.
func (q *Queue) Messages() []Message {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.expire()
	all := make([]Message, 0, len(q.order))
	for _, e := range q.order {
		all = append(all, e.Message)
	}
	slices.SortFunc(all, func(a, b Message) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Send puts a message on the queue and returns it.
func (q *Queue) Send(in SendInput) (Message, error) {
	if err := in.check(); err != nil {
		return Message{}, err
	}
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.add(in.Body, in.Attributes, in.Delay), nil
}

// add puts a new message in.
func (q *Queue) add(body string, attributes map[string]Attribute, delay time.Duration) Message {
	now := q.server.now()
	m := Message{ID: uuid.NewString(), Body: body, Attributes: attributes, Sent: now}
	q.totals.Sent++
	q.insert(&entry{Message: m, visible: now.Add(delay)})
	return m
}

func (q *Queue) insert(e *entry) {
	q.added++
	e.number = q.added
	q.byID[e.ID] = e
	heap.Push(&q.order, e)
	if expires := e.Sent.Add(q.settings.Retention); expires.Before(q.expiry) {
		q.expiry = expires
	}
	q.notify()
}

func (q *Queue) remove(e *entry) {
	heap.Remove(&q.order, e.index)
	delete(q.byID, e.ID)
}

// hide makes an entry visible from a time on.
func (q *Queue) hide(e *entry, until time.Time) {
	e.visible = until
	heap.Fix(&q.order, e.index)
}

// notify wakes every receive that waits.
func (q *Queue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// expire removes what is older than the retention, and returns the time.
func (q *Queue) expire() time.Time {
	now := q.server.now()
	if q.expiry.After(now) {
		return now
	}
	q.expiry = now.Add(q.settings.Retention)
	for _, e := range q.byID {
		expires := e.Sent.Add(q.settings.Retention)
		switch {
		case !expires.After(now):
			q.remove(e)
		case expires.Before(q.expiry):
			q.expiry = expires
		}
	}
	return now
}

// ReceiveInput says how to receive.
type ReceiveInput struct {
	Max        int            // messages at most, 1 to 10
	Visibility *time.Duration // for how long they are then in flight; nil: the queue's
	Wait       time.Duration  // for a first message, up to 20 s
}

// Receive takes visible messages. It returns none when the wait is over, and
// ctx's error when that ends first.
func (q *Queue) Receive(ctx context.Context, in ReceiveInput) ([]Message, error) {
	switch v := in.Visibility; {
	case in.Max < 1 || in.Max > 10:
		return nil, invalidParameter("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", in.Max)
	case in.Wait < 0 || in.Wait > maximumWait:
		return nil, invalidParameter("Value %v for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", in.Wait.Seconds())
	case v != nil && (*v < 0 || *v > maximumVisibility):
		return nil, invalidParameter("Value %v for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", v.Seconds())
	}
	end := q.server.now().Add(in.Wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		messages, next, changed := q.take(in, end)
		if len(messages) > 0 || next <= 0 {
			return messages, nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take receives what is visible now. If that is nothing, it says how long to
// wait before the next try, at the latest at end, and what to watch until then.
func (q *Queue) take(in ReceiveInput, end time.Time) (messages []Message, next time.Duration, changed <-chan struct{}) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	now := q.expire()
	next = end.Sub(now)
	if q.held {
		return nil, next, q.changed
	}
	visibility := q.settings.VisibilityTimeout
	if in.Visibility != nil {
		visibility = *in.Visibility
	}
	var taken []*entry
	for len(taken) < in.Max && len(q.order) > 0 && !q.order[0].visible.After(now) {
		e := q.order[0]
		if d := q.settings.DeadLetters; d != nil && e.receives >= q.settings.MaxReceives {
			q.bury(e, d)
			continue
		}
		heap.Pop(&q.order)
		taken = append(taken, e)
	}
	for _, e := range taken { // pushed after all are popped: the time-out may be 0
		e.visible = now.Add(visibility)
		heap.Push(&q.order, e)
		e.Receives++
		e.receives++
		if e.FirstReceived.IsZero() {
			e.FirstReceived = now
		}
		m := e.Message
		m.ReceiptHandle = handle(q.name, e.ID, e.receives)
		messages = append(messages, m)
	}
	q.totals.Received += len(messages)
	if next > 0 && len(q.order) > 0 {
		next = min(next, q.order[0].visible.Sub(now))
	}
	return messages, next, q.changed
}

// bury moves an entry to the dead-letter queue, where it keeps its id, its
// receive count and, so that its retention goes on, the time when it was sent
// (Developer Guide, "Setting-up dead-letter queue retention").
func (q *Queue) bury(e *entry, to *Queue) {
	q.remove(e)
	e.DeadLetterSource, e.receives, e.visible = q.ARN(), 0, q.server.now()
	to.insert(e)
}

// Redrive moves the visible messages of a dead-letter queue to a queue, and
// returns how many. They become new messages with new ids (Developer Guide,
// "Configure a dead-letter queue redrive").
func (q *Queue) Redrive(to *Queue) (int, error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.redrive(to)
}

func (q *Queue) redrive(to *Queue) (moved int, err error) {
	isDeadLetters := false
	for _, source := range q.server.queues {
		isDeadLetters = isDeadLetters || source.settings.DeadLetters == q
	}
	if !isDeadLetters || q == to {
		return 0, invalidParameter("Source queue must be configured as a Dead Letter Queue, and another than the destination.")
	}
	for now := q.expire(); len(q.order) > 0 && !q.order[0].visible.After(now); moved++ {
		e := q.order[0]
		q.remove(e)
		to.add(e.Body, e.Attributes, 0)
	}
	return moved, nil
}

// Delete removes a received message. As at Amazon it is no error if the
// message is gone, or if it was received again since: then it stays.
func (q *Queue) Delete(receiptHandle string) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	id, serial, err := parseHandle(q.name, receiptHandle)
	if err != nil {
		return err
	}
	if e := q.byID[id]; e != nil && serial == e.receives {
		q.remove(e)
	}
	return nil
}

// ChangeVisibility makes a message in flight visible after the given time from
// now.
func (q *Queue) ChangeVisibility(receiptHandle string, visibility time.Duration) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	id, serial, err := parseHandle(q.name, receiptHandle)
	if err != nil {
		return err
	}
	if visibility < 0 || visibility > maximumVisibility {
		return invalidParameter("Value %v for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be >= 0 and <= 43200.", visibility.Seconds())
	}
	now := q.expire()
	e := q.byID[id]
	switch {
	case e == nil || serial != e.receives:
		return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", receiptHandle)
	case !e.visible.After(now):
		e := refuse("MessageNotInflight", "The specified message isn't in flight.")
		e.QueryCode = "AWS.SimpleQueueService.MessageNotInflight"
		return e
	}
	q.hide(e, now.Add(visibility))
	q.notify()
	return nil
}

// purge deletes all messages; once a minute at most, as at Amazon.
func (q *Queue) purge() error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	now := q.server.now()
	if !q.purged.IsZero() && now.Sub(q.purged) < time.Minute {
		e := refuse("PurgeQueueInProgress", "Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
		e.Status = 403
		return e
	}
	q.purged = now
	q.order = nil
	clear(q.byID)
	return nil
}

// Hold makes the queue look empty until Release, so that a test can gather
// messages, or order two consumers.
func (q *Queue) Hold() { q.hold(true) }

// Release ends a Hold.
func (q *Queue) Release() { q.hold(false) }

func (q *Queue) hold(held bool) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.held = held
	q.notify()
}

// entries is a heap by the time at which they become, or became, visible.
type entries []*entry

func (h entries) Len() int { return len(h) }
func (h entries) Less(i, j int) bool {
	return cmp.Or(h[i].visible.Compare(h[j].visible), cmp.Compare(h[i].number, h[j].number)) < 0
}
func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *entries) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
