package sqs

import "time"

// moveTask is a redrive of a dead-letter queue. It is over when it is
// recorded: messages are moved at once, whatever rate was asked for.
type moveTask struct {
	source, destination *Queue // destination nil: each message's own source
	moved, toMove       int
	failure             string // empty: completed
	started             time.Time
	rate                int // asked for; 0: none
}

// Redrive moves the visible messages of a dead-letter queue to a queue, or,
// if that is nil, each back to the queue that gave it up. They become new
// messages with new ids (Developer Guide, "Configure a dead-letter queue
// redrive"). A message that was sent to the dead-letter queue directly has no
// source: without a destination the redrive stops at it, and the error's type
// is Amazon's reason CouldNotDetermineMessageSource.
func (q *Queue) Redrive(to *Queue) (moved int, err error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	t, err := q.server.move(q, to, 0)
	if err != nil {
		return 0, err
	}
	if t.failure != "" {
		return t.moved, &Error{Status: 400, Type: t.failure, Message: "the redrive stopped at a message whose source is not known"}
	}
	return t.moved, nil
}

// move runs a task. The caller holds s.mu.
func (s *Server) move(from, to *Queue, rate int) (moveTask, error) {
	isDeadLetters := false
	for _, q := range s.queues {
		isDeadLetters = isDeadLetters || q.settings.DeadLetters == from
	}
	if !isDeadLetters {
		return moveTask{}, invalidParameter("Source queue must be configured as a Dead Letter Queue.")
	}
	from.settle()
	t := moveTask{source: from, destination: to, toMove: from.ready.Len(), started: s.now(), rate: rate}
	for from.ready.Len() > 0 {
		e := from.ready.Front().Value.(*entry)
		target := to
		if target == nil {
			target = s.byARN(e.DeadLetterSource)
		}
		if target == nil {
			t.failure = "CouldNotDetermineMessageSource"
			break
		}
		from.remove(e)
		now := s.now()
		target.totals.Sent++
		target.add(&entry{Message: Message{
			ID: s.newID(), Body: e.Body, Attributes: e.Attributes,
			TraceHeader: e.TraceHeader, GroupID: e.GroupID, Sent: now,
		}}, now)
		t.moved++
	}
	s.tasks = append(s.tasks, t)
	return t, nil
}
