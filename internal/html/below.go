package html

import (
	"net/http"
	"net/url"
	"strings"
)

// Path is the path of a site's public URL, which its links begin with: empty
// for one that stands at the top of its host.
func Path(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// Below answers what stands below publicURL, where something in front leaves its
// path. What API Gateway leaves there, internal/awslambda has removed already.
func Below(publicURL string, h http.Handler) http.Handler {
	path := Path(publicURL)
	if path == "" {
		return h
	}
	strip := http.StripPrefix(path, h)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, path+"/") {
			strip.ServeHTTP(w, q)
			return
		}
		h.ServeHTTP(w, q)
	})
}
