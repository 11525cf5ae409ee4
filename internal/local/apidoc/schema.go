package apidoc

import "github.com/getkin/kin-openapi/openapi3"

// OneOf lists the values of a text.
func OneOf[T ~string](values ...T) func(*openapi3.Schema) {
	return func(s *openapi3.Schema) {
		for _, v := range values {
			s.Enum = append(s.Enum, string(v))
		}
	}
}

// Pattern is the regular expression that a text matches.
func Pattern(p string) func(*openapi3.Schema) {
	return func(s *openapi3.Schema) { s.Pattern = p }
}

// Format is one of JSON Schema's formats, such as uri.
func Format(f string) func(*openapi3.Schema) {
	return func(s *openapi3.Schema) { s.Format = f }
}
