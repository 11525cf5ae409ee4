package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"walletsync/internal/console/view"
)

// Console is the configuration of functions/console.
type Console struct {
	Function
	Accounts []Account
	Refreshing
	Pages
	DeadLetterQueueURL string
	// CONSOLE_LINK_LIFETIME: lifetime of a link to the update page that the console
	// makes.
	LinkLifetime time.Duration
	Sweep        time.Duration // a charge permission without a read for this long is stale
	GracePeriod  time.Duration // how long the notification of a completed update may take
	// TIME_ZONE: time zone of the times that the console shows, such as
	// `Europe/Berlin`.
	Location *time.Location
	SignIn
}

// SignIn holds the settings for signing in to the console.
type SignIn struct {
	// OIDC_ISSUER: the issuer's https URL, as `issuer` in its
	// `/.well-known/openid-configuration`.
	Issuer string
	// OIDC_CLIENT_ID: id of the confidential client that is registered for the
	// console, with the redirect URI `PUBLIC_URL/console/callback`. PKCE is used.
	ClientID string
	// OIDC_HOSTS: hosts besides the issuer's own that its description names,
	// separated by commas.
	Hosts []string
	// OIDC_SCOPES: scopes that the console requests. Add what the issuer's role claim
	// needs, such as `groups`.
	Scopes []string
	// COGNITO_LOGOUT_URL: for Amazon Cognito only: `https://DOMAIN/logout` with the
	// user pool's domain. Cognito takes `logout_uri` where other issuers follow OpenID
	// Connect RP-Initiated Logout. Register `PUBLIC_URL/console/signed-out` as a
	// sign-out URL.
	CognitoLogoutURL string
	// API_AUDIENCE: audience of the access tokens that programs send. If it is not
	// set, access tokens are refused. Amazon Cognito's have no `aud`: set the id of the
	// programs' own app client, which must be their `client_id`.
	Audience string
	// CONSOLE_SECRET_ARN: ARN of `{"clientSecret":"…","cookieKey":"…"}`: the issuer's
	// client secret, and a random word that seals cookies. The previous version stays
	// valid.
	ConsoleSecret string
	// ROLE_CLAIM: the claim of the id or access token that holds the role, or a JSON
	// pointer such as `/realm_access/roles`. The token itself must hold it: there is no
	// call to a userinfo endpoint. Microsoft Entra ID leaves `groups` out for people in
	// more than 200 groups: send only the groups that are assigned to the application,
	// or use app roles (`roles`).
	RoleClaim string
	// ROLES: the values of the claim that give each role:
	// `{"act":["…"],"read":["…"],"masked":["…"]}`. `masked` sees no personal data,
	// `read` sees everything, `act` also makes changes. People without any of the
	// values are refused.
	Roles map[string]view.Role
	// SESSION_LIFETIME: how long a session lasts before the browser is sent to the
	// issuer again. A role that was taken away stays usable for this long.
	Session time.Duration
}

// The defaults of the optional settings.
const (
	// DefaultConsoleLink is longer than DefaultLinkLifetime, because a clerk sends
	// the link by mail.
	DefaultConsoleLink = 24 * time.Hour
	// DefaultSession is half a working day. A role that was removed at the issuer
	// stays usable for at most this long.
	DefaultSession   = 4 * time.Hour
	DefaultRoleClaim = "roles"
)

// LoadConsole reads the configuration of functions/console; getenv is os.Getenv. Its
// error is Problems.
func LoadConsole(getenv func(string) string) (Console, error) {
	r := reader{getenv: getenv}
	c := Console{
		Function:           r.function("console"),
		Accounts:           r.accounts(privateKeySecretArn),
		Refreshing:         r.refreshing(),
		Pages:              r.pages(),
		DeadLetterQueueURL: r.url("DEAD_LETTER_QUEUE_URL", deadLetterRemedy),
		LinkLifetime:       r.duration("CONSOLE_LINK_LIFETIME", DefaultConsoleLink, time.Minute, 7*24*time.Hour),
		Sweep:              r.days("SWEEP_DAYS", DefaultSweepDays, 365),
		GracePeriod:        r.gracePeriod(),
		Location:           time.UTC,
		SignIn:             r.signIn(),
	}
	if s := r.getenv("TIME_ZONE"); s != "" {
		at, err := time.LoadLocation(s)
		if err != nil || s == "Local" {
			r.add("TIME_ZONE", "it is not a time zone", "set one of the tz database, such as Europe/Berlin, or leave it out for UTC")
		} else {
			c.Location = at
		}
	}
	r.stores(c.Accounts)
	return c, r.err()
}

func (r *reader) signIn() SignIn {
	c := SignIn{
		Issuer:           r.needed("OIDC_ISSUER", "the https URL of the OpenID Connect issuer, as its tokens name it"),
		ClientID:         r.needed("OIDC_CLIENT_ID", "the id of the client that is registered with the issuer for the console"),
		Scopes:           strings.Fields(r.getenv("OIDC_SCOPES")),
		Audience:         r.getenv("API_AUDIENCE"),
		CognitoLogoutURL: r.getenv("COGNITO_LOGOUT_URL"),
		ConsoleSecret:    r.secretARN("CONSOLE_SECRET_ARN", `the ARN of a secret such as {"clientSecret":"…","cookieKey":"…"}`),
		RoleClaim:        r.getenv("ROLE_CLAIM"),
		Session:          r.duration("SESSION_LIFETIME", DefaultSession, 5*time.Minute, 12*time.Hour),
	}
	if c.Issuer != "" && !secureBase(c.Issuer) {
		r.add("OIDC_ISSUER", "it is not an https URL without user, query and fragment", "copy issuer from its /.well-known/openid-configuration; http is only allowed on loopback")
	}
	if s := r.getenv("OIDC_HOSTS"); s != "" {
		for _, one := range strings.Split(s, ",") {
			h := strings.ToLower(strings.TrimSpace(one))
			if u, err := url.Parse("https://" + h); err != nil || h == "" || u.Host != h || !plainURL.MatchString(h) {
				r.add("OIDC_HOSTS", "one of them is not a host", "set the hosts that the issuer's description names besides its own, separated by commas, such as oauth2.example.com")
				continue
			}
			c.Hosts = append(c.Hosts, h)
		}
	}
	if c.CognitoLogoutURL != "" && !secureBase(c.CognitoLogoutURL) {
		r.add("COGNITO_LOGOUT_URL", "it is not an https URL without user, query and fragment", "set https://DOMAIN/logout with the domain of the user pool, or leave it out for any other issuer")
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		r.add("OIDC_SCOPES", "openid is not among them", "set scopes such as openid profile groups, or leave it out for openid profile")
	}
	if c.Audience != "" && c.Audience == c.ClientID {
		r.add("API_AUDIENCE", "it is the same as OIDC_CLIENT_ID, so a token from a sign-in would give access to the API", "register the API with the issuer under a name of its own, or leave it out to refuse access tokens")
	}
	if c.RoleClaim == "" {
		c.RoleClaim = DefaultRoleClaim
	}
	c.Roles = r.roles()
	return c
}

// roles reads the role that each value of the claim gives.
func (r *reader) roles() map[string]view.Role {
	const name = "ROLES"
	const remedy = `set an object such as {"act":["payments"],"read":["support"],"masked":["interns"]}; users without any of these values are refused`
	s := r.needed(name, strings.TrimPrefix(remedy, "set "))
	if s == "" {
		return nil
	}
	var in map[string][]string
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		r.add(name, fmt.Sprintf("it cannot be read: %v", err), remedy)
		return nil
	}
	out := map[string]view.Role{}
	for _, word := range slices.Sorted(maps.Keys(in)) {
		role, ok := view.ParseRole(word)
		if !ok {
			r.add(name, "one of its members is not a role", remedy)
			continue
		}
		for _, value := range in[word] {
			if _, twice := out[value]; twice || value == "" {
				r.add(name, "one of its values gives two roles, or is empty", remedy)
			}
			out[value] = role
		}
	}
	if len(out) == 0 {
		r.add(name, "it has no value for any role", remedy)
	}
	return out
}
