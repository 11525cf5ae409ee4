// Package answer is how the console answers programs: the same URLs as its
// pages, in JSON where the caller asks for it, and problems as RFC 9457 has
// them. It knows no page.
package answer

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

// JSON reports whether the caller would rather have JSON than a page (RFC 9110,
// section 12.5.1). Who has no preference, or sends nonsense, gets the page.
func JSON(q *http.Request) bool {
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

// Write answers with v in JSON, which nobody keeps.
func Write(w http.ResponseWriter, status int, v any) { write(w, "application/json", status, v) }

// Problem is an answer that says what stands in the way (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"` // for programs
}

// NewProblem returns a problem whose title is the status's own text.
func NewProblem(status int, code, detail string) Problem {
	return Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// Write answers with the problem in JSON.
func (p Problem) Write(w http.ResponseWriter) {
	write(w, "application/problem+json", p.Status, p)
}

func write(w http.ResponseWriter, contentType string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a value that JSON does not have, which tests would find
		contentType, status = "application/problem+json", http.StatusInternalServerError
		b, _ = json.Marshal(NewProblem(status, "internal", "The answer could not be written. The log says why."))
	}
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Content-Type", contentType)
	w.Header().Add("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client is gone
}
