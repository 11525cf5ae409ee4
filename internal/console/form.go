package console

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"unicode/utf8"
)

// What requests may hold: as a form, or as a JSON object of strings, which is
// easier for programs.
type (
	searchRequest struct {
		Query string `json:"q,omitempty"`
		State string `json:"state,omitempty"`
		After string `json:"after,omitempty"`
	}
	linkRequest struct {
		Update string `json:"update"`
	}
	confirmRequest struct {
		Confirm string `json:"confirm"`
	}
	retryRequest struct {
		ID  string `json:"id,omitempty"`
		All string `json:"all,omitempty"`
	}
)

// readForm reads the body of a request into one of the types above. If it fails
// it answers the request and returns false.
func (c *console) readForm(w http.ResponseWriter, q *http.Request, into any) bool {
	members, err := formOf(q)
	for _, value := range members {
		if !utf8.ValidString(value) {
			err = errors.New("the body is not UTF-8")
		}
	}
	if err == nil {
		var b []byte
		if b, err = json.Marshal(members); err == nil {
			err = json.Unmarshal(b, into)
		}
	}
	if err != nil {
		c.problem(w, q, badRequest)
	}
	return err == nil
}

func formOf(q *http.Request) (map[string]string, error) {
	members := map[string]string{}
	if kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")); kind == "application/json" {
		return members, json.NewDecoder(q.Body).Decode(&members)
	}
	err := q.ParseForm()
	for name := range q.PostForm {
		members[name] = q.PostForm.Get(name)
	}
	return members, err
}
