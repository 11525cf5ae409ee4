package console

import (
	_ "embed"
	"net/http"

	"walletsync/internal/html"
)

// openAPI is the OpenAPI description of the console's JSON. A test makes it from
// the types.
//
//go:embed openapi.json
var openAPI []byte

func describe(w http.ResponseWriter, _ *http.Request) {
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // the client is gone
}
