package sqs

import (
	"cmp"
	"container/heap"
	"container/list"
	"context"
	"fmt"
	"slices"
	"time"
)

// Queue is one standard queue. It is safe for concurrent use.
type Queue struct {
	server            *Server
	name              string
	created, modified time.Time

	// All below is guarded by server.mu.
	settings Settings
	inert    map[string]string // attributes that are kept and not acted upon
	entries  map[string]*entry // by message id
	ready    list.List         // of *entry, by the time when they became visible
	hidden   hiddenHeap        // delayed or in flight
	inFlight int               // of hidden, those that were received
	expiry   time.Time         // no message expires before; zero: unknown
	changed  chan struct{}     // closed when a receive may find more
	purged   time.Time
	held     bool
	twice    int // messages still to be delivered in duplicate
	totals   Totals
}

// entry is a message in a queue.
type entry struct {
	Message
	receives int // from this queue
	// oldest is the serial of the oldest receipt handle that still works; a
	// duplicate delivery leaves the first one's working.
	oldest   int
	twice    bool
	received time.Time // last

	element *list.Element // in ready; nil: hidden
	index   int           // in hidden
	until   time.Time     // hidden until
	flying  bool          // received and not visible again
}

// Totals count what happened in a queue since it was created.
type Totals struct {
	Sent, Received, Deleted int
	// DeadLettered left for the dead-letter queue, Expired were older than
	// the retention, StaleDeletes were asked for with a receipt handle that
	// no longer worked, and so did nothing.
	DeadLettered, Expired, StaleDeletes int
}

// Stats are a queue's counts.
type Stats struct {
	Visible, InFlight, Delayed int
	Totals
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN is the queue's Amazon Resource Name.
func (q *Queue) ARN() string {
	return fmt.Sprintf("arn:aws:sqs:%s:%s:%s", q.server.region, q.server.account, q.name)
}

// Region is the region of the queue's service.
func (q *Queue) Region() string { return q.server.region }

// URL is the queue's URL at a server that is reached under base, such as
// http://127.0.0.1:9324.
func (q *Queue) URL(base string) string {
	return fmt.Sprintf("%s/%s/%s", base, q.server.account, q.name)
}

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
	q.modified = q.server.now()
	q.expiry = time.Time{} // the retention may have changed
	q.notify()
	return nil
}

// Stats returns the queue's counts, which are exact here.
func (q *Queue) Stats() Stats {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.settle()
	return Stats{Visible: q.ready.Len(), InFlight: q.inFlight, Delayed: len(q.hidden) - q.inFlight, Totals: q.totals}
}

// Messages returns all messages in the queue, whatever their state, by the
// time when they were sent. Nothing is received by it.
func (q *Queue) Messages() []Message {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.settle()
	all := make([]Message, 0, len(q.entries))
	for _, e := range q.entries {
		all = append(all, e.Message)
	}
	slices.SortFunc(all, func(a, b Message) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Send puts a message on the queue and returns it.
func (q *Queue) Send(in SendInput) (Message, error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.send(in)
}

func (q *Queue) send(in SendInput) (Message, error) {
	if err := in.check(q.settings.MaximumSize); err != nil {
		return Message{}, err
	}
	delay := q.settings.Delay
	if in.Delay != nil {
		delay = *in.Delay
	}
	now := q.server.now()
	e := &entry{Message: Message{
		ID: q.server.newID(), Body: in.Body, Attributes: in.Attributes,
		TraceHeader: in.TraceHeader, GroupID: in.GroupID, Sent: now,
	}}
	q.totals.Sent++
	q.add(e, now.Add(delay))
	return e.Message, nil
}

// add puts an entry in, visible at the given time.
func (q *Queue) add(e *entry, visible time.Time) {
	q.entries[e.ID] = e
	if expires := e.Sent.Add(q.settings.Retention); expires.Before(q.expiry) {
		q.expiry = expires
	}
	if visible.After(q.server.now()) {
		q.hide(e, visible)
	} else {
		e.element = q.ready.PushBack(e)
	}
	q.notify()
}

// hide takes an entry out of sight until a time.
func (q *Queue) hide(e *entry, until time.Time) {
	if e.element != nil {
		q.ready.Remove(e.element)
		e.element = nil
	}
	e.until = until
	heap.Push(&q.hidden, e)
	if e.flying {
		q.inFlight++
	}
}

// unhide takes an entry out of hidden.
func (q *Queue) unhide(e *entry) {
	heap.Remove(&q.hidden, e.index)
	if e.flying {
		q.inFlight--
	}
	e.flying = false
}

// remove takes an entry out of the queue.
func (q *Queue) remove(e *entry) {
	if e.element != nil {
		q.ready.Remove(e.element)
		e.element = nil
	} else {
		q.unhide(e)
	}
	delete(q.entries, e.ID)
}

// notify wakes everybody who waits for messages.
func (q *Queue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// settle does what time has brought: retention, and hidden messages that
// became visible.
func (q *Queue) settle() {
	now := q.server.now()
	if !q.expiry.After(now) {
		q.expiry = now.Add(q.settings.Retention)
		for _, e := range q.entries {
			expires := e.Sent.Add(q.settings.Retention)
			switch {
			case !expires.After(now):
				q.remove(e)
				q.totals.Expired++
			case expires.Before(q.expiry):
				q.expiry = expires
			}
		}
	}
	for len(q.hidden) > 0 && !q.hidden[0].until.After(now) {
		e := q.hidden[0]
		q.unhide(e)
		e.element = q.ready.PushBack(e)
	}
}

// ReceiveInput says how to receive.
type ReceiveInput struct {
	// Max is how many messages at most, 1 to 10.
	Max int
	// Visibility is for how long they are then in flight; nil means the
	// queue's setting.
	Visibility *time.Duration
	// Wait is how long to wait for a first message, up to 20 s; nil means the
	// queue's setting.
	Wait *time.Duration
}

// Receive takes visible messages. It returns none when the wait is over, and
// ctx's error when that ends first.
func (q *Queue) Receive(ctx context.Context, in ReceiveInput) ([]Message, error) {
	if in.Max < 1 || in.Max > 10 {
		return nil, invalidParameter("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", in.Max)
	}
	if w := in.Wait; w != nil && (*w < 0 || *w > maximumWait) {
		return nil, invalidParameter("Value %s for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", inSeconds(*w))
	}
	if v := in.Visibility; v != nil && (*v < 0 || *v > maximumVisibility) {
		return nil, invalidParameter("Value %s for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", inSeconds(*v))
	}
	settings := q.Settings()
	wait := settings.ReceiveWait
	if in.Wait != nil {
		wait = *in.Wait
	}
	end := q.server.now().Add(wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		messages, again, changed, err := q.take(in, end)
		if err != nil || len(messages) > 0 || again <= 0 {
			return messages, err
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take receives what is visible now. If that is nothing, it tells when to try
// again, at the latest at end, and what to watch until then.
func (q *Queue) take(in ReceiveInput, end time.Time) (messages []Message, again time.Duration, changed <-chan struct{}, err error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.settle()
	now := q.server.now()
	visibility := q.settings.VisibilityTimeout
	if in.Visibility != nil {
		visibility = *in.Visibility
	}
	if !q.held {
		for len(messages) < in.Max && q.ready.Len() > 0 {
			e := q.ready.Front().Value.(*entry)
			if d := q.settings.DeadLetters; d != nil && e.receives >= q.settings.MaxReceives {
				q.bury(e, d)
				continue
			}
			if q.inFlight >= maximumInFlight {
				if len(messages) == 0 {
					return nil, 0, nil, &Error{Status: 403, Type: "OverLimit", QueryCode: "OverLimit", Message: "Too many messages in flight."}
				}
				break
			}
			messages = append(messages, q.deliver(e, now, visibility))
		}
	}
	again = end.Sub(now)
	if again > 0 && len(q.hidden) > 0 && !q.held {
		again = min(again, q.hidden[0].until.Sub(now))
	}
	return messages, again, q.changed, nil
}

// maximumInFlight of a standard queue (API reference, ReceiveMessage and
// ChangeMessageVisibility: approximately).
const maximumInFlight = 120_000

// deliver receives one entry.
func (q *Queue) deliver(e *entry, now time.Time, visibility time.Duration) Message {
	e.Receives++
	e.receives++
	e.received = now
	if e.FirstReceived.IsZero() {
		e.FirstReceived = now
	}
	if !e.twice {
		e.oldest = e.receives
	}
	e.twice = q.twice > 0
	if e.twice {
		q.twice--
		visibility = 0
	}
	q.totals.Received++
	e.flying = true
	q.hide(e, now.Add(visibility))
	m := e.Message
	m.ReceiptHandle = handle{q.name, e.ID, e.receives}.String()
	return m
}

// bury moves an entry to the dead-letter queue, where it keeps its id, its
// receive count and, so that its retention goes on, the time when it was sent
// (Developer Guide, "Setting-up dead-letter queue retention").
func (q *Queue) bury(e *entry, to *Queue) {
	q.remove(e)
	q.totals.DeadLettered++
	e.DeadLetterSource = q.ARN()
	e.receives, e.oldest = 0, 0
	to.add(e, q.server.now())
}

// Delete removes a received message. As at Amazon it is no error if the
// message is gone, or if it was received again since: then it stays.
func (q *Queue) Delete(receiptHandle string) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	h, err := parseHandle(q.name, receiptHandle)
	if err != nil {
		return err
	}
	q.settle()
	e := q.entries[h.id]
	switch {
	case e == nil:
	case h.serial < e.oldest || h.serial > e.receives:
		q.totals.StaleDeletes++
	default:
		q.remove(e)
		q.totals.Deleted++
	}
	return nil
}

// ChangeVisibility makes a message in flight visible after the given time from
// now, in whole seconds; 12 hours after it was received at the latest.
func (q *Queue) ChangeVisibility(receiptHandle string, visibility time.Duration) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	h, err := parseHandle(q.name, receiptHandle)
	if err != nil {
		return err
	}
	if visibility < 0 || visibility > maximumVisibility {
		return invalidParameter("Value %s for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be >= 0 and <= 43200.", inSeconds(visibility))
	}
	q.settle()
	now := q.server.now()
	e := q.entries[h.id]
	switch {
	case e == nil || h.serial < e.oldest || h.serial > e.receives:
		return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", receiptHandle)
	case !e.flying:
		return &Error{Status: 400, Type: "MessageNotInflight", QueryCode: "AWS.SimpleQueueService.MessageNotInflight", Message: "The specified message isn't in flight."}
	case now.Add(visibility).After(e.received.Add(maximumVisibility)):
		return invalidParameter("Value %s for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]", inSeconds(visibility))
	}
	q.unhide(e)
	e.flying = true
	q.hide(e, now.Add(visibility))
	q.notify()
	return nil
}

// Purge deletes all messages; once a minute at most, as at Amazon.
func (q *Queue) Purge() error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	now := q.server.now()
	if !q.purged.IsZero() && now.Sub(q.purged) < time.Minute {
		return &Error{Status: 403, Type: "PurgeQueueInProgress", QueryCode: "AWS.SimpleQueueService.PurgeQueueInProgress", Message: fmt.Sprintf("Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)}
	}
	q.purged = now
	for _, e := range q.entries {
		q.remove(e)
	}
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

// DeliverTwice makes each of the next n messages that are received visible
// again at once, so that it is delivered a second time while the first
// consumer still has it. Either receipt handle deletes it.
func (q *Queue) DeliverTwice(n int) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.twice = n
}

// hiddenHeap orders entries by the time when they become visible.
type hiddenHeap []*entry

func (h hiddenHeap) Len() int           { return len(h) }
func (h hiddenHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h hiddenHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *hiddenHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *hiddenHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
