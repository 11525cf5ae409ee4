package apidoc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Try is a request that is at a limit of the description, or just beyond it.
type Try struct {
	Name   string
	Body   []byte
	Member string // where it is
	Valid  bool   // it is at the limit
}

// Tries returns requests at and beyond each limit of a request's members: types,
// lengths, enums, patterns, what is required and what is unknown. Each is example
// but for one member, so example must be valid and have every member. A text is
// made longer at its end.
func (c *Checker) Tries(method, path string, example any) ([]Try, error) {
	b, err := json.Marshal(example)
	if err != nil {
		return nil, err
	}
	w := &tries{example: b}
	item := c.Document.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil, fmt.Errorf("%s %s is not described", method, path)
	}
	body := item.GetOperation(method).RequestBody.Value.Content.Get("application/json")
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	w.walk(body.Schema.Value, nil, "", v)
	return w.all, w.err
}

type tries struct {
	example []byte
	all     []Try
	err     error
}

// remove in place of a value takes the member away.
type remove struct{}

// try adds the example with another value at a path.
func (w *tries) try(what string, at []any, member string, valid bool, value any) {
	var v any
	if err := json.Unmarshal(w.example, &v); err != nil {
		w.err = err
		return
	}
	v = replaced(v, at, value)
	b, err := json.Marshal(v)
	if err != nil {
		w.err = err
		return
	}
	w.all = append(w.all, Try{Name: member + ": " + what, Body: b, Member: member, Valid: valid})
}

func replaced(v any, at []any, value any) any {
	if len(at) == 0 {
		return value
	}
	switch key := at[0].(type) {
	case string:
		object, _ := v.(map[string]any)
		if _, gone := value.(remove); gone && len(at) == 1 {
			delete(object, key)
			return object
		}
		object[key] = replaced(object[key], at[1:], value)
		return object
	case int:
		list, _ := v.([]any)
		list[key] = replaced(list[key], at[1:], value)
		return list
	}
	return v
}

func (w *tries) walk(s *openapi3.Schema, at []any, member string, now any) {
	for _, all := range s.AllOf {
		w.walk(all.Value, at, member, now)
	}
	switch now := now.(type) {
	case map[string]any:
		w.object(s, at, member, now)
	case []any:
		w.array(s, at, member, now)
	case string:
		w.text(s, at, member, now)
	}
}

func below(at []any, key any) []any { return append(slices.Clone(at), key) }

func dotted(member, name string) string {
	if member == "" {
		return name
	}
	return member + "." + name
}

func (w *tries) object(s *openapi3.Schema, at []any, member string, now map[string]any) {
	if len(at) > 0 && s.Type.Is("object") {
		w.try("a text for an object", at, member, false, "x")
	}
	for _, name := range s.Required {
		w.try("missing", below(at, name), dotted(member, name), false, remove{})
	}
	if has := s.AdditionalProperties.Has; has != nil && !*has {
		w.try("unknown", below(at, "unknownMember"), "unknownMember", false, "x")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		v, there := now[name]
		if !there {
			w.err = fmt.Errorf("the example lacks %s", dotted(member, name))
			return
		}
		w.walk(s.Properties[name].Value, below(at, name), dotted(member, name), v)
	}
	if each := s.AdditionalProperties.Schema; each != nil {
		if s.MinProps > 0 {
			w.try("empty", at, member, false, map[string]any{})
		}
		for _, name := range slices.Sorted(maps.Keys(now)) {
			w.walk(each.Value, below(at, name), dotted(member, name), now[name])
		}
	}
}

func (w *tries) array(s *openapi3.Schema, at []any, member string, now []any) {
	if s.Type.Is("array") {
		w.try("a text for a list", at, member, false, "x")
	}
	if s.MinItems > 0 {
		w.try("empty", at, member, false, []any{})
	}
	if s.MaxItems != nil && len(now) == int(*s.MaxItems) {
		w.try("the most", at, member, true, now)
		w.try("one too many", at, member, false, append(slices.Clone(now), now[0]))
	} else if s.MaxItems != nil {
		w.err = fmt.Errorf("the example has not the most of %s", member)
	}
	if s.UniqueItems {
		w.try("twice", at, fmt.Sprintf("%s[%d]", member, len(now)-1), false, append(slices.Clone(now[:len(now)-1]), now[0]))
	}
	if s.Items == nil {
		return
	}
	if len(s.Items.Value.Enum) > 0 { // all of them at once, as each may be there once only
		w.try("all of the enum", at, member, true, s.Items.Value.Enum)
		w.try("none of the enum", below(at, 0), member+"[0]", false, "none of them")
		w.try("a number for a text", below(at, 0), member, false, 1)
		return
	}
	w.walk(s.Items.Value, below(at, 0), member+"[0]", now[0])
}

func (w *tries) text(s *openapi3.Schema, at []any, member, now string) {
	if s.Type.Is("string") {
		of, _, _ := strings.Cut(member, "[") // encoding/json names no element
		w.try("a number for a text", at, of, false, 1)
	}
	for _, v := range s.Enum {
		w.try(fmt.Sprint(v), at, member, true, v)
	}
	if len(s.Enum) > 0 {
		w.try("none of the enum", at, member, false, "none of them")
	}
	if s.MinLength > 0 {
		w.try("empty", at, member, false, "")
	}
	if s.MaxLength != nil {
		most := int(*s.MaxLength)
		longer := now + strings.Repeat("a", max(0, most-len([]rune(now))))
		w.try("the longest", at, member, true, longer)
		w.try("too long", at, member, false, longer+"a")
	}
	if s.Pattern != "" {
		w.try("before the pattern", at, member, false, "!"+now)
		w.try("after the pattern", at, member, false, now+"!")
	}
}
