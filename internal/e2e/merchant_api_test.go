package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"walletsync/internal/local/apidoc"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// merchantAPI returns a checker for the description of the merchant's API.
func merchantAPI(t *testing.T) *apidoc.Checker {
	t.Helper()
	file, err := os.ReadFile("../../functions/update-start/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := apidoc.NewChecker(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// askAs makes a request as the merchant's server and checks request and answer against
// the description.
func askAs(t *testing.T, s *stack.Stack, c *apidoc.Checker, authorization, path, body string, fits bool) (int, map[string]any) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PublicURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", authorization)
	q.Header.Set("Content-Type", "application/json")
	if broken := c.Request(t.Context(), q, []byte(body)); (broken == nil) != fits {
		t.Errorf("%s %s: the description says %v", path, body, broken)
	}
	status, header, text := answered(t, q)
	if err := c.Answer(t.Context(), q, status, header, []byte(text)); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return status, v
}

func bearer(t *testing.T, s *stack.Stack) string {
	t.Helper()
	key, err := os.ReadFile(s.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + string(key)
}

// A charge permission without a notification is announced, read at once and stored. All
// answers of the API match its description.
func TestAnAnnouncedChargePermissionIsReadWithoutANotification(t *testing.T) {
	s := running(t)
	c := merchantAPI(t)
	key := bearer(t, s)
	const id, unknown = "S01-7200001-7200001", "S01-7200009-7200009"
	if _, err := s.Twin.Change(id, []byte(`{"buyer":{"name":"Theodora"},"shippingAddress":{"city":"Berlin"}}`), twin.Notify{Silent: true}); err != nil {
		t.Fatal(err)
	}
	announce := func(ids string, want int) string {
		t.Helper()
		status, v := askAs(t, s, c, key, "/charge-permissions", `{"chargePermissionIds":[`+ids+`]}`, true)
		if status != want {
			t.Fatalf("%d %v, want %d", status, v, want)
		}
		var all []string
		for _, p := range v["chargePermissions"].([]any) {
			all = append(all, p.(map[string]any)["status"].(string))
		}
		return strings.Join(all, " ")
	}
	if got := announce(`"`+unknown+`","`+id+`"`, http.StatusAccepted); got != "requested requested" {
		t.Errorf("announced: %s", got)
	}
	until(t, "the read of the announced charge permission", func() (bool, error) {
		var n int
		err := s.DB.QueryRow(context.Background(), `select count(*) from walletsync.charge_permissions where id = $1 and shipping_city = 'Berlin'`, id).Scan(&n)
		return n == 1, err
	})
	until(t, "the unknown id to be recorded as not found", func() (bool, error) {
		var gone bool
		err := s.DB.QueryRow(context.Background(), `select gone_at is not null and wanted = done from walletsync.refreshes where id = $1`, unknown).Scan(&gone)
		return gone, err
	})
	if got := announce(`"`+unknown+`","`+id+`"`, http.StatusOK); got != "not_found stored" {
		t.Errorf("announced again: %s", got)
	}

	for _, bad := range []struct {
		key, path, body string
		fits            bool
		want            int
	}{
		{key, "/charge-permissions", `{"chargePermissionIds":["x"]}`, false, http.StatusBadRequest},
		{"Bearer x", "/charge-permissions", `{"chargePermissionIds":["` + id + `"]}`, true, http.StatusUnauthorized},
		{key, "/update-sessions", `{"chargePermissionId":"` + id + `","update":"name"}`, false, http.StatusBadRequest},
		{key, "/update-sessions", `{"chargePermissionId":"` + unknown + `","update":"both"}`, true, http.StatusNotFound},
		{"Bearer x", "/update-sessions", `{"chargePermissionId":"` + id + `","update":"both"}`, true, http.StatusUnauthorized},
		{key, "/update-sessions", `{"chargePermissionId":"` + id + `","update":"both","locale":"de"}`, true, http.StatusCreated},
	} {
		if status, v := askAs(t, s, c, bad.key, bad.path, bad.body, bad.fits); status != bad.want {
			t.Errorf("%s %s: %d %v, want %d", bad.path, bad.body, status, v, bad.want)
		}
	}
}

// example returns the only block of code in a language in the API's README.
func example(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile("../../functions/update-start/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(found) != 1 {
		t.Fatalf("the README has %d blocks of %s", len(found), language)
	}
	return found[0][1]
}

// Each example of the API's README runs verbatim, except for names, and prints two answers
// that match the description. With a wrong key it fails.
func TestTheExamplesOfTheAPIWork(t *testing.T) {
	s := running(t)
	c := merchantAPI(t)
	settled(t, s, walker)
	key := strings.TrimPrefix(bearer(t, s), "Bearer ")
	for _, l := range []struct{ language, program, install string }{
		{"sh", "bash", "bash curl"}, {"php", "php", "php-cli"}, {"js", "node", "nodejs"},
	} {
		t.Run(l.language, func(t *testing.T) {
			for _, program := range append([]string{l.program}, map[string][]string{"sh": {"curl"}}[l.language]...) {
				if _, err := exec.LookPath(program); err != nil {
					t.Skipf("no %s — apt-get install %s", program, l.install)
				}
			}
			run := func(key string) ([]byte, error) {
				arguments := map[string][]string{"sh": {"-eu"}, "js": {"-"}}[l.language]
				q := exec.CommandContext(t.Context(), l.program, arguments...)
				q.Env = append(os.Environ(), "BEARER_KEY="+key)
				q.Stdin = strings.NewReader(here(s, example(t, l.language)))
				return q.Output()
			}
			out, err := run(key)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			d := json.NewDecoder(bufio.NewReader(bytes.NewReader(out)))
			for _, path := range []string{"/charge-permissions", "/update-sessions"} {
				var v json.RawMessage
				if err := d.Decode(&v); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				status, header := http.StatusOK, http.Header{"Content-Type": {"application/json"}}
				if path == "/update-sessions" {
					status = http.StatusCreated
					header.Set("Location", "x") // the example does not print it
				}
				if err := c.Answer(t.Context(), httptest.NewRequest(http.MethodPost, path, nil), status, header, v); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			if out, err := run("wrong"); err == nil {
				t.Errorf("with a wrong key it prints %s", out)
			}
		})
	}
}
