package view

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// Cursor is where a page of a list ends. It contains times and ids only, since it
// appears in URLs: the value that a search is ordered by is looked up by the id. Its
// text is not signed; the console signs it.
type Cursor struct {
	Account string `json:"a"`
	Place   string `json:"p"`
	Micro   int64  `json:"t,omitempty"` // Unix time in microseconds, as exact as Postgres has it
	Part    int    `json:"n,omitempty"`
}

// ErrCursor means that no page has returned a cursor.
var ErrCursor = errors.New("not a cursor of a page before this one")

const (
	maxCursor = 400
	maxMicro  = int64(1) << 57 // the year 6537
)

// cursorEncoding is strict, so that a cursor has one spelling.
var cursorEncoding = base64.RawURLEncoding.Strict()

// CursorAfter returns the cursor of a page whose last row has this key.
func CursorAfter(k Key) Cursor {
	c := Cursor{Account: string(k.Account), Place: k.Place, Part: k.Part}
	if k.At != nil {
		c.Micro = k.At.UnixMicro()
	}
	return c
}

// String returns the cursor as text, which is empty for the zero cursor.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers
	}
	return cursorEncoding.EncodeToString(b)
}

// At returns the time in the cursor.
func (c Cursor) At() time.Time { return time.UnixMicro(c.Micro).UTC() }

// ParseCursor reads what String returned. An empty text is the zero cursor.
func ParseCursor(s string) (Cursor, error) {
	var c Cursor
	if s == "" {
		return c, nil
	}
	b, err := cursorEncoding.DecodeString(s)
	if err != nil || len(b) > maxCursor || !utf8.Valid(b) || json.Unmarshal(b, &c) != nil {
		return Cursor{}, ErrCursor
	}
	if c.String() != s || c.Account == "" || c.Place == "" || c.Micro < 0 || c.Micro > maxMicro || c.Part < 0 || c.Part > 2 {
		return Cursor{}, ErrCursor
	}
	for _, r := range c.Account + c.Place {
		if r < ' ' || r > '~' {
			return Cursor{}, ErrCursor
		}
	}
	return c, nil
}
