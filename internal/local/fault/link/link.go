// Package link is a TCP connection between two parts that can go wrong: slow,
// broken, or dark. It knows no protocol; package wire knows PostgreSQL's.
package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"time"
)

// State of a link.
type State int

const (
	// Up: all passes.
	Up State = iota
	// Slow: each chunk of bytes waits for the link's delay.
	Slow
	// Broken: what is open is reset, what is new is reset once it has spoken.
	Broken
	// Dark: nothing passes and neither side notices, as when a cable is pulled.
	Dark
)

// delay of a Slow link, each way.
const delay = 80 * time.Millisecond

func (s State) String() string {
	return [...]string{"up", "slow", "broken", "dark"}[s]
}

// Link listens on loopback and connects each client with its target.
type Link struct {
	target   string
	listener net.Listener
	all      sync.WaitGroup

	mu        sync.Mutex
	state     State
	changed   chan struct{} // closed when state changes
	open      map[net.Conn]struct{}
	forgotten map[net.Conn]struct{}
	closed    bool
}

// Listen makes a link to a host and port, which is up.
func Listen(ctx context.Context, target string) (*Link, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", target, err)
	}
	k := &Link{target: target, listener: l, changed: make(chan struct{}), open: map[net.Conn]struct{}{}, forgotten: map[net.Conn]struct{}{}}
	k.all.Go(k.accept)
	return k, nil
}

// Addr is the host and port at which the link's target is reached.
func (k *Link) Addr() string { return k.listener.Addr().String() }

// Set changes what becomes of bytes from now on. A link that was dark is
// broken first: what was swallowed does not come after all.
func (k *Link) Set(s State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s == Broken || k.state == Dark && s != Dark {
		k.reset()
	}
	k.state = s
	close(k.changed)
	k.changed = make(chan struct{})
}

// Forget makes the connections that are open swallow what comes, without a
// reset, as a NAT gateway does with those that were idle for too long. New ones
// pass.
func (k *Link) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.forgotten, k.open)
	clear(k.open)
}

// Close ends the link with what is open.
func (k *Link) Close() error {
	k.mu.Lock()
	k.closed = true
	maps.Copy(k.open, k.forgotten)
	k.reset()
	if k.state == Dark { // let go what waits
		k.state = Broken
		close(k.changed)
		k.changed = make(chan struct{})
	}
	k.mu.Unlock()
	err := k.listener.Close()
	k.all.Wait()
	return err
}

// reset breaks what is open; k.mu is held.
func (k *Link) reset() {
	for c := range k.open {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset, not an end
		}
		_ = c.Close()
	}
	clear(k.open)
}

func (k *Link) accept() {
	for {
		client, err := k.listener.Accept()
		if err != nil {
			return
		}
		if !k.add(client) {
			return
		}
		k.all.Go(func() { k.connect(client) })
	}
}

// add notes an open connection; none is taken by a link that is closed.
func (k *Link) add(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		_ = c.Close()
		return false
	}
	k.open[c] = struct{}{}
	return true
}

func (k *Link) drop(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, c)
	delete(k.forgotten, c)
	_ = c.Close()
}

func (k *Link) forgot(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.forgotten[c]
	return ok
}

func (k *Link) connect(client net.Conn) {
	defer k.drop(client)
	server, err := net.Dial("tcp", k.target)
	if err != nil || !k.add(server) {
		return
	}
	defer k.drop(server)
	var both sync.WaitGroup
	both.Go(func() { k.pass(server, client) })
	both.Go(func() { k.pass(client, server) })
	both.Wait()
}

var errBroken = errors.New("the link is broken")

// pass copies from one side to the other until the one has no more to say, or
// one of them or the link breaks, which ends both directions.
func (k *Link) pass(to, from net.Conn) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		if k.forgot(from) {
			if err != nil {
				k.drop(from)
				return
			}
			continue
		}
		passes := k.through() == nil
		if passes && n > 0 {
			_, broken := to.Write(chunk[:n])
			passes = broken == nil
		}
		if end, ok := to.(*net.TCPConn); ok && passes && errors.Is(err, io.EOF) && end.CloseWrite() == nil {
			return
		}
		if err != nil || !passes {
			k.drop(to)
			k.drop(from)
			return
		}
	}
}

// through returns when bytes may pass, or an error if they never will.
func (k *Link) through() error {
	for {
		k.mu.Lock()
		state, changed := k.state, k.changed
		k.mu.Unlock()
		switch state {
		case Up:
			return nil
		case Broken:
			return errBroken
		case Slow:
			select {
			case <-time.After(delay):
				return nil
			case <-changed:
			}
		case Dark:
			<-changed // and by then the connection is reset
			return errBroken
		}
	}
}
