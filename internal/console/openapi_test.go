package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"

	"walletsync/internal/console/view"
)

// operation is what a program may ask.
type operation struct {
	method, path, id, says string
	query                  map[string]string // parameter: what it is
	body                   map[string]string // member: what it is
	status                 string
	answer                 any            // a model of package view; nil: any JSON object
	also                   map[string]any // by status
}

const ofOne = "/charge-permissions/{account}/{id}"

// operations are all of them. What asks for a confirmation is a page's own.
func operations() []operation {
	after := map[string]string{"after": "next of the page before, in the same role"}
	confirm := map[string]string{"confirm": "the charge permission's id once more"}
	return []operation{
		{"POST", "/search", "search", "Find charge permissions by id, or by the beginning of a name, an e-mail address or a postcode. It is written down who searched. Takes the role masked; names, e-mail addresses and postcodes take read.", nil, map[string]string{"q": "the term", "state": "chargeable, not_chargeable or closed; empty: any", "after": "next of the page before, of the same search and role"}, "200", view.Search{}, nil},
		{"GET", "/lists/{filter}", "list", "A list. It is written down who asked for it. Takes the role masked.", after, nil, "200", view.List{}, nil},
		{"GET", ofOne, "record", "All of one charge permission. It is written down who opened it. Takes the role masked, which sees no personal data.", map[string]string{"before": "timeline_next of the page before"}, nil, "200", view.Record{}, nil},
		{"POST", ofOne + "/refresh", "refresh", "Read it at Amazon Pay now. Takes the role act.", nil, nil, "200", view.Refreshed{}, nil},
		{"POST", ofOne + "/update-links", "createUpdateLink", "Start an update, and get the link for the buyer. Takes the role act.", nil, map[string]string{"update": "address, payment_method or both"}, "201", view.Link{}, nil},
		{"GET", ofOne + "/accesses", "accesses", "Who opened it in the console. Takes the role act.", nil, nil, "200", view.Accesses{}, nil},
		{"POST", ofOne + "/export", "exportPerson", "All that is stored of the person behind it. Takes the role act.", nil, confirm, "200", nil, map[string]any{"422": view.Confirm{}}},
		{"POST", ofOne + "/erase", "erasePerson", "Erase what is stored of the person behind it, for good. Takes the role act.", nil, confirm, "200", view.Erased{}, map[string]any{"422": view.Confirm{}}},
		{"GET", "/failures", "failures", "What failed: dead letters, and reads. It is written down who asked for it. Takes the role masked.", nil, nil, "200", view.Failures{}, nil},
		{"POST", "/failures/retry", "retry", "Send one dead letter to the queue again, or all. It is written down who did. Takes the role act.", nil, map[string]string{"id": "of one", "all": "1: all of them"}, "200", view.Failures{}, nil},
		{"GET", "/overview", "overview", "How all stands. Takes the role masked.", map[string]string{"span": "24h or 7d"}, nil, "200", view.Overview{}, nil},
		{"GET", "/you", "you", "Who you are here, and your role.", nil, nil, "200", view.You{}, nil},
	}
}

// described is the description that the models give.
func described(t *testing.T) *openapi3.T {
	t.Helper()
	schemas := openapi3.Schemas{}
	generator := openapi3gen.NewGenerator(openapi3gen.CreateComponentSchemas(openapi3gen.ExportComponentSchemasOptions{ExportComponentSchemas: true, ExportTopLevelSchema: true}),
		openapi3gen.SchemaCustomizer(func(_ string, of reflect.Type, _ reflect.StructTag, schema *openapi3.Schema) error {
			if of == reflect.TypeFor[json.RawMessage]() {
				schema.Nullable = true
			}
			// Every member is there, but those that say that they may not be.
			if of.Kind() != reflect.Struct || of.PkgPath() == "time" {
				return nil
			}
			for _, f := range reflect.VisibleFields(of) {
				if name, options, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "" && name != "-" && options == "" {
					schema.Required = append(schema.Required, name)
				}
			}
			return nil
		}))
	refOf := func(model any) *openapi3.SchemaRef {
		if model == nil {
			return openapi3.NewObjectSchema().NewRef()
		}
		ref, err := generator.NewSchemaRefForValue(model, schemas)
		if err != nil {
			t.Fatal(err)
		}
		return openapi3.NewSchemaRef("#/components/schemas/"+reflect.TypeOf(model).Name(), ref.Value)
	}
	text := func(s string) *string { return &s }
	d := &openapi3.T{
		OpenAPI: "3.0.3",
		Info: &openapi3.Info{Title: "walletsync console", Version: "1", Description: "The console's pages as JSON, at the same addresses, for Accept: application/json and an access token of the console's issuer. " +
			"Members may be added; those that are there keep their names and meanings. Times are RFC 3339 in UTC."},
		Servers:    openapi3.Servers{{URL: "../console"}},
		Security:   openapi3.SecurityRequirements{{"token": {}}},
		Components: &openapi3.Components{SecuritySchemes: openapi3.SecuritySchemes{"token": {Value: openapi3.NewJWTSecurityScheme()}}},
		Paths:      openapi3.NewPaths(),
	}
	for _, o := range operations() {
		op := openapi3.NewOperation()
		op.OperationID, op.Summary = o.id, o.says
		for _, part := range strings.Split(o.path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				p := openapi3.NewPathParameter(strings.TrimSuffix(name, "}")).WithSchema(openapi3.NewStringSchema())
				if p.Name == "filter" {
					for _, f := range view.Filters() {
						p.Schema.Value.Enum = append(p.Schema.Value.Enum, string(f))
					}
				}
				op.AddParameter(p)
			}
		}
		for _, name := range sorted(o.query) {
			op.AddParameter(openapi3.NewQueryParameter(name).WithDescription(o.query[name]).WithSchema(openapi3.NewStringSchema()))
		}
		if o.body != nil {
			schema := openapi3.NewObjectSchema()
			for _, name := range sorted(o.body) {
				member := openapi3.NewStringSchema()
				member.Description = o.body[name]
				schema.WithProperty(name, member)
			}
			op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithJSONSchema(schema)}
		}
		op.Responses = openapi3.NewResponses()
		answers := map[string]any{o.status: o.answer}
		for status, model := range o.also {
			answers[status] = model
		}
		for status, model := range answers {
			op.Responses.Set(status, &openapi3.ResponseRef{Value: &openapi3.Response{Description: text(o.id), Content: openapi3.NewContentWithJSONSchemaRef(refOf(model))}})
		}
		op.Responses.Set("default", &openapi3.ResponseRef{Value: &openapi3.Response{Description: text("What stands in the way (RFC 9457)."),
			Content: openapi3.NewContentWithSchemaRef(refOf(Problem{}), []string{"application/problem+json"})}})
		d.AddOperation(o.path, o.method, op)
	}
	// A reference has no place for nullable, so what it leads to has it.
	for _, f := range reflect.VisibleFields(reflect.TypeFor[view.Record]()) {
		if f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
			schemas[f.Type.Elem().Name()].Value.Nullable = true
		}
	}
	d.Components.Schemas = schemas
	return d
}

func sorted(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestTheDescriptionIsThatOfTheModels(t *testing.T) {
	b, err := json.MarshalIndent(described(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *rewrite {
		if err := os.WriteFile("openapi.json", b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b, description) {
		t.Error("openapi.json is not what the models give (-update writes it); a member that is gone or has another type breaks who reads it")
	}
	d, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

// Each answer of the handler is as described; the end-to-end tests hold the whole
// stack to the same.
func TestAnswersAreAsDescribed(t *testing.T) {
	d, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]url.Values{"search": {"q": {"anna"}}, "createUpdateLink": {"update": {"both"}}, "exportPerson": {"confirm": {id}}, "erasePerson": {"confirm": {id}}, "retry": {"all": {"1"}}}
	for _, o := range operations() {
		if o.id == "you" {
			continue // the gate's own
		}
		t.Run(o.id, func(t *testing.T) {
			path := strings.NewReplacer("{account}", "main", "{id}", id, "{filter}", "stale").Replace(o.path)
			for name, c := range map[string]struct {
				call   call
				broken string
			}{
				"as asked":    {call{method: o.method, path: path, form: forms[o.id], json: true, role: view.RoleAct}, ""},
				"role":        {call{method: o.method, path: path, form: forms[o.id], json: true}, ""},
				"unconfirmed": {call{method: o.method, path: path, json: true, role: view.RoleAct}, ""},
				"broken":      {call{method: o.method, path: path, form: forms[o.id], json: true, role: view.RoleAct}, "access"},
			} {
				p := parts{broken: c.broken}
				w := p.call(t, c.call)
				asDescribed(t, d, o.method, o.path, name, w.Code, w.Header(), w.Body.Bytes())
			}
		})
	}
}

// asDescribed holds an answer to the description.
func asDescribed(t *testing.T, d *openapi3.T, method, path, name string, status int, header http.Header, body []byte) {
	t.Helper()
	responses := d.Paths.Value(path).GetOperation(method).Responses
	response := responses.Status(status)
	if response == nil {
		response = responses.Default()
	}
	content := response.Value.Content.Get(header.Get("Content-Type"))
	if content == nil {
		t.Errorf("%s: %d is answered as %s, which is not described", name, status, header.Get("Content-Type"))
		return
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %d %v: %s", name, status, err, body)
		return
	}
	if err := content.Schema.Value.VisitJSON(v, openapi3.MultiErrors(), openapi3.VisitAsResponse()); err != nil {
		t.Errorf("%s: %d %v: %s", name, status, err, body)
	}
}
