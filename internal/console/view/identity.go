package view

import "context"

// Role is what a user may do. Each role includes those before it; the zero value
// may do nothing.
type Role int

// The roles.
const (
	RoleMasked Role = iota + 1 // sees no personal data
	RoleRead                   // sees everything
	RoleAct                    // makes changes
)

// String returns the role's name in settings and logs.
func (r Role) String() string {
	switch r {
	case RoleMasked:
		return "masked"
	case RoleRead:
		return "read"
	case RoleAct:
		return "act"
	}
	return "none"
}

// ParseRole returns the role with a name, and false if there is none.
func ParseRole(name string) (Role, bool) {
	for _, r := range []Role{RoleMasked, RoleRead, RoleAct} {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// Identity is a signed-in user.
type Identity struct {
	// Subject is the issuer's identifier of the user, which never changes (OpenID
	// Connect Core 1.0, section 5.7). The access log stores it.
	Subject string
	Name    string // for display; may be empty
	Role    Role
	// CSRF is the token that forms must carry in their field csrf. It is empty for
	// clients with a bearer token, which need none.
	CSRF string
}

// You is the signed-in user.
type You struct {
	Subject string `json:"subject"`
	Name    string `json:"name,omitempty"`
	Role    string `json:"role"`
}

type identityKey struct{}

// WithIdentity returns a context with the signed-in user.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf returns the signed-in user, and false if there is none.
func IdentityOf(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}
