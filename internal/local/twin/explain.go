package twin

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// explain says which line of the canonical request differs from what the
// signer signed. A signature does not tell its text, but it can be asked: the
// twin opens it (openPSS) and tries what clients are known to get wrong, what
// it has seen of this key, and every change of a single byte. A text that the
// signature covers is proof, not a guess.
func (t *Twin) explain(a arrival) []string {
	if a.auth.signature == nil {
		return []string{fmt.Sprintf("the signature: it is not base64 (%d characters)", len(a.auth.signatureText))}
	}
	holders := t.holders(a.auth.publicKeyID)
	if len(holders) > 0 {
		if s, ok := openPSS(holders[0].PublicKey, a.auth.signature); ok {
			return t.search(a, s)
		}
	}
	for _, other := range t.accounts {
		s, ok := openPSS(other.PublicKey, a.auth.signature)
		if !ok {
			continue
		}
		key := fmt.Sprintf("the key id: the signature was made with the key of %s%s", other.PublicKeyID, atByte(other.PublicKeyID, a.auth.publicKeyID))
		if _, ok := verify(a, other.PublicKey); ok {
			return []string{key + "; every line of the canonical request agrees"}
		}
		return append([]string{key}, t.search(a, s)...)
	}
	if len(holders) == 0 {
		return []string{"the key id: no account has it, and no account's key made the signature"}
	}
	return []string{signatureItself(a, holders[0].PublicKey)}
}

func signatureItself(a arrival, pub *rsa.PublicKey) string {
	if n := len(a.auth.signature); n != pub.Size() {
		return fmt.Sprintf("the signature: it has %d bytes, the key's have %d", n, pub.Size())
	}
	return "the signature: it is damaged, or another private key made it; this key did not, over whatever text, so no line of the canonical request can be blamed"
}

// guess is a canonical request that may have been signed instead, and why.
type guess struct {
	c   canonical
	why string
}

// search finds the text that a genuine signature covers.
func (t *Twin) search(a arrival, s seal) []string {
	for _, c := range readings(a) {
		for _, alg := range algorithms() {
			if !s.covers([]byte(stringToSign(alg.name, c.text()))) {
				continue
			}
			if alg.name != a.auth.algorithm.name {
				return []string{fmt.Sprintf("the algorithm: signed as %s, the authorization header says %s; every line of the canonical request agrees", alg.name, a.auth.algorithm.name)}
			}
			return []string{fmt.Sprintf("the salt: the signature's has %d bytes, %s has %d; every line of the canonical request agrees", len(s.salt), alg.name, alg.salt)}
		}
	}
	covered := func(c canonical) bool {
		return s.covers([]byte(stringToSign(a.auth.algorithm.name, c.text())))
	}
	arrived := readings(a)[0]
	ones := t.guesses(a, arrived)
	for _, g := range ones {
		if covered(g.c) {
			return because(compare(g.c, arrived, "the signed request"), g.why)
		}
	}
	for _, first := range ones {
		for _, second := range t.guesses(a, first.c) {
			if covered(second.c) {
				return because(compare(second.c, arrived, "the signed request"), first.why+", and "+second.why)
			}
		}
	}
	if found := byteChange(a, arrived, s); found != nil {
		return found
	}
	return []string{"the signature is genuine and over another canonical request; no change of a byte, and none of the usual mistakes, explains it: compare the lines"}
}

func because(lines []string, why string) []string {
	if len(lines) > 0 {
		lines[len(lines)-1] += " (" + why + ")"
	}
	return lines
}

// guesses returns canonical requests near to c: the mistakes that clients make,
// and what the twin has seen of this key.
func (t *Twin) guesses(a arrival, c canonical) []guess {
	var all []guess
	add := func(why string, change func(*canonical)) {
		g := guess{c: c, why: why}
		g.c.headers = slices.Clone(c.headers)
		change(&g.c)
		all = append(all, g)
	}
	payload := func(why string, b []byte) { add(why, func(g *canonical) { g.payload = hash(b) }) }
	payload("signed over an empty payload", nil)
	payload("signed over the payload {}", []byte("{}"))
	payload("signed over the payload null", []byte("null"))
	payload("signed over the payload without outer white space", bytes.TrimSpace(a.payload))
	payload("signed over the payload and a line feed", append(bytes.Clone(a.payload), '\n'))
	for _, m := range []string{"GET", "POST", "PATCH", "DELETE", "PUT", strings.ToLower(c.method)} {
		add("signed for another method", func(g *canonical) { g.method = m })
	}
	for _, p := range t.paths(c.path) {
		add(p.why, func(g *canonical) { g.path = p.path })
	}
	add("the query was not signed", func(g *canonical) { g.query = "" })
	add("the query was signed as it stands in the URL, not sorted and encoded", func(g *canonical) { g.query = a.query })
	add("the header names were not sorted", func(g *canonical) {
		g.headers, g.names = nil, strings.ToLower(strings.Join(a.auth.signedHeaders, ";"))
		for _, name := range a.auth.signedHeaders {
			g.headers = append(g.headers, headerLine{strings.ToLower(name), strings.Join(a.values(name), ",")})
		}
	})
	for i, h := range c.headers {
		for _, v := range t.values(a, h) {
			add(v.why, func(g *canonical) { g.headers[i].value = v.value })
		}
		add("the header was not signed, though SignedHeaders names it", func(g *canonical) {
			g.headers = slices.Delete(g.headers, i, i+1)
			g.names = joinNames(g.headers)
		})
		for name := range a.header {
			lower := strings.ToLower(name)
			add("the header was signed by another name", func(g *canonical) {
				g.headers[i] = headerLine{lower, strings.Join(a.values(name), ",")}
				slices.SortFunc(g.headers, func(x, y headerLine) int { return byteOrder(x.name, y.name) })
				g.names = joinNames(g.headers)
			})
		}
	}
	for name := range a.header {
		lower := strings.ToLower(name)
		if lower == "authorization" || slices.ContainsFunc(c.headers, func(h headerLine) bool { return h.name == lower }) {
			continue
		}
		add("the header was signed, though SignedHeaders does not name it", func(g *canonical) {
			g.headers = append(g.headers, headerLine{lower, strings.Join(a.values(name), ",")})
			slices.SortFunc(g.headers, func(x, y headerLine) int { return byteOrder(x.name, y.name) })
			g.names = joinNames(g.headers)
		})
	}
	return all
}

func joinNames(headers []headerLine) string {
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = h.name
	}
	return strings.Join(names, ";")
}

type pathGuess struct{ path, why string }

// paths returns the paths that may have been signed in place of path.
func (t *Twin) paths(path string) []pathGuess {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, "/sandbox"), "/live")
	all := []pathGuess{
		{rest, "signed without the environment in the path"},
		{"/sandbox" + rest, "signed with /sandbox in the path"},
		{"/live" + rest, "signed with /live in the path"},
		{path + "/", "signed with a slash at the end of the path"},
		{strings.TrimSuffix(path, "/"), "signed without the slash at the end of the path"},
		{strings.TrimPrefix(path, "/"), "signed without the slash at the beginning of the path"},
		{decode(path), "the path was signed without encoding"},
	}
	prefix, _, found := strings.Cut(path, "/chargePermissions/")
	if found {
		for _, id := range t.ids() {
			all = append(all, pathGuess{prefix + "/chargePermissions/" + id, "signed for another charge permission"})
		}
	}
	prefix, rest, found = strings.Cut(path, "/checkoutSessions/")
	if found {
		_, rest, _ = strings.Cut(rest, "/")
		t.mu.Lock()
		defer t.mu.Unlock()
		for id := range t.sessions {
			all = append(all, pathGuess{strings.TrimSuffix(prefix+"/checkoutSessions/"+id+"/"+rest, "/"), "signed for another checkout session"})
		}
	}
	return all
}

type valueGuess struct{ value, why string }

// values returns the values that may have been signed in place of a header's.
func (t *Twin) values(a arrival, h headerLine) []valueGuess {
	all := []valueGuess{
		{"", "signed with an empty value"},
		{strings.ToLower(h.value), "signed in lower case"},
		{strings.ToUpper(h.value), "signed in upper case"},
	}
	t.mu.Lock()
	last := t.verified[a.auth.publicKeyID]
	t.mu.Unlock()
	for _, l := range last.headers {
		if l.name == h.name {
			all = append(all, valueGuess{l.value, "signed with the value of the request before"})
		}
	}
	switch h.name {
	case "x-amz-pay-region":
		for _, v := range []string{"na", "eu", "jp", "us", "de", "uk", "NA", "EU", "JP"} {
			all = append(all, valueGuess{v, "signed for another region"})
		}
	case "x-amz-pay-host":
		for _, v := range []string{apiHosts["na"], apiHosts["eu"], apiHosts["jp"], a.host, hostname(a.host), "https://" + a.host} {
			all = append(all, valueGuess{v, "signed for another host"})
		}
	case "x-amz-pay-date":
		if d, err := parseDate(h.value); err == nil {
			all = append(all,
				valueGuess{d.Format("20060102T150405Z"), "signed with the date in the other form"},
				valueGuess{d.Format("2006-01-02T15:04:05Z"), "signed with the date in the other form"},
				valueGuess{d.Format("2006-01-02T15:04:05.000Z"), "signed with milliseconds in the date"})
		}
	case "accept", "content-type":
		for _, v := range []string{"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "*/*", "application/json, text/plain, */*"} {
			all = append(all, valueGuess{v, "something on the way has replaced the header"})
		}
	}
	return all
}

// maxGuesses bounds the search for a changed byte: some tenths of a second.
const maxGuesses = 300_000

// byteChange finds the one byte that was replaced, added or lost after signing,
// in any line or in the payload.
func byteChange(a arrival, arrived canonical, s seal) []string {
	left := maxGuesses
	covers := func(canonicalRequest []byte) bool {
		digest := sha256.Sum256(canonicalRequest)
		return s.covers(hex.AppendEncode([]byte(a.auth.algorithm.name+"\n"), digest[:]))
	}
	text := arrived.text()
	if signed, ok := edit(text, &left, covers); ok {
		return compareTexts(arrived, signed)
	}
	lines := strings.TrimSuffix(text, arrived.payload)
	inPayload := func(payload []byte) bool {
		digest := sha256.Sum256(payload)
		return covers(hex.AppendEncode([]byte(lines), digest[:]))
	}
	if signed, ok := edit(string(a.payload), &left, inPayload); ok {
		return []string{fmt.Sprintf("line %d (SHA-256 of the payload): the payload that arrived is not the signed one%s", len(arrived.lines()), atByte(signed, string(a.payload)))}
	}
	return nil
}

// edit returns the text that try accepts of all those that one replaced,
// removed or added byte makes of text, as long as tries are left.
func edit(text string, left *int, try func([]byte) bool) (string, bool) {
	b := []byte(text)
	attempt := func(b []byte) bool { *left--; return *left >= 0 && try(b) }
	for i, was := range b {
		for c := ' '; c <= 0xff; c++ {
			b[i] = byte(c)
			if byte(c) != was && attempt(b) {
				return string(b), true
			}
		}
		b[i] = was
	}
	for i := range text {
		if shorter := []byte(text[:i] + text[i+1:]); attempt(shorter) {
			return string(shorter), true
		}
	}
	for i := range len(text) + 1 {
		longer := []byte(text[:i] + " " + text[i:])
		for c := ' '; c <= '~'; c++ {
			longer[i] = byte(c)
			if attempt(longer) {
				return string(longer), true
			}
		}
	}
	return "", false
}

// compareTexts names the line in which one byte differs.
func compareTexts(arrived canonical, signed string) []string {
	texts := strings.Split(signed, "\n")
	for i, l := range arrived.lines() {
		if i < len(texts) && texts[i] != l.text {
			return []string{describe(i+1, l.name, "the signed request", texts[i], l.text)}
		}
	}
	return nil
}

// compare returns a sentence for each line in which two canonical requests
// differ; what names the first of them.
func compare(other, arrived canonical, what string) []string {
	var all []string
	byName := map[string]string{}
	for _, l := range other.lines() {
		byName[l.name] = l.text
	}
	for i, l := range arrived.lines() {
		was, found := byName[l.name]
		delete(byName, l.name)
		switch {
		case !found:
			all = append(all, fmt.Sprintf("line %d (%s): %s has no such line, %q arrived", i+1, l.name, what, clip(l.text, 200)))
		case was != l.text:
			all = append(all, describe(i+1, l.name, what, was, l.text))
		}
	}
	for i, l := range other.lines() {
		if _, left := byName[l.name]; left {
			all = append(all, fmt.Sprintf("line %d of %s (%s): %q, of which nothing arrived", i+1, what, l.name, clip(l.text, 200)))
		}
	}
	return all
}

func describe(number int, name, what, was, is string) string {
	return fmt.Sprintf("line %d (%s): %s has %q, %q arrived%s", number, name, what, clip(was, 200), clip(is, 200), atByte(was, is))
}

// atByte tells where two texts part, if they differ in little.
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
