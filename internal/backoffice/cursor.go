package backoffice

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"walletsync/internal/backoffice/identity"
	"walletsync/internal/backoffice/view"
)

// cursors signs the cursors that pages give out, so that nobody can write one: a
// cursor is the position of a row in an order, and the order may be one of
// personal data. A signed cursor is
//
//	the cursor, as view.Cursor writes it | "." | base64url of HMAC-SHA-256
//
// over a label, the scope and the cursor. The scope is the list, the caller's
// role and the filter; with another one the cursor is refused.
type cursors struct {
	// keys are the valid secrets, the one that signs first. Again says that the
	// ones returned before did not match.
	keys func(ctx context.Context, again bool) ([]string, error)
}

// strict, so that one signature has one spelling.
var signatureEncoding = base64.RawURLEncoding.Strict()

// cursorScope is what a cursor of this request's list is good for.
func cursorScope(q *http.Request, list string, filter ...string) string {
	by, _ := identity.Of(q.Context())
	b, err := json.Marshal(append([]string{list, by.Role.String()}, filter...))
	if err != nil {
		panic(err) // strings
	}
	return string(b)
}

func signCursor(key, scope, cursor string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("walletsync console cursor\n" + scope + "\n" + cursor)) // JSON has no line feed, and base64 none
	return mac.Sum(nil)
}

// seal returns a cursor as pages give it out; of none, nothing.
func (c cursors) seal(ctx context.Context, scope string, cursor view.Cursor) (string, error) {
	text := cursor.String()
	if text == "" {
		return "", nil
	}
	keys, err := c.keys(ctx, false)
	if err != nil {
		return "", err
	}
	return text + "." + signatureEncoding.EncodeToString(signCursor(keys[0], scope, text)), nil
}

// open reads what seal gave out for the same scope. Nothing is the cursor of the
// first page. The error is view.ErrCursor, or one of reading the keys.
func (c cursors) open(ctx context.Context, scope, sealed string) (view.Cursor, error) {
	if sealed == "" {
		return view.Cursor{}, nil
	}
	text, signature, _ := strings.Cut(sealed, ".")
	given, err := signatureEncoding.DecodeString(signature)
	if err != nil || len(given) != sha256.Size {
		return view.Cursor{}, view.ErrCursor
	}
	cursor, err := view.ParseCursor(text)
	if err != nil || cursor == (view.Cursor{}) {
		return view.Cursor{}, view.ErrCursor
	}
	for _, again := range []bool{false, true} {
		keys, err := c.keys(ctx, again)
		if err != nil {
			return view.Cursor{}, err
		}
		for _, key := range keys {
			if hmac.Equal(given, signCursor(key, scope, text)) {
				return cursor, nil
			}
		}
	}
	return view.Cursor{}, view.ErrCursor
}
