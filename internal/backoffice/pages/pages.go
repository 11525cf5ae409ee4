// Package pages is what the console looks like: search, lists, the record of a
// charge permission, what failed, and how all stands. It decides nothing: it is
// told what to show, and shows it to whom it is told of, in English or Japanese.
// What Amazon or a buyer wrote is text and stays within its own direction.
//
// Every page works without a script; the one there is copies a link.
package pages

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"time"

	"walletsync/internal/backoffice/identity"
	"walletsync/internal/backoffice/view"
	"walletsync/internal/html"
)

//go:embed *.html console.css link.js
var files embed.FS

// Options are the settings of the pages.
type Options struct {
	Base     string // the path below which the console stands, as browsers see it
	Location *time.Location
	Now      func() time.Time
	// Random makes the nonces: crypto/rand if nil.
	Random io.Reader
	// Failed is told of a page that could not be written. May be nil.
	Failed func(q *http.Request, err error)
}

// Pages writes the console's pages.
type Pages struct {
	Options
	site      *html.Site
	languages *html.Languages
}

// New returns the pages.
func New(o Options) (*Pages, error) {
	p := &Pages{Options: o}
	var err error
	if p.languages, err = html.NewLanguages(languages...); err != nil {
		return nil, err
	}
	style, err := files.ReadFile("console.css")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("link.js")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{
		"deref":        deref,
		"consolestyle": func() template.CSS { return template.CSS(style) }, // #nosec G203 -- ours, embedded
		"script":       func() template.JS { return template.JS(script) },  // #nosec G203 -- ours, embedded
	}
	p.site, err = html.New(o.Random, funcs, files, "search.html", "list.html", "record.html", "link.html", "confirm.html", "erased.html", "accesses.html",
		"failures.html", "overview.html", "problem.html")
	return p, err
}

// Record is the page of a charge permission.
type Record struct {
	view.Record
	Refreshed string // what came of "refresh now", if that was just asked for
	Older     bool   // the timeline does not begin with the newest
}

// Problem tells what stands in the way. Its code is a word that the texts know;
// any other is unavailable.
type Problem struct{ Code string }

// languageCookie keeps the language that somebody chose.
const languageCookie = "walletsync_language"

// Show writes the page of a model: one of package view's, Record or Problem.
func (p *Pages) Show(w http.ResponseWriter, q *http.Request, status int, v any) {
	s := p.shown(w, q)
	s.V = v
	page := ""
	switch v := v.(type) {
	case view.Search:
		page, s.Nav, s.Title = "search.html", "search", s.Text.Search
	case view.List:
		page, s.Nav, s.Title = "list.html", "lists", s.Text.Filters[string(v.Filter)].Title
	case Record:
		// A title is kept in the browser's history: it names the record by its id.
		page, s.Nav, s.Title = "record.html", "", v.ChargePermissionID
	case view.Link:
		page, s.Title = "link.html", s.Text.LinkTitle
	case view.Confirm:
		page, s.Title = "confirm.html", s.Text.Confirm[v.What].Title
	case view.Erased:
		page, s.Title = "erased.html", s.Text.ErasedTitle
	case view.Accesses:
		page, s.Title = "accesses.html", s.Text.AccessTitle
	case view.Failures:
		page, s.Nav, s.Title = "failures.html", "failures", s.Text.Failures
	case view.Overview:
		page, s.Nav, s.Title = "overview.html", "overview", s.Text.Overview
	case Problem:
		if _, known := s.Text.Problems[v.Code]; !known {
			v.Code = "unavailable"
		}
		s.V = v
		page, s.Title = "problem.html", s.Text.Problems[v.Code].Title
	default:
		if p.Failed != nil {
			p.Failed(q, fmt.Errorf("no page shows a %T", v))
		}
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Add("Vary", "Accept, Accept-Language, Cookie")
	policy := html.Strict().With(html.Policy{"form-action": {"'self'"}})
	if err := p.site.Write(w, status, page, html.View{Language: s.Language, Title: s.Title + " – walletsync", Data: s}, policy); err != nil && p.Failed != nil {
		p.Failed(q, err)
	}
}

// Guard sets the security headers of an answer that is no page.
func (p *Pages) Guard(w http.ResponseWriter) { html.Guard(w.Header(), html.Strict()) }

// shown begins what a page shows to whoever asks.
func (p *Pages) shown(w http.ResponseWriter, q *http.Request) *shown {
	wanted := q.URL.Query().Get("language")
	if wanted == "" {
		if c, err := q.Cookie(languageCookie); err == nil {
			wanted = c.Value
		}
	}
	language := p.languages.Choose(wanted, q.Header.Get("Accept-Language"))
	if q.URL.Query().Has("language") {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: language, Path: p.Base + "/", MaxAge: 365 * 24 * 60 * 60,
			HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	}
	s := &shown{Language: language, Text: translations[language], Base: p.Base, Now: p.Now(), location: p.Location}
	s.Who, s.SignedIn = identity.Of(q.Context())
	s.Here = p.Base + "/"
	if q.Method == http.MethodGet {
		s.Here = p.Base + q.URL.Path
	}
	return s
}
