// Package apidoc makes the OpenAPI description of an HTTP API from the Go types
// of its requests and answers, and holds requests and answers to it. Tests use
// it and write what it makes to a file; no function links it.
//
// What types cannot say, texts and limits, is a table of members. Each member
// of each type must be in it, and nothing else may be.
package apidoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"
)

// Description is what an API is described by.
type Description struct {
	Info       openapi3.Info
	Servers    openapi3.Servers
	Security   map[string]*openapi3.SecurityScheme // any one of them lets a caller in
	Operations []Operation
	// Members are described by "Type.member", and the types themselves by
	// "Type". A type is named as in Go, with a capital letter first.
	Members map[string]Member
	// Strict: members of requests that are not described are refused.
	Strict bool
}

// Member is what is said of a type or a member.
type Member struct {
	Says  string
	Limit func(*openapi3.Schema) // adds lengths, enums, formats; may be nil
}

// Operation is what a program may ask.
type Operation struct {
	Method, Path, ID string
	Summary, Says    string
	Parameters       openapi3.Parameters
	Request          any // a model; nil: no body
	Answers          []Answer
}

// Answer is one of an operation's answers.
type Answer struct {
	Status      int // 0: any other
	Says        string
	Codes       []string // those that an answer of the model Problem may have
	Model       any      // nil: what it holds is not described, but that it is an object where ContentType is set
	ContentType string   // empty: application/json
	Headers     map[string]string
}

// codesExtension holds the codes of an answer.
const codesExtension = "x-codes"

// Document returns the description in OpenAPI's form. It fails if something is
// not described, or something described is not there.
func (d Description) Document() (*openapi3.T, error) {
	g := newGenerator()
	doc := &openapi3.T{
		OpenAPI: "3.0.3", Info: &d.Info, Servers: d.Servers, Paths: openapi3.NewPaths(),
		Components: &openapi3.Components{SecuritySchemes: openapi3.SecuritySchemes{}},
	}
	for _, name := range slices.Sorted(maps.Keys(d.Security)) {
		doc.Components.SecuritySchemes[name] = &openapi3.SecuritySchemeRef{Value: d.Security[name]}
		doc.Security = append(doc.Security, openapi3.SecurityRequirement{name: {}})
	}
	asked, answered := map[reflect.Type]bool{}, map[reflect.Type]bool{}
	for _, o := range d.Operations {
		op, err := g.operation(o)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.Method, o.Path, err)
		}
		doc.AddOperation(o.Path, o.Method, op)
		if o.Request != nil {
			structs(reflect.TypeOf(o.Request), asked)
		}
		for _, a := range o.Answers {
			if a.Model != nil {
				structs(reflect.TypeOf(a.Model), answered)
			}
		}
	}
	g.allowNull(answered)
	if err := d.describe(g.schemas); err != nil {
		return nil, err
	}
	if d.Strict {
		for t := range asked {
			g.schemas[typeName(t)].Value.AdditionalProperties = openapi3.AdditionalProperties{Has: new(bool)}
		}
	}
	doc.Components.Schemas = g.schemas
	return doc, nil
}

// describe adds to the schemas what the table says.
func (d Description) describe(schemas openapi3.Schemas) error {
	left := maps.Clone(d.Members)
	var missing []string
	take := func(name string) Member {
		m, ok := left[name]
		if delete(left, name); !ok || m.Says == "" {
			missing = append(missing, name)
		}
		return m
	}
	add := func(m Member, s *openapi3.Schema) {
		s.Description = m.Says
		if m.Limit != nil {
			m.Limit(s)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(schemas)) {
		s := schemas[of].Value
		add(take(of), s)
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			m, member := take(of+"."+name), s.Properties[name]
			if member.Ref != "" { // OpenAPI 3.0 reads nothing beside a reference
				member = openapi3.NewSchemaRef("", &openapi3.Schema{AllOf: openapi3.SchemaRefs{member}, Nullable: schemas[path.Base(member.Ref)].Value.Nullable})
				s.Properties[name] = member
			}
			add(m, member.Value)
		}
	}
	var errs []error
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("not described: %s", strings.Join(missing, ", ")))
	}
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("described, but not there: %s", strings.Join(slices.Sorted(maps.Keys(left)), ", ")))
	}
	return errors.Join(errs...)
}

// generator makes schemas of types.
type generator struct {
	*openapi3gen.Generator
	schemas openapi3.Schemas
}

func newGenerator() generator {
	return generator{schemas: openapi3.Schemas{}, Generator: openapi3gen.NewGenerator(
		openapi3gen.CreateComponentSchemas(openapi3gen.ExportComponentSchemasOptions{ExportComponentSchemas: true, ExportTopLevelSchema: true}),
		openapi3gen.CreateTypeNameGenerator(typeName),
		openapi3gen.SchemaCustomizer(func(_ string, of reflect.Type, _ reflect.StructTag, schema *openapi3.Schema) error {
			if of == reflect.TypeFor[json.RawMessage]() {
				schema.Nullable = true
			}
			if of.Kind() == reflect.Struct && of.PkgPath() != "time" {
				schema.Required = required(of)
			}
			return nil
		}),
	)}
}

// typeName is the name of a type's schema.
func typeName(t reflect.Type) string {
	if t.Name() == "" {
		return ""
	}
	return strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
}

// required are the members that are always there: all but those that say that
// they may be left out.
func required(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if name, options, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "" && name != "-" && options == "" {
			names = append(names, name)
		}
	}
	return names
}

// allowNull makes those structs nullable that a member of types points to, unless
// it is left out then. In OpenAPI 3.0 a reference has no place for it.
func (g generator) allowNull(types map[reflect.Type]bool) {
	for t := range types {
		for _, f := range reflect.VisibleFields(t) {
			_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if e := f.Type; e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct && e.Elem().PkgPath() != "time" && options == "" {
				g.schemas[typeName(e.Elem())].Value.Nullable = true
			}
		}
	}
}

// structs adds the struct types that a type is made of.
func structs(t reflect.Type, to map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		structs(t.Elem(), to)
	case reflect.Struct:
		if to[t] || t.PkgPath() == "time" {
			return
		}
		to[t] = true
		for _, f := range reflect.VisibleFields(t) {
			structs(f.Type, to)
		}
	}
}

func (g generator) ref(model any) (*openapi3.SchemaRef, error) {
	if model == nil {
		return openapi3.NewObjectSchema().NewRef(), nil
	}
	ref, err := g.NewSchemaRefForValue(model, g.schemas)
	if err != nil {
		return nil, err
	}
	return openapi3.NewSchemaRef("#/components/schemas/"+typeName(reflect.TypeOf(model)), ref.Value), nil
}

func (g generator) operation(o Operation) (*openapi3.Operation, error) {
	op := openapi3.NewOperation()
	op.OperationID, op.Summary, op.Description, op.Parameters = o.ID, o.Summary, o.Says, o.Parameters
	if o.Request != nil {
		ref, err := g.ref(o.Request)
		if err != nil {
			return nil, err
		}
		op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithJSONSchemaRef(ref)}
	}
	op.Responses = openapi3.NewResponsesWithCapacity(len(o.Answers))
	for _, a := range o.Answers {
		r, err := g.answer(a)
		if err != nil {
			return nil, err
		}
		status := "default"
		if a.Status != 0 {
			status = strconv.Itoa(a.Status)
		}
		op.Responses.Set(status, &openapi3.ResponseRef{Value: r})
	}
	return op, nil
}

func (g generator) answer(a Answer) (*openapi3.Response, error) {
	says := a.Says
	if says == "" {
		says = http.StatusText(a.Status) + "."
	}
	r := openapi3.NewResponse()
	if len(a.Codes) > 0 {
		says += " code: " + strings.Join(a.Codes, ", ") + "."
		r.Extensions = map[string]any{codesExtension: a.Codes}
	}
	r.Description = &says
	for name, text := range a.Headers {
		if r.Headers == nil {
			r.Headers = openapi3.Headers{}
		}
		r.Headers[name] = &openapi3.HeaderRef{Value: &openapi3.Header{Parameter: openapi3.Parameter{
			Description: text, Required: true, Schema: openapi3.NewStringSchema().NewRef()}}}
	}
	if a.Model == nil && a.ContentType == "" {
		return r, nil
	}
	ref, err := g.ref(a.Model)
	if err != nil {
		return nil, err
	}
	contentType := a.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	r.Content = openapi3.NewContentWithSchemaRef(ref, []string{contentType})
	return r, nil
}

// Encode returns a description as its file holds it.
func Encode(doc *openapi3.T) ([]byte, error) {
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
