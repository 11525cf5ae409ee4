package config

import (
	"errors"
	"testing"
	"time"

	"walletsync/internal/wallet"
)

func FuzzAccounts(f *testing.F) {
	for _, s := range []string{
		"[" + account(nil) + "]", "[" + account(map[string]any{"topics": []string{topic}, "share": 0.25}) + "]",
		"[" + account(nil) + "," + account(nil) + "]", "[" + account(map[string]any{"quotas": map[string]any{"get_charge_permission": map[string]any{"burst": 1}}}) + "]",
		"[" + account(map[string]any{"follow": map[string]any{"types": []string{""}}}) + "]", "[]", "null", "[{}]", `[{"unknown":1}]`, "[] []", `[{"id":"a","topics":["x"],"share":1e400}]`, "[null]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := LoadReceiver(workerEnv(map[string]string{"ACCOUNTS": s}))
		if err != nil {
			var p Problems
			if !errors.As(err, &p) || len(p) == 0 {
				t.Fatalf("an error that is no Problems: %v", err)
			}
			for _, one := range p {
				if one.Variable == "" || one.Wrong == "" || one.Remedy == "" {
					t.Errorf("half a problem: %+v", one)
				}
			}
			return
		}
		if len(c.Accounts) == 0 {
			t.Fatal("accepted without an account")
		}
		ids := map[wallet.AccountID]bool{}
		for _, a := range c.Accounts {
			if _, err := wallet.ParseAccountID(string(a.ID)); err != nil || ids[a.ID] || a.IPNPathSecret == "" || a.MerchantID == "" || a.Region == "" {
				t.Errorf("accepted %+v", a)
			}
			if !(a.Share > 0 && a.Share <= 1) {
				t.Errorf("accepted a share of %v", a.Share)
			}
			for _, q := range a.Quotas {
				if !(q.Burst >= 1) || !(q.PerSecond > 0) {
					t.Errorf("accepted a quota of %+v", q)
				}
			}
			ids[a.ID] = true
		}
	})
}

// FuzzSecrets reads any text as each kind of secret: what is accepted is fit
// for use, and what is not gives one error, whatever the text: it quotes none.
func FuzzSecrets(f *testing.F) {
	for _, s := range []string{ipnSecretJSON(oldSecret), `{"ipnSecret":""}`, `{"privateKey":"-----BEGIN PRIVATE KEY-----"}`, `{"url":"postgres://u:p@h/d"}`, `{"url":"","directUrl":"x"}`, `"text"`, `null`, `{`} {
		f.Add(s)
	}
	read := func(t *testing.T, text string) (found []string, key Secret, d Database, errs [3]error) {
		m := &manager{texts: map[string]string{"ipn AWSCURRENT": text, "other AWSCURRENT": text}}
		s := NewSecrets(m, time.Now)
		found, errs[0] = ipnPathSecrets(m).DoorSecrets(t.Context(), "main", false)
		key, errs[1] = s.Key(t.Context(), "other", false)
		d, errs[2] = s.Database(t.Context(), "other", false)
		return found, key, d, errs
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _, plain := read(t, "{")
		found, key, d, errs := read(t, text)
		for i, err := range errs {
			if err != nil && err.Error() != plain[i].Error() {
				t.Errorf("the error depends on the text: %v", err)
			}
		}
		if (errs[0] == nil) != (len(found) > 0) || (errs[1] == nil) != (key.Reveal() != "") || (errs[2] == nil) != (d.URL.Reveal() != "" && d.DirectURL.Reveal() != "") {
			t.Errorf("%q, %q, %q, %v", found, key.Reveal(), d.URL.Reveal(), errs)
		}
		for _, s := range found {
			if !word.fits(s) {
				t.Errorf("%q is accepted as an IPN path secret", s)
			}
		}
	})
}
