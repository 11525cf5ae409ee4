package console

import (
	_ "embed"
	"net/http"

	"walletsync/internal/html"
)

// description is the OpenAPI description of the console as programs see it. It is
// made of the models of package view by a test, which holds it to them
// (-update writes it).
//
//go:embed openapi.json
var description []byte

// describe answers with the description.
func describe(w http.ResponseWriter, _ *http.Request) {
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(description) // the client is gone
}
