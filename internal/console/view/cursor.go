package view

import "time"

// Cursor is where a page of a list ends. It contains times and ids only, since it
// appears in URLs: the value that a search is ordered by is looked up by the id.
type Cursor struct {
	Account string `json:"a"`
	Place   string `json:"p"`
	Micro   int64  `json:"t,omitempty"` // Unix time in microseconds, the precision of Postgres
	Part    int    `json:"n,omitempty"`
}

// CursorAfter returns the cursor of a page whose last row has this key.
func CursorAfter(k Key) Cursor {
	c := Cursor{Account: string(k.Account), Place: k.Place, Part: k.Part}
	if k.At != nil {
		c.Micro = k.At.UnixMicro()
	}
	return c
}

// At returns the time in the cursor.
func (c Cursor) At() time.Time { return time.UnixMicro(c.Micro).UTC() }
