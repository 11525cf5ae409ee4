// Package demo has what the pages of the demo share: headers, and a stream of
// what changed.
package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

// Guard sets the headers of every answer, and refuses posts of other sites.
func Guard(policy string, h http.Handler) http.Handler {
	own := http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		own.ServeHTTP(w, r)
	})
}

// Render writes a page.
func Render(w http.ResponseWriter, status int, page *template.Template, name string, data any) {
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser is gone if it fails
}

// Sender sends an event, unless the page has the same body for its key already.
type Sender func(event, key, body string) error

// Stream has push send what there is, again and again, until the page has gone
// or push fails. A page that reconnects is sent everything.
func Stream(w http.ResponseWriter, r *http.Request, poll time.Duration, push func(Sender) error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	sent := map[string]string{}
	send := func(event, key, body string) error {
		if sent[event+key] == body {
			return nil
		}
		data, err := json.Marshal(map[string]string{"key": key, "body": body})
		if err != nil {
			return err
		}
		sent[event+key] = body
		_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
		return err
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for push(send) == nil && stream.Flush() == nil {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
