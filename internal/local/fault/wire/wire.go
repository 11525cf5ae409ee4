// Package wire is a TCP proxy in front of PostgreSQL, for tests that count
// round trips and for faults at the wire: a trip can be held, cut, delayed or
// swallowed before the server has seen it, or after the server has executed it
// and before the client knows. It follows PostgreSQL's protocol version 3
// (PostgreSQL's documentation, "Frontend/Backend Protocol"), answers that
// neither TLS nor GSSAPI is available, and otherwise passes every message on as
// it is. PgBouncer may stand on either side.
//
// A trip is what the client sends up to one Sync (a pipeline), or one simple
// Query. The proxy passes a trip on whole: the server sees nothing of it
// before its Sync has come, unless the client asks for an answer earlier with
// a Flush. A test recognises a trip by its SQL, for which a comment in the
// statement is enough.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Trip is one pipeline up to its Sync, one simple Query, or, at Opened, a
// connection.
type Trip struct {
	Conn   int // of the proxy's connections, from 1
	Number int // within the connection, from 1; at Opened 0
	// SQL has the texts of the trip's statements, also of those that were
	// prepared by an earlier trip of the connection.
	SQL []string
	// SQLState is the code of the error that the server answered, at
	// Answered; empty if it answered none.
	SQLState string
}

// Point is a moment in the life of a trip.
type Point int

const (
	// Opened: a client has connected; the server does not know it yet.
	Opened Point = iota
	// Requested: the client has sent a trip; the server has seen nothing of it.
	Requested
	// Answered: the server has executed the trip and said ReadyForQuery; the
	// client has seen nothing of the answer. A failed or finished
	// transaction is so on the server, whatever becomes of the answer.
	Answered
)

// Action is what becomes of a trip.
type Action int

const (
	// Pass goes on.
	Pass Action = iota
	// Cut closes the connection on both sides.
	Cut
	// BlackHole passes nothing on any more in either direction. The client's
	// end stays open until the client closes it, the server's end until the
	// proxy closes.
	BlackHole
)

// Match chooses trips; nil chooses all.
type Match func(Trip) bool

// SQL chooses the trips in which a statement contains the text.
func SQL(text string) Match {
	return func(t Trip) bool {
		return slices.ContainsFunc(t.SQL, func(s string) bool { return strings.Contains(s, text) })
	}
}

// Handler is called with a trip and says what becomes of it. The trip waits
// until it returns; other connections go on. The context ends with the proxy.
type Handler func(context.Context, Trip) Action

// Do does the same to every trip.
func Do(a Action) Handler {
	return func(context.Context, Trip) Action { return a }
}

// DoNth does it to the n-th trip, counted from 1, and lets the others pass.
func DoNth(n int, a Action) Handler {
	var seen atomic.Int64
	return func(context.Context, Trip) Action {
		if seen.Add(1) == int64(n) {
			return a
		}
		return Pass
	}
}

// Stats are counts since the proxy, or the connection, began.
type Stats struct {
	Connections int64
	// RoundTrips are the times the client spoke after it had its answer:
	// Syncs that the client sends before the answer to the first are one
	// round trip together; an answer awaited after a Flush makes one more.
	// COPY counts as one: whether the client waits before it sends its data
	// cannot be seen here.
	RoundTrips int64
	// Syncs and Queries are the Sync messages and the simple queries
	// (function calls too), each answered by one ReadyForQuery.
	Syncs, Queries int64
}

// Proxy listens on loopback in front of one server. Its methods may be called
// concurrently.
type Proxy struct {
	listener net.Listener
	target   *url.URL
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	rules []*rule
	conns []*conn // by number, closed ones too
}

type rule struct {
	at    Point
	match Match
	do    Handler
}

// Listen starts a proxy on a free port of 127.0.0.1 in front of the server of
// the database's URL.
func Listen(databaseURL string) (*Proxy, error) {
	target, err := url.Parse(databaseURL)
	if err != nil {
		return nil, err
	}
	if target.Port() == "" {
		return nil, errors.New("the database's URL names no port")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

// URL is the database's URL, by way of the proxy.
func (p *Proxy) URL() string {
	u := *p.target
	u.Host = p.listener.Addr().String()
	return u.String()
}

// Close cuts all connections and returns when nothing runs any more.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.CutAll()
	p.running.Wait()
	return err
}

// CutAll cuts every connection that is open now.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.close()
	}
}

// Stats returns the counts of all connections together.
func (p *Proxy) Stats() Stats {
	var sum Stats
	for _, s := range p.ConnStats() {
		sum.Connections += s.Connections
		sum.RoundTrips += s.RoundTrips
		sum.Syncs += s.Syncs
		sum.Queries += s.Queries
	}
	return sum
}

// ConnStats returns the counts of each connection, closed ones too;
// Trip.Conn is the index + 1.
func (p *Proxy) ConnStats() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Stats, len(p.conns))
	for i, c := range p.conns {
		c.mu.Lock()
		all[i] = c.stats
		c.mu.Unlock()
	}
	return all
}

// On has the handler called for the trips that match, at that point; off ends
// it. Handlers are asked in the order of On, until one does not let the trip
// pass. At Answered a rule holds for the trips that are requested after On.
func (p *Proxy) On(at Point, match Match, do Handler) (off func()) {
	r := &rule{at, match, do}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rules = slices.DeleteFunc(slices.Clone(p.rules), func(other *rule) bool { return other == r })
	}
}

// matching returns the rules for a trip at a point.
func (p *Proxy) matching(at Point, t Trip) []*rule {
	p.mu.Lock()
	rules := p.rules
	p.mu.Unlock()
	var found []*rule
	for _, r := range rules {
		if r.at == at && (r.match == nil || r.match(t)) {
			found = append(found, r)
		}
	}
	return found
}

func (p *Proxy) ask(rules []*rule, t Trip) Action {
	for _, r := range rules {
		if a := r.do(p.ctx, t); a != Pass {
			return a
		}
	}
	return Pass
}

// Hold is one trip that waits.
type Hold struct {
	reached  chan Trip
	released chan struct{}
	once     sync.Once
	action   Action
}

// Hold makes the first trip that matches wait at that point until Release.
func (p *Proxy) Hold(at Point, match Match) *Hold {
	h := &Hold{reached: make(chan Trip, 1), released: make(chan struct{})}
	var caught atomic.Bool
	p.On(at, match, func(ctx context.Context, t Trip) Action {
		if !caught.CompareAndSwap(false, true) {
			return Pass
		}
		h.reached <- t
		select {
		case <-h.released:
			return h.action
		case <-ctx.Done():
			return Cut
		}
	})
	return h
}

// Reached returns the trip when it has come to the point.
func (h *Hold) Reached(ctx context.Context) (Trip, error) {
	select {
	case t := <-h.reached:
		return t, nil
	case <-ctx.Done():
		return Trip{}, fmt.Errorf("no such trip came: %w", ctx.Err())
	}
}

// Release says what becomes of the trip. Only the first Release counts; one
// before a trip has come is for that which comes.
func (h *Hold) Release(a Action) {
	h.once.Do(func() {
		h.action = a
		close(h.released)
	})
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() {
			defer client.Close()
			p.serve(client)
		})
	}
}

// serve answers one client until one side closes.
func (p *Proxy) serve(client net.Conn) {
	stop := context.AfterFunc(p.ctx, func() { client.Close() })
	defer stop()
	in := pgproto3.NewBackend(client, client)
	for {
		first, err := in.ReceiveStartupMessage()
		if err != nil {
			return
		}
		switch m := first.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := client.Write([]byte{'N'}); err != nil {
				return
			}
		case *pgproto3.CancelRequest:
			p.passCancel(client, m)
			return
		case *pgproto3.StartupMessage:
			p.serveSession(client, in, m)
			return
		}
	}
}

// passCancel passes a request to cancel on; the server answers by closing.
func (p *Proxy) passCancel(client net.Conn, m *pgproto3.CancelRequest) {
	request, err := m.Encode(nil)
	if err != nil {
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := server.Write(request); err == nil {
		_, _ = io.Copy(client, server)
	}
}

func (p *Proxy) dial() (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(p.ctx, "tcp", p.target.Host)
}

// open registers a connection.
func (p *Proxy) open(client net.Conn, in *pgproto3.Backend) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &conn{
		proxy:    p,
		number:   len(p.conns) + 1,
		client:   client,
		in:       in,
		prepared: make(map[string]string),
	}
	c.stats.Connections = 1
	p.conns = append(p.conns, c)
	return c
}

func (p *Proxy) serveSession(client net.Conn, in *pgproto3.Backend, m *pgproto3.StartupMessage) {
	startup, err := m.Encode(nil)
	if err != nil {
		return
	}
	c := p.open(client, in)
	defer c.close()
	opened := Trip{Conn: c.number}
	switch p.ask(p.matching(Opened, opened), opened) {
	case Cut:
		return
	case BlackHole:
		_, _ = io.Copy(io.Discard, client)
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	if !c.attach(server) {
		return
	}
	if _, err := server.Write(startup); err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		c.serverToClient(pgproto3.NewFrontend(server, server))
		if !c.dark.Load() {
			c.close()
		}
	})
	c.clientToServer()
	if c.dark.Load() {
		client.Close()
		<-p.ctx.Done()
	}
	c.close()
	back.Wait()
}
