package console

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"walletsync/internal/html"
)

// maxAccept bounds what is read of an Accept header, in bytes. Browsers send a
// tenth of it.
const maxAccept = 1000

// WantsJSON reports whether the client prefers JSON to a page (RFC 9110, section
// 12.5.1). A client without a preference, or with a malformed one, gets the page.
func WantsJSON(q *http.Request) bool {
	asJSON, asPage := -1.0, -1.0
	all := strings.Join(q.Header.Values("Accept"), ",")
	if len(all) > maxAccept {
		return false
	}
	for _, one := range strings.Split(all, ",") {
		kind, parameters, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		weight := 1.0
		if s, ok := parameters["q"]; ok {
			if weight, err = strconv.ParseFloat(s, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		switch kind {
		case "application/json", "application/problem+json":
			asJSON = max(asJSON, weight)
		case "text/html", "application/xhtml+xml":
			asPage = max(asPage, weight)
		}
	}
	return asJSON > 0 && asJSON > asPage
}

// WriteJSON answers with v. No cache may keep it.
func WriteJSON(w http.ResponseWriter, status int, v any) { write(w, "application/json", status, v) }

// Problem is an answer that says why a request failed (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"` // for programs
}

// WriteProblem answers with a Problem whose title is the status's own text.
func WriteProblem(w http.ResponseWriter, status int, code, detail string) {
	write(w, "application/problem+json", status, Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail})
}

func write(w http.ResponseWriter, contentType string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a value that JSON cannot hold, which tests would find
		WriteProblem(w, http.StatusInternalServerError, "internal", "The answer could not be written. The log has the reason.")
		return
	}
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Content-Type", contentType)
	w.Header().Add("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client is gone
}
