package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// conn is one client's connection and its own connection to the server.
type conn struct {
	proxy  *Proxy
	number int
	app    string
	client net.Conn
	dark   atomic.Bool // a BlackHole

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

func (c *conn) count(messages, size *int64, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*messages++
	*size += int64(n)
}

// clientToServer passes the client's messages on, trip by trip, until a side
// closes or a rule cuts.
func (c *conn) clientToServer(in *bufio.Reader) {
	var held []byte
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		if c.dark.Load() {
			continue
		}
		c.count(&c.stats.MessagesToServer, &c.stats.BytesToServer, len(m))
		held = append(held, m...)
		c.noteSQL(m)
		switch m.kind() {
		case 'S', 'Q', 'F': // Sync, Query, FunctionCall
			switch c.request(m.kind()) {
			case Cut:
				return
			case BlackHole:
				c.dark.Store(true)
				continue
			}
		case 'H': // Flush
			c.speak(true)
		case 'd', 'c', 'f', 'p', 'X': // COPY data, done, fail; password; Terminate
		default:
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
func (c *conn) request(kind byte) Action {
	c.speak(false)
	c.trips++
	t := Trip{Conn: c.number, Number: c.trips, SQL: c.sql, Application: c.app}
	c.sql = nil
	c.mu.Lock()
	if kind == 'S' {
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
func (c *conn) noteSQL(m message) {
	switch m.kind() {
	case 'Q':
		text, _ := cString(m.body())
		c.sql = append(c.sql, text)
	case 'P': // Parse: the statement's name, its text
		name, rest := cString(m.body())
		text, _ := cString(rest)
		c.prepared[name] = text
		c.sql = append(c.sql, text)
	case 'B': // Bind: the portal's name, the statement's name
		_, rest := cString(m.body())
		name, _ := cString(rest)
		// The texts parsed in this trip are there already.
		if text, ok := c.prepared[name]; ok && !slices.Contains(c.sql, text) {
			c.sql = append(c.sql, text)
		}
	}
}

// serverToClient passes the server's messages on until a side closes or a rule
// cuts. The answers that rules wait for are kept until they are whole.
func (c *conn) serverToClient(in *bufio.Reader) {
	out := bufio.NewWriterSize(c.client, 1<<16)
	var kept []byte
	var sqlState string
	for {
		m, err := readMessage(in)
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
		c.count(&c.stats.MessagesToClient, &c.stats.BytesToClient, len(m))
		if m.kind() == 'E' {
			sqlState = errorCode(m.body())
		}
		answered, keep := c.hear(m.kind())
		if keep {
			kept = append(kept, m...)
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
		c.heard(m.kind())
		if len(kept) > 0 {
			_, _ = out.Write(kept)
			kept = kept[:0]
		}
		if _, err := out.Write(m); err != nil {
			return
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}

// hear returns the trip that a message of this kind completes, and whether the
// message is to be kept back for the trip's rules.
func (c *conn) hear(kind byte) (answered *pending, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return nil, false // start-up, or an answer to a Flush
	}
	first := c.pending[0]
	switch kind {
	case 'Z': // ReadyForQuery
		c.pending = c.pending[1:]
		return first, false
	case 'G', 'W': // ready for COPY data: the client must know
		return nil, false
	}
	return nil, len(first.rules) > 0
}

// heard notes, before the client gets a message of this kind, that it may end
// the client's waiting.
func (c *conn) heard(kind byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind == 'Z' && len(c.pending) == 0 || c.flushed {
		c.speaking, c.flushed = false, false
	}
}

// message is one typed message with its header: kind, length, body.
type message []byte

func (m message) kind() byte   { return m[0] }
func (m message) body() []byte { return m[5:] }

// maxMessage is PostgreSQL's own limit (MaxAllocSize in memutils.h).
const maxMessage = 1<<30 - 1

func readMessage(in *bufio.Reader) (message, error) {
	header, err := in.Peek(5)
	if err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[1:]) // with itself
	if length < 4 || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	m := make(message, 1+length)
	_, err = io.ReadFull(in, m)
	return m, err
}

// readStartup reads a message without a kind, as the first ones are.
func readStartup(in *bufio.Reader) ([]byte, error) {
	header, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header)
	if length < 8 || length > 10000 { // MAX_STARTUP_PACKET_LENGTH in pqcomm.h
		return nil, fmt.Errorf("a start-up message of %d bytes", length)
	}
	m := make([]byte, length)
	_, err = io.ReadFull(in, m)
	return m, err
}

// cString splits off a string that ends with a zero byte.
func cString(b []byte) (s string, rest []byte) {
	before, after, _ := bytes.Cut(b, []byte{0})
	return string(before), after
}

// parameter finds a parameter of a StartupMessage: names and values in turn.
func parameter(b []byte, name string) string {
	for len(b) > 1 {
		var key, value string
		key, b = cString(b)
		value, b = cString(b)
		if key == name {
			return value
		}
	}
	return ""
}

// errorCode finds the SQLSTATE among the fields of an ErrorResponse.
func errorCode(b []byte) string {
	for len(b) > 1 {
		field := b[0]
		var value string
		value, b = cString(b[1:])
		if field == 'C' {
			return value
		}
	}
	return ""
}
