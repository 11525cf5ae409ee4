package oidc

import (
	"encoding/json"
	"fmt"
	"strings"

	"walletsync/internal/console/view"
)

// Roles decides on a user's role by a claim of the token. Without one of its values
// access is denied.
type Roles struct {
	// Claim is the claim's name, or where it starts with a slash the JSON
	// pointer to it (RFC 6901), such as /realm_access/roles.
	Claim string
	// Values are the roles by the claim's values. A user with several gets the one
	// that includes the others.
	Values map[string]view.Role
}

// of returns the role of a user with these claims.
func (r Roles) of(claims map[string]any) view.Role {
	var best view.Role
	switch v := r.find(claims).(type) {
	case string:
		best = r.Values[v]
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				best = max(best, r.Values[s])
			}
		}
	}
	return best
}

// leftOut returns an error with the remedy if the claim is missing because it had too
// many values, nil otherwise. Such a token names the claim in
// _claim_names (OpenID Connect Core 1.0, section 5.6.2). Microsoft Entra ID does
// so for people in more than 200 groups, and sets hasgroups in the implicit flow
// ("Configure group claims for applications", Microsoft Entra documentation).
func (r Roles) leftOut(claims map[string]any) error {
	if r.find(claims) != nil {
		return nil
	}
	name := r.Claim
	if path, pointer := strings.CutPrefix(r.Claim, "/"); pointer {
		name, _, _ = strings.Cut(path, "/")
	}
	names, _ := claims["_claim_names"].(map[string]any)
	if _, named := names[name]; !named && (name != "groups" || claims["hasgroups"] != true) {
		return nil
	}
	return fmt.Errorf("the issuer left the claim %q out of the token because this person has too many values of it: have it send only the groups that are assigned to the application, or assign app roles and set ROLE_CLAIM to roles", r.Claim)
}

// find returns the claim, nil if it is missing.
func (r Roles) find(claims map[string]any) any {
	path, pointer := strings.CutPrefix(r.Claim, "/")
	if !pointer {
		return claims[r.Claim]
	}
	var at any = claims
	for _, part := range strings.Split(path, "/") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return at
}

func decode(raw json.RawMessage) (map[string]any, error) {
	var claims map[string]any
	err := json.Unmarshal(raw, &claims)
	return claims, err
}
