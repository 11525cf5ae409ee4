package twin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// arrival is a request as it arrived on the wire.
type arrival struct {
	method  string
	path    string // still encoded
	query   string // still encoded, without the question mark
	host    string // what the client addressed, with its port if it named one
	header  http.Header
	payload []byte
	auth    authorization
}

// maxPayload bounds what the twin reads of a request.
const maxPayload = 1 << 20

// arrive reads a request; auth is left for the caller.
func arrive(r *http.Request) (arrival, error) {
	a := arrival{method: r.Method, host: r.Host, header: r.Header}
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI() // the absolute form, which proxies get
	}
	a.path, a.query, _ = strings.Cut(target, "?")
	if r.Body != nil {
		b, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
		if err != nil {
			return a, fmt.Errorf("read the payload: %w", err)
		}
		if len(b) > maxPayload {
			return a, fmt.Errorf("the payload is longer than %d bytes", maxPayload)
		}
		a.payload = b
	}
	return a, nil
}

// values returns the values of a header; net/http keeps Host elsewhere.
func (a arrival) values(name string) []string {
	if strings.EqualFold(name, "host") {
		return []string{a.host}
	}
	return a.header.Values(name)
}

// canonical is a canonical request: what both sides build, and whose hash the
// signature is over.
type canonical []line

// line is one line of a canonical request. The name says what it is, for
// people, and is the same in every canonical request.
type line struct{ name, text string }

const payloadLine = "SHA-256 of the payload"

func (c canonical) text() string {
	texts := make([]string, len(c))
	for i, l := range c {
		texts[i] = l.text
	}
	return strings.Join(texts, "\n")
}

// numbered returns the lines as people read them.
func (c canonical) numbered() []string {
	var all []string
	for i, l := range c {
		all = append(all, fmt.Sprintf("%d %s", i+1, l.text))
	}
	return all
}

// stringToSign is what is signed in the end.
func stringToSign(algorithm, canonicalRequest string) string {
	return algorithm + "\n" + hash([]byte(canonicalRequest))
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// dialect is one way of building the canonical request. The documentation has
// one, each SDK another; they agree on plain requests.
type dialect struct {
	name  string
	path  func(string) string // of the path as it arrived
	query func(string) string // of the query as it arrived
	value func(string) string // of one header value
	order func(a, b string) int
	// keepCase leaves the names in SignedHeaders as the caller of the SDK
	// wrote them; the header lines are in lower case all the same.
	keepCase bool
}

// dialects returns the ways of the documentation and of the SDKs (Node 2.3.4,
// PHP 2.7.2, Java, .NET), in the order in which they are tried.
func dialects() []dialect {
	same := func(s string) string { return s }
	return []dialect{
		{name: "documentation", path: pathOncePerSegment, query: queryRFC3986, value: fold, order: byteOrder},
		// Node signs values as they are given, leaves !'()* in a query as they
		// are, and sorts with localeCompare, where _ comes before -.
		{name: "Node", path: same, query: queryNode, value: same, order: localeOrder, keepCase: true},
		// PHP takes the path from the URL as it stands and drops empty
		// parameters (empty headers it neither signs nor sends).
		{name: "PHP", path: same, query: queryPHP, value: same, order: byteOrder},
		// Java decodes the path, makes one / of several and encodes it again;
		// it replaces each white-space character by a space of its own.
		{name: "Java", path: func(p string) string { return encodePath(collapse(decode(p))) }, query: queryRFC3986, value: eachSpace, order: byteOrder},
		// .NET encodes the path that is encoded already, and folds white
		// space; names are in the order of their upper case.
		{name: ".NET", path: func(p string) string { return encodePath(collapse(p)) }, query: queryRFC3986, value: fold, order: upperOrder},
	}
}

// canonicalise builds the canonical request of what arrived, with exactly the
// headers that the signer named.
func canonicalise(a arrival, d dialect) canonical {
	path := d.path(a.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	c := canonical{{"method", a.method}, {"path", path}, {"query", d.query(a.query)}}
	names := slices.Clone(a.auth.signedHeaders)
	slices.SortStableFunc(names, func(x, y string) int { return d.order(strings.ToLower(x), strings.ToLower(y)) })
	for i, name := range names {
		lower := strings.ToLower(name)
		if !d.keepCase {
			names[i] = lower
		}
		var values []string
		for _, v := range a.values(name) {
			values = append(values, d.value(v))
		}
		c = append(c, line{"header " + lower, lower + ":" + strings.Join(values, ",")})
	}
	return append(c, line{"empty line", ""}, line{"names of the signed headers", strings.Join(names, ";")}, line{payloadLine, hash(a.payload)})
}

// readings returns the canonical requests of all dialects, without repeats;
// for a plain request it is one.
func readings(a arrival) []canonical {
	var all []canonical
	seen := map[string]bool{}
	for _, d := range dialects() {
		c := canonicalise(a, d)
		if text := c.text(); !seen[text] {
			seen[text] = true
			all = append(all, c)
		}
	}
	return all
}

func byteOrder(a, b string) int  { return cmp.Compare(a, b) }
func upperOrder(a, b string) int { return cmp.Compare(strings.ToUpper(a), strings.ToUpper(b)) }

// localeOrder is localeCompare for what header names are made of: _ and - come
// before digits and letters, in this order (Unicode Collation Algorithm, root
// collation).
func localeOrder(a, b string) int {
	swap := func(s string) string { return strings.ReplaceAll(s, "_", "\x01") }
	return cmp.Compare(swap(a), swap(b))
}

var spaces = regexp.MustCompile(`\s+`)

func fold(v string) string { return spaces.ReplaceAllString(strings.TrimSpace(v), " ") }

func eachSpace(v string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\v\f\r", r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(v))
}

var slashes = regexp.MustCompile(`/+`)

func collapse(path string) string { return slashes.ReplaceAllString(path, "/") }

// decode undoes percent-encoding; what is not well encoded stays.
func decode(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// Characters beside letters and digits that an encoding leaves as they are.
const (
	unreserved   = "-._~"           // RFC 3986, section 2.3
	encodeURIExt = "-._~" + "!*'()" // ECMAScript's encodeURIComponent
)

func encode(s, leave string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(leave, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func encodePath(path string) string { return encode(path, unreserved+"/") }

func pathOncePerSegment(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = encode(decode(s), unreserved)
	}
	return strings.Join(segments, "/")
}

// parameter is one of a query.
type parameter struct {
	name  string // as it arrived: Node and PHP do not encode names
	value string // decoded
}

func parameters(query string) []parameter {
	var all []parameter
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		all = append(all, parameter{name, decode(value)})
	}
	return all
}

func joinParameters(all []parameter) string {
	slices.SortStableFunc(all, func(a, b parameter) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
	})
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = p.name + "=" + p.value
	}
	return strings.Join(parts, "&")
}

func queryRFC3986(query string) string {
	all := parameters(query)
	for i, p := range all {
		all[i] = parameter{encode(decode(p.name), unreserved), encode(p.value, unreserved)}
	}
	return joinParameters(all)
}

func queryNode(query string) string {
	all := parameters(query)
	for i := range all {
		all[i].value = encode(all[i].value, encodeURIExt)
	}
	return joinParameters(all)
}

func queryPHP(query string) string {
	all := slices.DeleteFunc(parameters(query), func(p parameter) bool { return p.value == "" })
	for i := range all {
		all[i].value = encode(all[i].value, unreserved)
	}
	return joinParameters(all)
}
