package template

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	sourceFile      = "../../../template.yaml"
	transformedFile = "testdata/transformed.json"
)

// transformed is the output of the SAM transform.
type transformed struct {
	Source     string   `json:"source"` // SHA-256 of template.yaml
	Translator string   `json:"translator"`
	Template   template `json:"template"`
}

type template struct {
	Metadata   map[string]any
	Parameters map[string]struct {
		Type, Default, Description, AllowedPattern string
		AllowedValues                              []any
		MinValue, MaxValue                         *float64
	}
	Rules map[string]struct {
		RuleCondition any
		Assertions    []struct {
			Assert            any
			AssertDescription string
		}
	}
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]struct {
		Condition string
		Value     any
	}
}

// UnmarshalJSON of a parameter's default takes numbers as CloudFormation does.
func (t *template) UnmarshalJSON(b []byte) error {
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for _, p := range raw["Parameters"].(map[string]any) {
		if d, ok := p.(map[string]any)["Default"]; ok {
			p.(map[string]any)["Default"] = fmt.Sprint(d)
		}
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	type plain template
	return json.Unmarshal(b, (*plain)(t))
}

// resource is one of a template, or of a stack after evaluation.
type resource struct {
	Type                string
	Condition           string         `json:",omitempty"`
	DependsOn           any            `json:",omitempty"`
	DeletionPolicy      string         `json:",omitempty"`
	UpdateReplacePolicy string         `json:",omitempty"`
	Metadata            map[string]any `json:",omitempty"`
	Properties          map[string]any `json:",omitempty"`
}

func load(t *testing.T) transformed {
	t.Helper()
	source, err := os.ReadFile(sourceFile)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(transformedFile)
	if err != nil {
		t.Fatal(err)
	}
	var out transformed
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(source); out.Source != hex.EncodeToString(sum[:]) {
		t.Fatalf("%s was made from another template.yaml: install aws-sam-translator and run go test ./internal/e2e/template -update", transformedFile)
	}
	return out
}

// stack is a template evaluated with parameters.
type stack struct {
	template   template
	parameters map[string]any // strings, and lists of them
	conditions map[string]bool
	keep       func(kind string) bool // references to resources of these types stay; others become plausible values

	Resources map[string]resource
	Outputs   map[string]any
}

// The region and account that stacks are evaluated for.
const (
	region  = "eu-west-1"
	account = "111122223333"
)

// Values of keep: replace all references to resources, or none.
func none(string) bool { return false }
func all(string) bool  { return true }

// evaluate returns the stack, or an error if a parameter or rule refuses.
func evaluate(t template, parameters map[string]string, keep func(kind string) bool) (*stack, error) {
	s := &stack{template: t, parameters: map[string]any{}, conditions: map[string]bool{}, keep: keep, Resources: map[string]resource{}, Outputs: map[string]any{}}
	for name, p := range t.Parameters {
		v, given := parameters[name]
		if !given {
			v = p.Default
		}
		if err := allowed(v, p.AllowedPattern, p.AllowedValues, p.MinValue, p.MaxValue); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.parameters[name] = v
		if p.Type == "CommaDelimitedList" {
			list := []any{}
			for _, one := range strings.Split(v, ",") {
				list = append(list, one)
			}
			s.parameters[name] = list
		}
	}
	for name := range parameters {
		if _, known := t.Parameters[name]; !known {
			return nil, fmt.Errorf("unknown parameter %s", name)
		}
	}
	for name, r := range t.Rules {
		if s.holds(r.RuleCondition) {
			for _, a := range r.Assertions {
				if !s.holds(a.Assert) {
					return nil, fmt.Errorf("%s: %s", name, a.AssertDescription)
				}
			}
		}
	}
	for id, r := range t.Resources {
		if r.Condition != "" && !s.condition(r.Condition) {
			continue
		}
		properties, _ := s.value(r.Properties).(map[string]any)
		r.Properties, r.Condition = properties, ""
		s.Resources[id] = r
	}
	for name, o := range t.Outputs {
		if o.Condition == "" || s.condition(o.Condition) {
			s.Outputs[name] = s.value(o.Value)
		}
	}
	return s, nil
}

func allowed(v, pattern string, values []any, least, most *float64) error {
	if pattern != "" && !regexp.MustCompile(pattern).MatchString(v) {
		return fmt.Errorf("%q does not match %s", v, pattern)
	}
	if values != nil && !slices.ContainsFunc(values, func(a any) bool { return fmt.Sprint(a) == v }) {
		return fmt.Errorf("%q is not one of %v", v, values)
	}
	if least != nil || most != nil {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || least != nil && n < *least || most != nil && n > *most {
			return fmt.Errorf("%q is out of bounds", v)
		}
	}
	return nil
}

func (s *stack) condition(name string) bool {
	if known, ok := s.conditions[name]; ok {
		return known
	}
	c, ok := s.template.Conditions[name]
	if !ok {
		panic("there is no condition " + name)
	}
	s.conditions[name] = s.holds(c)
	return s.conditions[name]
}

// holds evaluates a condition function.
func (s *stack) holds(v any) bool {
	name, argument := intrinsic(v)
	switch name {
	case "Condition":
		return s.condition(argument.(string))
	case "Fn::Not":
		return !s.holds(argument.([]any)[0])
	case "Fn::And":
		return !slices.ContainsFunc(argument.([]any), func(a any) bool { return !s.holds(a) })
	case "Fn::Or":
		return slices.ContainsFunc(argument.([]any), s.holds)
	case "Fn::Equals":
		two := argument.([]any)
		return fmt.Sprint(s.value(two[0])) == fmt.Sprint(s.value(two[1]))
	}
	panic(fmt.Sprintf("%v is no condition", v))
}

// intrinsic returns the function that v calls, and its argument.
func intrinsic(v any) (name string, argument any) {
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		for name, argument = range m {
			if name == "Ref" || name == "Condition" || strings.HasPrefix(name, "Fn::") {
				return name, argument
			}
		}
	}
	return "", nil
}

// noValue is AWS::NoValue. Properties with this value are removed.
type noValue struct{}

var substitution = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

// value evaluates a property.
func (s *stack) value(v any) any {
	switch name, argument := intrinsic(v); name {
	case "":
	case "Ref":
		return s.ref(argument.(string))
	case "Fn::GetAtt":
		if list, ok := argument.([]any); ok {
			return s.attribute(list[0].(string), list[1].(string))
		}
		id, attribute, _ := strings.Cut(argument.(string), ".")
		return s.attribute(id, attribute)
	case "Fn::If":
		three := argument.([]any)
		if s.condition(three[0].(string)) {
			return s.value(three[1])
		}
		return s.value(three[2])
	case "Fn::Sub":
		return s.sub(argument)
	case "Fn::Join":
		two := argument.([]any)
		var parts []string
		for _, p := range s.value(two[1]).([]any) {
			parts = append(parts, p.(string))
		}
		return strings.Join(parts, two[0].(string))
	case "Fn::Split":
		two := argument.([]any)
		var parts []any
		for _, p := range strings.Split(s.value(two[1]).(string), two[0].(string)) {
			parts = append(parts, p)
		}
		return parts
	case "Fn::Select":
		two := argument.([]any)
		n, _ := strconv.Atoi(fmt.Sprint(two[0]))
		return s.value(two[1]).([]any)[n]
	default:
		panic(name + " is not known here")
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, one := range v {
			if e := s.value(one); e != (noValue{}) {
				out[k] = e
			}
		}
		return out
	case []any:
		out := []any{}
		for _, one := range v {
			if e := s.value(one); e != (noValue{}) {
				out = append(out, e)
			}
		}
		return out
	}
	return v
}

func (s *stack) sub(argument any) any {
	text, ok := argument.(string)
	own := map[string]any{}
	if !ok {
		two := argument.([]any)
		text = two[0].(string)
		for k, v := range two[1].(map[string]any) {
			own[k] = s.value(v)
		}
	}
	kept := false
	out := substitution.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		v, ok := own[name]
		if !ok {
			if id, attribute, isAttribute := strings.Cut(name, "."); isAttribute {
				v = s.attribute(id, attribute)
			} else {
				v = s.ref(name)
			}
		}
		if id, argument := intrinsic(v); id != "" { // a reference that stays
			kept = true
			switch a := argument.(type) {
			case []any:
				return fmt.Sprintf("${%v.%v}", a[0], a[1])
			case string:
				if id == "Fn::Sub" {
					return a
				}
				return "${" + a + "}"
			}
		}
		return fmt.Sprint(v)
	})
	if kept {
		return map[string]any{"Fn::Sub": out}
	}
	return out
}

func (s *stack) ref(id string) any {
	switch id {
	case "AWS::NoValue":
		return noValue{}
	case "AWS::StackName":
		return "shop"
	case "AWS::Region":
		return region
	case "AWS::AccountId":
		return account
	case "AWS::URLSuffix":
		return "amazonaws.com"
	case "AWS::Partition":
		return "aws"
	}
	if v, ok := s.parameters[id]; ok {
		return v
	}
	r := s.there(id)
	switch {
	case s.keep(r.Type):
		return map[string]any{"Ref": id}
	case r.Type == "AWS::SQS::Queue":
		return "https://sqs." + region + ".amazonaws.com/" + account + "/" + id
	case r.Type == "AWS::SecretsManager::Secret":
		return "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + id + "-AbCdEf"
	case r.Type == "AWS::Lambda::Function", r.Type == "AWS::Logs::LogGroup":
		for _, name := range []string{"FunctionName", "LogGroupName"} {
			if v, ok := r.Properties[name]; ok {
				return s.value(v)
			}
		}
	}
	return id
}

func (s *stack) attribute(id, attribute string) any {
	r := s.there(id)
	switch {
	case s.keep(r.Type):
		return map[string]any{"Fn::GetAtt": []any{id, attribute}}
	case attribute == "Arn":
		service := strings.ToLower(strings.Split(r.Type, "::")[1])
		return "arn:aws:" + service + ":" + region + ":" + account + ":" + id
	case attribute == "ApiEndpoint":
		return "https://a1b2c3d4e5.execute-api." + region + ".amazonaws.com"
	}
	return id + "." + attribute
}

// there returns a resource that must exist under the stack's conditions.
func (s *stack) there(id string) resource {
	r, ok := s.template.Resources[id]
	if !ok {
		panic("there is no " + id)
	}
	if r.Condition != "" && !s.condition(r.Condition) {
		panic(id + " is referred to and does not exist, as " + r.Condition + " is false")
	}
	return r
}

// of returns the resources of a type, by logical id.
func (s *stack) of(kind string) map[string]resource {
	out := map[string]resource{}
	for id, r := range s.Resources {
		if r.Type == kind {
			out[id] = r
		}
	}
	return out
}

// at walks into maps and lists: at(v, "A", 0, "B").
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// list returns v, a string or a list, as a list of strings.
func list(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, fmt.Sprint(one))
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

// number returns v, a number or a string, as a number.
func number(v any) float64 {
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		return -1
	}
	return n
}
