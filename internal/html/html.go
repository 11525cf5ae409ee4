// Package html is what all pages share: the layout and its style, the security
// headers with a Content Security Policy by nonce, and the choice of language.
// It knows no page and no text. Everything that a page shows is in the answer:
// nothing is fetched from anyone, and the fonts are the system's.
package html

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
)

//go:embed layout.html style.css
var files embed.FS

// Site writes pages in the shared layout.
type Site struct {
	pages map[string]func() (*template.Template, error) // each parses its page when it is first called
	rand  io.Reader
}

// View is what one answer shows.
type View struct {
	// Language is the BCP 47 tag of the page's text.
	Language string
	// Title is the page's title, as text. Zero-width spaces, where a heading may
	// break, are left out of it.
	Title string
	// Data is the page's own.
	Data any
	// Nonce is what the policy lets styles and scripts of this answer by; Write
	// sets it.
	Nonce string
}

// Shared is the file of what pages have in common. Where there is one, it is
// parsed into each of them.
const Shared = "shared.html"

// New returns the site of the named files of pages, each of which is parsed into
// the layout when it is first shown: a cold start waits for none of them. A file
// defines the template "main" and, if it needs them, "script" and "head"; funcs
// are what they may call. Nonces are made of random, of crypto/rand if that is
// nil.
func New(random io.Reader, funcs template.FuncMap, pages fs.FS, names ...string) (*Site, error) {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	layout, err := template.New("layout.html").Funcs(funcs).Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, // #nosec G203 -- ours, embedded
	}).ParseFS(files, "layout.html")
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	s := &Site{pages: map[string]func() (*template.Template, error){}, rand: random}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if _, err := fs.Stat(pages, Shared); err == nil {
		if layout, err = layout.ParseFS(pages, Shared); err != nil {
			return nil, fmt.Errorf("page %s: %w", Shared, err)
		}
	}
	for _, name := range names {
		if _, err := fs.Stat(pages, name); err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		s.pages[name] = sync.OnceValues(func() (*template.Template, error) {
			t, err := layout.Clone()
			if err != nil {
				return nil, err
			}
			return t.ParseFS(pages, name)
		})
	}
	return s, nil
}

// Write answers with a page under the policy, to which it adds the nonce. It
// writes nothing before the page is whole.
func (s *Site) Write(w http.ResponseWriter, status int, page string, v View, policy Policy) error {
	parsed := s.pages[page]
	if parsed == nil {
		return fmt.Errorf("there is no page %q", page)
	}
	t, err := parsed()
	if err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	// 18 bytes: over the 128 bits that Content Security Policy Level 3, section
	// 7.1, asks for, and a multiple of three.
	random := make([]byte, 18)
	if _, err := io.ReadFull(s.rand, random); err != nil {
		return fmt.Errorf("nonce: %w", err)
	}
	// The URL alphabet has no character that HTML escapes.
	v.Nonce = base64.URLEncoding.EncodeToString(random)
	v.Title = strings.ReplaceAll(v.Title, "\u200b", "")
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	nonce := "'nonce-" + v.Nonce + "'"
	Guard(w.Header(), policy.With(Policy{"script-src": {nonce}, "style-src": {nonce}}))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err = w.Write(b.Bytes())
	return err
}
