package wire

import (
	"bufio"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// conn is one client's connection and its own connection to the server.
type conn struct {
	proxy  *Proxy
	number int
	client net.Conn
	in     *pgproto3.Backend // what the client sends
	dark   atomic.Bool       // a BlackHole

	// Of clientToServer alone.
	trips    int
	sql      []string          // of the trip that is being sent
	prepared map[string]string // statement's name to its text

	mu       sync.Mutex
	server   net.Conn // nil: not yet
	closed   bool
	stats    Stats
	pending  []*pending // trips that wait for their ReadyForQuery
	speaking bool       // the client has spoken and waits for its answer
	flushed  bool       // it asked for one before its Sync
}

// pending is a trip that the server has not answered yet.
type pending struct {
	trip  Trip
	rules []*rule // for its answer; the answer is kept back if there are any
}

func (c *conn) attach(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		server.Close()
		return false
	}
	c.server = server
	return true
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.client.Close()
	if c.server != nil {
		c.server.Close()
	}
}

// clientToServer passes the client's messages on, trip by trip, until a side
// closes or a rule cuts.
func (c *conn) clientToServer() {
	var held []byte // the trip so far
	for {
		m, err := c.in.Receive()
		if err != nil {
			return
		}
		if c.dark.Load() {
			continue
		}
		if held, err = m.Encode(held); err != nil {
			return
		}
		c.noteSQL(m)
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query, *pgproto3.FunctionCall:
			switch c.request(m) {
			case Cut:
				return
			case BlackHole:
				c.dark.Store(true)
				continue
			}
		case *pgproto3.Flush:
			c.speak(true)
		case *pgproto3.Parse, *pgproto3.Bind, *pgproto3.Describe, *pgproto3.Execute, *pgproto3.Close:
			continue // more of the trip follows
		}
		if _, err := c.server.Write(held); err != nil {
			return
		}
		held = held[:0]
	}
}

// speak notes that the client sends, which begins a round trip unless it has
// not had its last answer yet.
func (c *conn) speak(flush bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.speaking {
		c.speaking = true
		c.stats.RoundTrips++
	}
	c.flushed = c.flushed || flush
}

// request asks the rules what becomes of the trip that is complete now.
func (c *conn) request(m pgproto3.FrontendMessage) Action {
	c.speak(false)
	c.trips++
	t := Trip{Conn: c.number, Number: c.trips, SQL: c.sql}
	c.sql = nil
	c.mu.Lock()
	if _, ok := m.(*pgproto3.Sync); ok {
		c.stats.Syncs++
	} else {
		c.stats.Queries++
	}
	c.mu.Unlock()
	a := c.proxy.ask(c.proxy.matching(Requested, t), t)
	if a == Pass {
		answer := &pending{t, c.proxy.matching(Answered, t)}
		c.mu.Lock()
		c.flushed = false
		c.pending = append(c.pending, answer)
		c.mu.Unlock()
	}
	return a
}

// noteSQL remembers the SQL that a message brings or names.
func (c *conn) noteSQL(m pgproto3.FrontendMessage) {
	switch m := m.(type) {
	case *pgproto3.Query:
		c.sql = append(c.sql, m.String)
	case *pgproto3.Parse:
		c.prepared[m.Name] = m.Query
		c.sql = append(c.sql, m.Query)
	case *pgproto3.Bind:
		// The texts parsed in this trip are there already.
		if text, ok := c.prepared[m.PreparedStatement]; ok && !slices.Contains(c.sql, text) {
			c.sql = append(c.sql, text)
		}
	}
}

// serverToClient passes the server's messages on until a side closes or a rule
// cuts. The answers that rules wait for are kept until they are whole.
func (c *conn) serverToClient(in *pgproto3.Frontend) {
	out := bufio.NewWriterSize(c.client, 1<<16)
	var kept []byte
	var sqlState string
	for {
		m, err := in.Receive()
		if err != nil {
			if !c.dark.Load() { // the server's last words
				_, _ = out.Write(kept)
				out.Flush()
			}
			return
		}
		if c.dark.Load() {
			continue
		}
		if kept, err = m.Encode(kept); err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			sqlState = m.Code
		case pgproto3.AuthenticationResponseMessage:
			// Which kind of password message the client answers with.
			if c.in.SetAuthType(in.GetAuthType()) != nil {
				return
			}
		}
		answered, keep := c.hear(m)
		if keep {
			continue
		}
		if answered != nil {
			t := answered.trip
			t.SQLState, sqlState = sqlState, ""
			switch c.proxy.ask(answered.rules, t) {
			case Cut:
				return
			case BlackHole:
				c.dark.Store(true)
				continue
			}
		}
		c.heard(m)
		if _, err := out.Write(kept); err != nil {
			return
		}
		kept = kept[:0]
		if in.ReadBufferLen() == 0 {
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}

// hear returns the trip that a message completes, and whether the message is to
// be kept back for the trip's rules.
func (c *conn) hear(m pgproto3.BackendMessage) (answered *pending, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return nil, false // start-up, or an answer to a Flush
	}
	first := c.pending[0]
	switch m.(type) {
	case *pgproto3.ReadyForQuery:
		c.pending = c.pending[1:]
		return first, false
	case *pgproto3.CopyInResponse, *pgproto3.CopyBothResponse: // the client must know
		return nil, false
	}
	return nil, len(first.rules) > 0
}

// heard notes, before the client gets a message, that it may end the client's
// waiting.
func (c *conn) heard(m pgproto3.BackendMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ready := m.(*pgproto3.ReadyForQuery)
	if ready && len(c.pending) == 0 || c.flushed {
		c.speaking, c.flushed = false, false
	}
}
