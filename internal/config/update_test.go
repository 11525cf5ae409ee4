package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func startEnv(changes map[string]string) func(string) string {
	env := map[string]string{
		"PUBLIC_URL":        "https://pay.example",
		"RETURN_ORIGINS":    "https://shop.example",
		"LINK_SECRET_ARN":   "arn:aws:secretsmanager:eu-west-1:123456789012:secret:link",
		"BEARER_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bearer",
	}
	for k, v := range changes {
		env[k] = v
	}
	return workerEnv(env)
}

func TestMinimalStartConfigurationHasTheDefaults(t *testing.T) {
	got, err := LoadStart(startEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.LinkLifetime != 30*time.Minute || !got.SetupOnly || got.CancelURL || got.IAM {
		t.Errorf("start: %+v", got)
	}
	if got.Margin != 5*time.Second || got.APITimeout != 8*time.Second || got.Lease != 35*time.Second || got.Name != "update-start" {
		t.Errorf("refreshing: %+v", got.Refreshing)
	}
	returned, err := LoadReturn(startEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	if returned.ReturnTimeout != 10*time.Second || returned.PublicURL != "https://pay.example" || returned.Name != "checkout-return" {
		t.Errorf("return: %+v", returned)
	}
}

func TestUpdateSettingsReplaceTheDefaults(t *testing.T) {
	env := startEnv(map[string]string{
		"ACCOUNTS":   "[" + account(map[string]any{"checkoutScriptUrl": "http://127.0.0.1:1/checkout.js"}) + "]",
		"PUBLIC_URL": "http://127.0.0.1:8080/pay/", "RETURN_ORIGINS": "https://Shop.Example, http://localhost:3000/",
		"AUTH": "iam", "BEARER_SECRET_ARN": "", "LINK_LIFETIME": "24h", "SETUP_ONLY": "false", "CHECKOUT_CANCEL_URL": "on",
		"MERCHANT_NAME": "Example Shop", "MERCHANT_URL": "https://shop.example/account", "CSP_ADDITIONS": `{"connect-src":["https://a.example"]}`,
		"RETURN_TIMEOUT": "3s",
	})
	got, err := LoadStart(env)
	if err != nil {
		t.Fatal(err)
	}
	want := Pages{
		PublicURL: "http://127.0.0.1:8080/pay", ReturnOrigins: []string{"https://shop.example", "http://localhost:3000"},
		LinkSecret:   "arn:aws:secretsmanager:eu-west-1:123456789012:secret:link",
		MerchantName: "Example Shop", MerchantURL: "https://shop.example/account",
		CSP: map[string][]string{"connect-src": {"https://a.example"}},
	}
	if diff := cmp.Diff(want, got.Pages); diff != "" {
		t.Error(diff)
	}
	if !got.IAM || got.LinkLifetime != 24*time.Hour || got.SetupOnly || !got.CancelURL || got.Accounts[0].CheckoutScriptURL != "http://127.0.0.1:1/checkout.js" {
		t.Errorf("start: %+v", got)
	}
	if r, err := LoadReturn(env); err != nil || r.ReturnTimeout != 3*time.Second {
		t.Errorf("return: %+v, %v", r, err)
	}
}

func TestEachStartProblemIsReportedWithItsVariable(t *testing.T) {
	for _, tt := range []struct {
		name     string
		env      map[string]string
		variable string
	}{
		{"no public URL", map[string]string{"PUBLIC_URL": ""}, "PUBLIC_URL"},
		{"public URL without TLS", map[string]string{"PUBLIC_URL": "http://pay.example"}, "PUBLIC_URL"},
		{"public URL with a query", map[string]string{"PUBLIC_URL": "https://pay.example?x=1"}, "PUBLIC_URL"},
		{"public URL that JSON must escape", map[string]string{"PUBLIC_URL": `https://pay.example/a\b`}, "PUBLIC_URL"},
		{"public URL that makes return URLs too long", map[string]string{"PUBLIC_URL": "https://pay.example/" + strings.Repeat("a", MaxPublicURL-19)}, "PUBLIC_URL"},
		{"public URL with a user", map[string]string{"PUBLIC_URL": "https://user@pay.example"}, "PUBLIC_URL"},
		{"origin with a path", map[string]string{"RETURN_ORIGINS": "https://shop.example/account"}, "RETURN_ORIGINS"},
		{"origin without TLS", map[string]string{"RETURN_ORIGINS": "http://shop.example"}, "RETURN_ORIGINS"},
		{"origin of any", map[string]string{"RETURN_ORIGINS": "*"}, "RETURN_ORIGINS"},
		{"no link secret", map[string]string{"LINK_SECRET_ARN": ""}, "LINK_SECRET_ARN"},
		{"no bearer secret", map[string]string{"BEARER_SECRET_ARN": ""}, "BEARER_SECRET_ARN"},
		{"authentication", map[string]string{"AUTH": "none"}, "AUTH"},
		{"a lifetime of days", map[string]string{"LINK_LIFETIME": "48h"}, "LINK_LIFETIME"},
		{"neither on nor off", map[string]string{"SETUP_ONLY": "maybe"}, "SETUP_ONLY"},
		{"merchant URL", map[string]string{"MERCHANT_URL": "javascript:alert(1)"}, "MERCHANT_URL"},
		{"policy no JSON", map[string]string{"CSP_ADDITIONS": "connect-src *"}, "CSP_ADDITIONS"},
		{"no store id", map[string]string{"ACCOUNTS": "[" + account(map[string]any{"storeId": nil}) + "]"}, "ACCOUNTS[0].storeId"},
		{"script", map[string]string{"ACCOUNTS": "[" + account(map[string]any{"checkoutScriptUrl": "http://cdn.example/checkout.js"}) + "]"}, "ACCOUNTS[0].checkoutScriptUrl"},
		{"lease shorter than a call", map[string]string{"LEASE": "5s"}, "LEASE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := LoadStart(startEnv(tt.env))
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) != 1 || problems[0].Variable != tt.variable || problems[0].Remedy == "" {
				t.Errorf("err = %v, want one problem of %s", err, tt.variable)
			}
		})
	}
	if _, err := LoadReturn(startEnv(map[string]string{"RETURN_TIMEOUT": "1h"})); err == nil || !strings.Contains(err.Error(), "RETURN_TIMEOUT") {
		t.Errorf("err = %v", err)
	}
}

func TestTwoLinkSecretsAndBearerKeysAreValidDuringARotation(t *testing.T) {
	m := &manager{texts: map[string]string{
		"link AWSCURRENT": `{"linkSecret":"` + newSecret + `"}`, "link AWSPREVIOUS": `{"linkSecret":"` + oldSecret + `"}`,
		"bearer AWSCURRENT": `{"bearerKey":"` + newSecret + `"}`, "bearer AWSPREVIOUS": `{"linkSecret":"` + oldSecret + `"}`,
	}}
	s := NewSecrets(m, time.Now)
	if got, err := s.Links("link")(t.Context(), false); err != nil || !slices.Equal(got, []string{newSecret, oldSecret}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.BearerKeys("bearer")(t.Context(), false); err != nil || !slices.Equal(got, []string{newSecret}) {
		t.Errorf("%q, %v: a secret of another kind opened", got, err)
	}
	if _, err := s.BearerKeys("link")(t.Context(), false); err == nil || strings.Contains(err.Error(), newSecret) {
		t.Errorf("err = %v", err)
	}
}
