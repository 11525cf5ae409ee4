package console

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
)

// readForm reads the fields of a request: those of a form, or the members of a
// JSON object of strings, which programs find easier to write.
func readForm(q *http.Request) error {
	if kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")); kind != "application/json" {
		return q.ParseForm()
	}
	var members map[string]string
	if err := json.NewDecoder(q.Body).Decode(&members); err != nil {
		return errors.New("the body is not a JSON object of strings") // it may hold anything: it is not quoted
	}
	q.PostForm = url.Values{}
	for name, value := range members {
		q.PostForm.Set(name, value)
	}
	q.Form = q.PostForm
	return nil
}
