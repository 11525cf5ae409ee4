package html

import "golang.org/x/text/language"

// maxLanguage bounds what is read of a language or a list of languages, in
// bytes. Browsers send far less.
const maxLanguage = 1000

// Languages chooses among the languages that pages have.
type Languages struct {
	tags    []string
	matcher language.Matcher
}

// NewLanguages returns the choice among tags (BCP 47); the first one is for
// those who understand none of them.
func NewLanguages(tags ...string) (*Languages, error) {
	parsed := make([]language.Tag, len(tags))
	for i, tag := range tags {
		var err error
		if parsed[i], err = language.Parse(tag); err != nil {
			return nil, err
		}
	}
	return &Languages{tags, language.NewMatcher(parsed)}, nil
}

// Choose returns the tag for a reader: what is asked for explicitly (a language
// or a locale, as Amazon Pay's de_DE), else the best of the Accept-Language
// header (RFC 9110, section 12.5.4), else the first. Nonsense counts as
// nothing, whoever sent it.
func (l *Languages) Choose(explicit, accept string) string {
	for _, list := range []string{explicit, accept} {
		if len(list) > maxLanguage {
			continue
		}
		wanted, _, err := language.ParseAcceptLanguage(list)
		if err != nil || len(wanted) == 0 {
			continue
		}
		if _, i, sure := l.matcher.Match(wanted...); sure > language.No {
			return l.tags[i]
		}
	}
	return l.tags[0]
}
