package link_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"walletsync/internal/local/fault/link"
)

// echo is a server that says again what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

type client struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, k *link.Link) client {
	t.Helper()
	c, err := net.Dial("tcp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return client{c, bufio.NewReader(c)}
}

func (c client) say(word string) (string, error) {
	if _, err := c.Write([]byte(word + "\n")); err != nil {
		return "", err
	}
	return c.lines.ReadString('\n')
}

func TestWhatALinkDoesToItsConnections(t *testing.T) {
	for _, s := range []link.State{link.Up, link.Slow, link.Broken, link.Dark} {
		t.Run(s.String(), func(t *testing.T) {
			k, err := link.Listen(context.Background(), echo(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = k.Close() }()
			old := dial(t, k)
			if got, err := old.say("before"); got != "before\n" {
				t.Fatalf("%q, %v", got, err)
			}
			k.Set(s)
			passes := s == link.Up || s == link.Slow
			for name, c := range map[string]client{"open": old, "new": dial(t, k)} {
				if s == link.Dark {
					_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				}
				got, err := c.say("now")
				if passes != (got == "now\n") {
					t.Errorf("%s connection: %q, %v", name, got, err)
				}
				if s == link.Dark && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s connection in the dark got an error: %v", name, err)
				}
			}
			k.Set(link.Up)
			if got, err := dial(t, k).say("after"); got != "after\n" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
			if s == link.Dark {
				_ = old.SetReadDeadline(time.Time{})
				if got, err := old.lines.ReadString('\n'); err == nil {
					t.Errorf("what was swallowed came after all: %q", got)
				}
			}
		})
	}
}

func TestALinkPassesTheEndOfOneDirectionOn(t *testing.T) {
	k, err := link.Listen(context.Background(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	c := dial(t, k)
	if _, err := c.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(c.lines); err != nil || string(all) != "last words" {
		t.Errorf("%q, %v", all, err)
	}
}

func TestForgottenConnectionsSwallowWhatComes(t *testing.T) {
	k, err := link.Listen(context.Background(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	old := dial(t, k)
	if got, err := old.say("hello"); got != "hello\n" || err != nil {
		t.Fatal(got, err)
	}
	k.Forget()
	if got, err := dial(t, k).say("new"); got != "new\n" || err != nil {
		t.Error(got, err)
	}
	if err := old.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := old.say("old"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v, want silence", got, err)
	}
}
