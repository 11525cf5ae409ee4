package twin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// document is what a signature should be over: lines that are joined by line
// feeds and hashed.
type document struct {
	lines   canonical
	first   int    // the number of the first line, for people
	payload []byte // a request's, whose hash is the last line; nil: none
	guesses []guess
}

// guess is a line as it may have been signed instead, and why.
type guess struct {
	line      int
	text, why string
}

// explain says which line differs from what the signer signed. A signature does
// not hold its text, but a text can be checked against it: the twin opens it
// (openPSS) and tries the usual mistakes of clients and every change of a single
// byte. A text that the signature covers is proof, not a guess.
func (t *Twin) explain(publicKeyID string, alg algorithm, signature []byte, d document) []string {
	if signature == nil {
		return []string{"the signature: it is not base64"}
	}
	holders := t.holders(publicKeyID)
	for _, a := range append(holders, t.accounts...) {
		s, ok := openPSS(a.PublicKey, signature)
		if !ok {
			continue
		}
		found := search(s, alg, d)
		if a.PublicKeyID != publicKeyID {
			return append([]string{fmt.Sprintf("the key id: the signature was made with the key of %s%s", a.PublicKeyID, atByte(a.PublicKeyID, publicKeyID))}, found...)
		}
		return found
	}
	if len(holders) == 0 {
		return []string{"the key id: no account has it, and no account's key made the signature"}
	}
	return []string{"the signature: it is damaged, or another private key made it; this key did not, over any text, so no line can be blamed"}
}

// search finds the text that a genuine signature covers.
func search(s seal, alg algorithm, d document) []string {
	text := d.lines.text()
	for _, other := range algorithms() {
		switch {
		case !s.covers([]byte(stringToSign(other.name, text))):
		case other.name != alg.name:
			return []string{fmt.Sprintf("line 1 (algorithm): signed as %s, read as %s (the default where none is named); the rest agrees", other.name, alg.name)}
		case len(s.salt) != alg.salt:
			return []string{fmt.Sprintf("the salt: the signature's has %d bytes, %s has %d; every line agrees", len(s.salt), alg.name, alg.salt)}
		default: // under another key
			return []string{"every line agrees"}
		}
	}
	for _, g := range d.guesses {
		lines := append(canonical{}, d.lines...)
		lines[g.line].text = g.text
		if s.covers([]byte(stringToSign(alg.name, lines.text()))) {
			return []string{d.describe(g.line, g.text) + " (" + g.why + ")"}
		}
	}
	left := maxTries
	covers := func(text []byte) bool {
		digest := sha256.Sum256(text)
		return s.covers(hex.AppendEncode([]byte(alg.name+"\n"), digest[:]))
	}
	if signed, ok := edit(text, &left, covers); ok {
		texts := strings.SplitN(signed, "\n", len(d.lines))
		for i, l := range d.lines {
			if i < len(texts) && texts[i] != l.text {
				return []string{d.describe(i, texts[i])}
			}
		}
	}
	last := len(d.lines) - 1
	start := strings.TrimSuffix(text, d.lines[last].text)
	inPayload := func(payload []byte) bool { return covers([]byte(start + hash(payload))) }
	if signed, ok := edit(string(d.payload), &left, inPayload); ok {
		return []string{fmt.Sprintf("line %d (%s): the payload that arrived is not the signed one%s", last+d.first, d.lines[last].name, atByte(signed, string(d.payload)))}
	}
	return []string{"the signature is genuine and over another text; no change of a byte, and none of the usual mistakes, explains it: compare the lines"}
}

func (d document) describe(i int, signed string) string {
	l := d.lines[i]
	return fmt.Sprintf("line %d (%s): %q was signed, %q arrived%s", i+d.first, l.name, clip(signed, 200), clip(l.text, 200), atByte(signed, l.text))
}

// requestDocument is a request with the mistakes that clients make in it.
func requestDocument(a arrival, lines canonical) document {
	d := document{lines: lines, first: 1, payload: a.payload}
	for i, l := range lines {
		guess := func(why string, texts ...string) {
			for _, text := range texts {
				d.guesses = append(d.guesses, guess{i, text, why})
			}
		}
		name, header := strings.CutPrefix(l.name, "header ")
		if header {
			signed := func(why string, values ...string) {
				for _, v := range values {
					guess(why, name+":"+v)
				}
			}
			value := strings.TrimPrefix(l.text, name+":")
			signed("signed with an empty value", "")
			switch name {
			case "x-amz-pay-region":
				signed("signed for another region", "na", "eu", "jp", "us", "de", "uk", "NA", "EU", "JP")
			case "x-amz-pay-host":
				signed("signed for another host", regions["na"].apiHost, regions["eu"].apiHost, regions["jp"].apiHost, a.host, hostname(a.host), "https://"+a.host)
			case "x-amz-pay-date":
				if date, err := parseDate(value); err == nil {
					signed("signed with the date in the other form", date.Format("20060102T150405Z"), date.Format("2006-01-02T15:04:05Z"))
				}
			case "accept", "content-type":
				signed("something on the way has replaced the header", "application/json", "application/json; charset=utf-8", "*/*", "application/json, text/plain, */*")
			}
		}
		switch l.name {
		case "method":
			guess("signed for another method", "GET", "POST", "PATCH", "DELETE", "PUT")
		case "path":
			rest := strings.TrimPrefix(strings.TrimPrefix(l.text, "/sandbox"), "/live")
			guess("signed with another environment in the path, or with none", rest, "/sandbox"+rest, "/live"+rest)
			guess("signed with another slash at the end of the path", l.text+"/", strings.TrimSuffix(l.text, "/"))
			guess("the path was signed without encoding", decode(l.text))
		case "query":
			guess("the query was not signed", "")
			guess("the query was signed as it stands in the URL, not sorted and encoded", a.query)
		case payloadLine:
			guess("another payload was signed: an empty one, {}, null, or one that ends in other white space",
				hash(nil), hash([]byte("{}")), hash([]byte("null")), hash([]byte(strings.TrimSpace(string(a.payload)))), hash([]byte(string(a.payload)+"\n")))
		}
	}
	return d
}

// buttonDocument is a button's payload with what templates and encoders are
// known to make of it on the way.
func buttonDocument(payload string) document {
	html := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;").Replace(payload)
	return document{lines: canonical{{"SHA-256 of payloadJSON", payload}}, first: 2, guesses: []guess{
		{0, strings.TrimSpace(payload), "white space was added around it"},
		{0, payload + "\n", "it was signed with a line feed at its end"},
		{0, strings.ReplaceAll(payload, "/", `\/`), `it was signed with \/ for /`},
		{0, strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(payload), `it was signed with \u0026 for & (SetEscapeHTML)`},
		{0, strings.ReplaceAll(payload, `\`, ""), "it was signed without its backslashes, as Amazon's SDK for PHP does"},
		{0, html, "it was signed as the HTML source has it"},
		{0, strings.ReplaceAll(html, "&#34;", "&quot;"), "it was signed as the HTML source has it"},
		{0, base64.StdEncoding.EncodeToString([]byte(payload)), "it was signed as base64"},
	}}
}

// maxTries bounds the search for a changed byte: some tenths of a second.
const maxTries = 300_000

// edit returns the text that try accepts of all those that one replaced,
// removed or added byte makes of text, as long as tries are left.
func edit(text string, left *int, try func([]byte) bool) (string, bool) {
	attempt := func(b []byte) bool { *left--; return *left >= 0 && try(b) }
	// put tries every byte at i.
	put := func(b []byte, i int) bool {
		for c := ' '; c <= 0xff; c++ {
			if b[i] = byte(c); attempt(b) {
				return true
			}
		}
		return false
	}
	b := []byte(text)
	for i := range b {
		if put(b, i) {
			return string(b), true
		}
		b[i] = text[i]
	}
	for i := range text {
		if shorter := []byte(text[:i] + text[i+1:]); attempt(shorter) {
			return string(shorter), true
		}
	}
	for i := range len(text) + 1 {
		if longer := []byte(text[:i] + " " + text[i:]); put(longer, i) {
			return string(longer), true
		}
	}
	return "", false
}

// atByte says where two texts part, if they differ in little.
func atByte(was, is string) string {
	i := 0
	for i < len(was) && i < len(is) && was[i] == is[i] {
		i++
	}
	switch {
	case was == is:
		return ""
	case len(was) == len(is) && was[i+1:] == is[i+1:]:
		return fmt.Sprintf(", byte %d: %q became %q", i+1, was[i:i+1], is[i:i+1])
	case i < len(was) && was[i+1:] == is[i:]:
		return fmt.Sprintf(", byte %d: %q was lost", i+1, was[i:i+1])
	case i < len(is) && is[i+1:] == was[i:]:
		return fmt.Sprintf(", byte %d: %q was added", i+1, is[i:i+1])
	}
	return ""
}
