package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/console/view"
)

func consoleEnv(changes map[string]string) func(string) string {
	env := map[string]string{
		"OIDC_ISSUER": "https://issuer.example/realms/shop", "OIDC_CLIENT_ID": "walletsync",
		"CONSOLE_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console",
		"ROLES":              `{"act":["payments","on-call"],"read":["support"],"masked":["interns"]}`,
	}
	for k, v := range changes {
		env[k] = v
	}
	return startEnv(env)
}

func TestMinimalConsoleConfigurationHasTheDefaults(t *testing.T) {
	got, err := LoadConsole(consoleEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := SignIn{
		Issuer: "https://issuer.example/realms/shop", ClientID: "walletsync", Scopes: []string{"openid", "profile"},
		ConsoleSecret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console", RoleClaim: "roles", Session: 4 * time.Hour,
		Roles: map[string]view.Role{"payments": view.RoleAct, "on-call": view.RoleAct, "support": view.RoleRead, "interns": view.RoleMasked},
	}
	if diff := cmp.Diff(want, got.SignIn); diff != "" {
		t.Error(diff)
	}
	if got.Name != "console" || got.LinkLifetime != 24*time.Hour || got.Sweep != 7*24*time.Hour || got.Location != time.UTC || got.Margin != 5*time.Second {
		t.Errorf("%+v", got)
	}
}

func TestConsoleSettingsReplaceTheDefaults(t *testing.T) {
	got, err := LoadConsole(consoleEnv(map[string]string{
		"OIDC_ISSUER": "http://localhost:8080", "OIDC_HOSTS": "OAuth2.example.com, keys.example.com:8443", "OIDC_SCOPES": "openid  groups",
		"API_AUDIENCE": "https://pay.example/console", "ROLE_CLAIM": "/realm_access/roles", "SESSION_LIFETIME": "30m", "CONSOLE_LINK_LIFETIME": "2h",
		"TIME_ZONE": "Asia/Tokyo", "SWEEP_DAYS": "1.5", "ROLES": `{"read":["support"]}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := SignIn{
		Issuer: "http://localhost:8080", ClientID: "walletsync", Hosts: []string{"oauth2.example.com", "keys.example.com:8443"}, Scopes: []string{"openid", "groups"},
		Audience: "https://pay.example/console", ConsoleSecret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console",
		RoleClaim: "/realm_access/roles", Session: 30 * time.Minute, Roles: map[string]view.Role{"support": view.RoleRead},
	}
	if diff := cmp.Diff(want, got.SignIn); diff != "" {
		t.Error(diff)
	}
	if got.LinkLifetime != 2*time.Hour || got.Sweep != 36*time.Hour || got.Location.String() != "Asia/Tokyo" {
		t.Errorf("%+v", got)
	}
}

func TestEachConsoleProblemIsReportedWithItsVariable(t *testing.T) {
	for name, tt := range map[string]struct {
		env      map[string]string
		variable string
	}{
		"no issuer":                        {map[string]string{"OIDC_ISSUER": ""}, "OIDC_ISSUER"},
		"issuer without TLS":               {map[string]string{"OIDC_ISSUER": "http://issuer.example"}, "OIDC_ISSUER"},
		"issuer with a query":              {map[string]string{"OIDC_ISSUER": "https://issuer.example?a=b"}, "OIDC_ISSUER"},
		"no client":                        {map[string]string{"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID"},
		"no secret":                        {map[string]string{"CONSOLE_SECRET_ARN": ""}, "CONSOLE_SECRET_ARN"},
		"a host that is a URL":             {map[string]string{"OIDC_HOSTS": "https://issuer.example"}, "OIDC_HOSTS"},
		"a host with a path":               {map[string]string{"OIDC_HOSTS": "issuer.example/keys"}, "OIDC_HOSTS"},
		"every host":                       {map[string]string{"OIDC_HOSTS": "*"}, "OIDC_HOSTS"},
		"no host":                          {map[string]string{"OIDC_HOSTS": "issuer.example,"}, "OIDC_HOSTS"},
		"a logout endpoint without TLS":    {map[string]string{"COGNITO_LOGOUT_URL": "http://shop.auth.example/logout"}, "COGNITO_LOGOUT_URL"},
		"a logout endpoint with a query":   {map[string]string{"COGNITO_LOGOUT_URL": "https://shop.auth.example/logout?a=b"}, "COGNITO_LOGOUT_URL"},
		"scopes without openid":            {map[string]string{"OIDC_SCOPES": "profile"}, "OIDC_SCOPES"},
		"an API that is the console":       {map[string]string{"API_AUDIENCE": "walletsync"}, "API_AUDIENCE"},
		"no roles":                         {map[string]string{"ROLES": ""}, "ROLES"},
		"roles without values":             {map[string]string{"ROLES": `{"act":[]}`}, "ROLES"},
		"roles no JSON":                    {map[string]string{"ROLES": "act"}, "ROLES"},
		"a role that is none":              {map[string]string{"ROLES": `{"act":["a"],"owner":["b"]}`}, "ROLES"},
		"a value for two":                  {map[string]string{"ROLES": `{"act":["a"],"read":["a"]}`}, "ROLES"},
		"a role for nothing":               {map[string]string{"ROLES": `{"act":[""]}`}, "ROLES"},
		"a session of days":                {map[string]string{"SESSION_LIFETIME": "48h"}, "SESSION_LIFETIME"},
		"a link of weeks":                  {map[string]string{"CONSOLE_LINK_LIFETIME": "336h"}, "CONSOLE_LINK_LIFETIME"},
		"a time zone that is none":         {map[string]string{"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE"},
		"the machine's own time zone":      {map[string]string{"TIME_ZONE": "Local"}, "TIME_ZONE"},
		"no dead-letter queue":             {map[string]string{"DEAD_LETTER_QUEUE_URL": ""}, "DEAD_LETTER_QUEUE_URL"},
		"an account that starts no update": {map[string]string{"ACCOUNTS": "[" + account(map[string]any{"storeId": nil}) + "]"}, "ACCOUNTS[0].storeId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadConsole(consoleEnv(tt.env))
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) != 1 || problems[0].Variable != tt.variable || problems[0].Remedy == "" {
				t.Errorf("err = %v, want one problem of %s", err, tt.variable)
			}
		})
	}
}

// What an issuer gave may hold more than a word of ours, and no cookie is
// sealed by it.
func TestConsoleSecretHasTwoMembers(t *testing.T) {
	const client = `s3cr3t! "of" the / issuer`
	m := &manager{texts: map[string]string{
		"console AWSCURRENT": `{"clientSecret":"s3cr3t! \"of\" the / issuer","cookieKey":"` + newSecret + `"}`, "console AWSPREVIOUS": `{"clientSecret":"older","cookieKey":"` + oldSecret + `"}`,
		"half AWSCURRENT": `{"clientSecret":"` + newSecret + `"}`, "broken AWSCURRENT": `{"clientSecret":"a\nb","cookieKey":"` + newSecret + `"}`,
	}}
	s := NewSecrets(m, time.Now)
	if got, err := s.CookieKeys("console")(t.Context(), false); err != nil || !slices.Equal(got, []string{newSecret, oldSecret}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.ClientSecrets("console")(t.Context(), false); err != nil || !slices.Equal(got, []string{client, "older"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.CookieKeys("half")(t.Context(), false); err == nil || strings.Contains(err.Error(), newSecret) {
		t.Errorf("err = %v", err)
	}
	if _, err := s.ClientSecrets("broken")(t.Context(), false); err == nil {
		t.Error("a secret of two lines was taken")
	}
}
