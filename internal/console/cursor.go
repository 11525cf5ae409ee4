package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"walletsync/internal/console/view"
)

// cursors signs the cursors of pages, so that no client can make one: a cursor is
// the position of a row in an order, and the order may be that of personal data. A
// signed cursor is
//
//	base64url of the cursor's JSON | "." | base64url of HMAC-SHA-256
//
// over a label, the scope and the text before the dot. The scope is the list, the
// user's role and the filter; a cursor of another scope is refused.
type cursors struct {
	// keys returns the valid secrets; the first one signs. With refetch the ones
	// returned before did not match.
	keys func(ctx context.Context, refetch bool) ([]string, error)
}

// errCursor means that no page returned the cursor for this scope.
var errCursor = errors.New("not a cursor of this list")

// cursorEncoding is strict, so that a cursor has one spelling.
var cursorEncoding = base64.RawURLEncoding.Strict()

// cursorScope returns the scope of the cursors of a request.
func cursorScope(q *http.Request, list string, filter ...string) string {
	by, _ := view.IdentityOf(q.Context())
	b, err := json.Marshal(append([]string{list, by.Role.String()}, filter...))
	if err != nil {
		panic(err) // strings
	}
	return string(b)
}

func signCursor(key, scope, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("walletsync console cursor\n" + scope + "\n" + text)) // neither JSON nor base64 has a line feed
	return mac.Sum(nil)
}

// seal signs a cursor. It returns an empty text for the zero cursor.
func (c cursors) seal(ctx context.Context, scope string, cursor view.Cursor) (string, error) {
	if cursor == (view.Cursor{}) {
		return "", nil
	}
	keys, err := c.keys(ctx, false)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(cursor)
	if err != nil {
		return "", err
	}
	text := cursorEncoding.EncodeToString(b)
	return text + "." + cursorEncoding.EncodeToString(signCursor(keys[0], scope, text)), nil
}

// open reads what seal returned for the same scope. An empty text is the cursor of
// the first page. The error is errCursor, or one of reading the keys.
func (c cursors) open(ctx context.Context, scope, sealed string) (cursor view.Cursor, err error) {
	if sealed == "" {
		return view.Cursor{}, nil
	}
	text, signature, _ := strings.Cut(sealed, ".")
	given, err := cursorEncoding.DecodeString(signature)
	if err != nil || len(given) != sha256.Size {
		return view.Cursor{}, errCursor
	}
	for _, refetch := range []bool{false, true} {
		keys, err := c.keys(ctx, refetch)
		if err != nil {
			return view.Cursor{}, err
		}
		for _, key := range keys {
			if !hmac.Equal(given, signCursor(key, scope, text)) {
				continue
			}
			b, err := cursorEncoding.DecodeString(text)
			if err != nil || json.Unmarshal(b, &cursor) != nil {
				return view.Cursor{}, errCursor // of an old release
			}
			return cursor, nil
		}
	}
	return view.Cursor{}, errCursor
}
