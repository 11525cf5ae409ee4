package console

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/console/view"
	"walletsync/internal/html"
)

//go:embed pages
var files embed.FS

// pageWriter writes the console's pages, in English or Japanese. They work without
// scripts, but for a button that copies a link. What Amazon or a buyer wrote is
// shown as text, within its own direction.
type pageWriter struct {
	base      string // the path of the console, as browsers see it
	location  *time.Location
	now       func() time.Time
	site      *html.Site
	languages *html.Languages
	failed    func(q *http.Request, err error) // logs that a page could not be written
}

func newPageWriter(o Options) (*pageWriter, error) {
	p := &pageWriter{base: o.Prefix + home, location: o.Location, now: o.Now, failed: func(q *http.Request, err error) {
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("page could not be written")
	}}
	var err error
	if p.languages, err = html.NewLanguages(languages...); err != nil {
		return nil, err
	}
	style, err := files.ReadFile("pages/console.css")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("pages/link.js")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{
		"deref":        deref,
		"consolestyle": func() template.CSS { return template.CSS(style) }, // #nosec G203 -- ours, embedded
		"script":       func() template.JS { return template.JS(script) },  // #nosec G203 -- ours, embedded
	}
	templates, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	p.site, err = html.New(o.Random, funcs, templates, "search.html", "list.html", "record.html", "link.html", "confirm.html", "erased.html", "accesses.html",
		"failures.html", "overview.html", "problem.html")
	return p, err
}

// recordPage is the page of a charge permission.
type recordPage struct {
	view.Record
	Refreshed string // the outcome of a refresh that this page answers
	Older     bool   // the timeline does not begin with the newest change
}

// languageCookie keeps the language that the user chose.
const languageCookie = "walletsync_language"

// show writes the page of a model: one of package view's, recordPage or problem.
func (p *pageWriter) show(w http.ResponseWriter, q *http.Request, status int, v any) {
	s := p.shown(w, q)
	s.V = v
	page := ""
	switch v := v.(type) {
	case view.Search:
		page, s.Nav, s.Title = "search.html", "search", s.Text.Search
	case view.List:
		page, s.Nav, s.Title = "list.html", "lists", s.Text.Filters[string(v.Filter)].Title
	case recordPage:
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
	case problem:
		text := s.Text.Problems[v.code]
		page, s.Title, s.V = "problem.html", text.Title, text
	default:
		p.failed(q, fmt.Errorf("no page shows a %T", v))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Add("Vary", "Accept, Accept-Language, Cookie")
	policy := html.Strict().With(html.Policy{"form-action": {"'self'"}})
	if err := p.site.Write(w, status, page, html.View{Language: s.Language, Title: s.Title + " – walletsync", Data: s}, policy); err != nil {
		p.failed(q, err)
	}
}

// shown returns what a page shows to the user, but for its model.
func (p *pageWriter) shown(w http.ResponseWriter, q *http.Request) *shown {
	wanted := q.URL.Query().Get("language")
	if wanted == "" {
		if c, err := q.Cookie(languageCookie); err == nil {
			wanted = c.Value
		}
	}
	language := p.languages.Choose(wanted, q.Header.Get("Accept-Language"))
	if q.URL.Query().Has("language") {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: language, Path: p.base + "/", MaxAge: 365 * 24 * 60 * 60,
			HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	}
	s := &shown{Language: language, Text: translations[language], Base: p.base, Now: p.now(), location: p.location}
	s.Who, s.SignedIn = view.IdentityOf(q.Context())
	s.Here = p.base + "/"
	if q.Method == http.MethodGet {
		s.Here = p.base + q.URL.Path
	}
	return s
}
