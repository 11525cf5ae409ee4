// Package identity says who is signed in to the console, and what they may do.
// It knows neither how they signed in nor what there is to see.
package identity

import "context"

// Role says what a signed-in person may do. Each includes those before it; the
// zero value may do nothing.
type Role int

// The roles.
const (
	Masked Role = iota + 1 // sees no personal data
	Read                   // sees everything
	Act                    // changes what may be changed
)

// String names a role as settings and logs do.
func (r Role) String() string {
	switch r {
	case Masked:
		return "masked"
	case Read:
		return "read"
	case Act:
		return "act"
	}
	return "none"
}

// ParseRole is the role of that name, and false if there is none.
func ParseRole(name string) (Role, bool) {
	for _, r := range []Role{Masked, Read, Act} {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// Identity is who is signed in.
type Identity struct {
	// Subject is the issuer's name of the person, the same for good (OpenID
	// Connect Core 1.0, section 5.7). The access log keeps it.
	Subject string
	Name    string // to show; it may be empty
	Role    Role
	// CSRF goes with every form, as the field csrf. It is empty for a caller with
	// a bearer token, who needs none.
	CSRF string
}

type key struct{}

// With returns a context of which Of tells id.
func With(ctx context.Context, id Identity) context.Context { return context.WithValue(ctx, key{}, id) }

// Of returns who is signed in, and false if nobody is.
func Of(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(key{}).(Identity)
	return id, ok
}
