package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	kit "github.com/cloudflare/cloudflare-go/v7/realtime_kit"
)

// fields are what a caller gives, by the names of the API.
type fields = map[string]any

// sdk calls methods by name, so that each is known to have been called, and judges every answer by the SDK's own types.
type sdk struct {
	service *kit.RealtimeKitService
	// What came of calling each method: answered, refused, missing.
	outcomes map[string]map[string]bool
	// Fields that are not as the types have them.
	odd map[string]bool
}

// newSDK has no retries: one would hide an error.
func newSDK(base, token string) *sdk {
	s := &sdk{
		service:  kit.NewRealtimeKitService(option.WithAPIToken(token), option.WithBaseURL(base+"/client/v4/"), option.WithMaxRetries(0)),
		outcomes: map[string]map[string]bool{},
		odd:      map[string]bool{},
	}
	groups := reflect.ValueOf(s.service).Elem()
	for at := range groups.NumField() {
		name, group := groups.Type().Field(at).Name, groups.Field(at)
		for method := range group.NumMethod() {
			s.outcomes[name+"."+group.Type().Method(method).Name] = map[string]bool{}
		}
	}
	return s
}

// tells says how many methods are there and which are not; true if nothing is wrong.
func (s *sdk) tells() bool {
	of := func(wanted func(map[string]bool) bool) (names []string) {
		for name, seen := range s.outcomes {
			if wanted(seen) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return
	}
	there := of(func(seen map[string]bool) bool { return seen["answered"] })
	nothing := of(func(seen map[string]bool) bool { return len(seen) == 1 && seen["refused"] })
	missing := of(func(seen map[string]bool) bool { return seen["missing"] && !seen["answered"] })
	uncalled := of(func(seen map[string]bool) bool { return len(seen) == 0 })
	fmt.Printf("%d of %d methods of the SDK\n", len(there)+len(nothing), len(s.outcomes))
	for what, names := range map[string][]string{"nothing was there for": nothing, "not there yet": missing, "not called": uncalled} {
		if len(names) > 0 {
			fmt.Printf("  %s: %s\n", what, strings.Join(names, ", "))
		}
	}
	for odd := range s.odd {
		fmt.Println("  not as the types have it:", odd)
	}
	return len(uncalled) == 0 && len(s.odd) == 0
}

// call does "Meetings.New" with the parts of its path, in the order of the signature, and its fields.
func (s *sdk) call(name string, path []string, given fields) (answer, error) {
	group, method, _ := strings.Cut(name, ".")
	function := reflect.ValueOf(s.service).Elem().FieldByName(group).MethodByName(method)
	in := []reflect.Value{reflect.ValueOf(context.Background())}
	for _, part := range path {
		in = append(in, reflect.ValueOf(part))
	}
	params := reflect.New(function.Type().In(len(in))).Elem()
	all := fields{"account_id": account}
	for field, value := range given {
		all[field] = value
	}
	fill(params, all)
	out := function.Call(append(in, params))
	if err, failed := out[1].Interface().(error); failed {
		s.outcomes[name][outcome(err)] = true
		return answer{}, err
	}
	s.outcomes[name]["answered"] = true
	for _, odd := range oddities(out[0], name, nil) {
		s.odd[odd] = true
	}
	return answer{out[0]}, nil
}

func outcome(err error) string {
	if strings.Contains(said(err), "NOT_IMPLEMENTED") {
		return "missing"
	}
	return "refused"
}

// said is the message of an error as the API documents it.
func said(err error) string {
	var refusal *kit.Error
	if !errors.As(err, &refusal) {
		return err.Error()
	}
	var body struct {
		Success bool
		Error   struct {
			Code    int
			Message string
		}
	}
	check(json.Unmarshal([]byte(refusal.JSON.RawJSON()), &body))
	same(body.Success, false)
	same(body.Error.Code, refusal.StatusCode)
	same(refusal.Errors[0].Message, body.Error.Message)
	return body.Error.Message
}

// fill sets what is given in a struct of parameters, whose fields say in a tag what they are called.
func fill(params reflect.Value, given fields) {
	named := map[string]reflect.Value{}
	for at := range params.NumField() {
		tag := params.Type().Field(at).Tag
		for _, kind := range []string{"json", "query", "path"} {
			if name := tag.Get(kind); name != "" {
				named[name] = params.Field(at)
			}
		}
	}
	for name, value := range given {
		field, known := named[name]
		if !known {
			panic(fmt.Sprintf("%s has no field %q", params.Type(), name))
		}
		field.FieldByName("Present").SetBool(true)
		if value == nil {
			field.FieldByName("Null").SetBool(true)
			continue
		}
		set(field.FieldByName("Value"), value)
	}
}

func set(target reflect.Value, value any) {
	from := reflect.ValueOf(value)
	switch {
	case from.Type().AssignableTo(target.Type()):
		target.Set(from)
	case target.Kind() == reflect.Struct:
		fill(target, value.(fields))
	case target.Kind() == reflect.Slice:
		target.Set(reflect.MakeSlice(target.Type(), from.Len(), from.Len()))
		for at := range from.Len() {
			set(target.Index(at), from.Index(at).Interface())
		}
	case target.Kind() == reflect.Map:
		target.Set(reflect.MakeMap(target.Type()))
		for _, key := range from.MapKeys() {
			one := reflect.New(target.Type().Elem()).Elem()
			set(one, from.MapIndex(key).Interface())
			target.SetMapIndex(key, one)
		}
	default:
		target.Set(from.Convert(target.Type()))
	}
}

// metadata is what the SDK keeps of each field that it has decoded.
type metadata interface {
	IsMissing() bool
	IsNull() bool
	IsInvalid() bool
}

// oddities names the fields of an answer that the types do not have, those they want and that are not there, and those of
// another type.
func oddities(value reflect.Value, path string, found []string) []string {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			return oddities(value.Elem(), path, found)
		}
	case reflect.Slice:
		for at := range value.Len() {
			found = oddities(value.Index(at), path+"[]", found)
		}
	case reflect.Struct:
		meta := value.FieldByName("JSON")
		if !meta.IsValid() {
			return found
		}
		for _, extra := range meta.FieldByName("ExtraFields").MapKeys() {
			if group, _, _ := strings.Cut(path, "."); !slices.Contains(beyond[group], extra.String()) {
				found = append(found, path+"."+extra.String()+" is beyond them")
			}
		}
		for at := range value.NumField() {
			field := value.Type().Field(at)
			about := meta.FieldByName(field.Name)
			if field.Name == "JSON" || !about.IsValid() {
				continue
			}
			is, here := about.Interface().(metadata), path+"."+field.Tag.Get("json")
			switch {
			case is.IsMissing() && field.Tag.Get("api") == "required":
				found = append(found, here+" is missing")
			case is.IsInvalid():
				found = append(found, here+" is of another type")
			case !is.IsNull():
				found = oddities(value.Field(at), here, found)
			}
		}
	}
	return found
}

// answer is one of the SDK's own values.
type answer struct{ value reflect.Value }

// at finds a field by its Go names: "Data.Paging.TotalCount", "Data.0.ID".
func (a answer) at(path string) answer {
	value := a.value
	for _, part := range strings.Split(path, ".") {
		for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
			value = value.Elem()
		}
		if value.Kind() == reflect.Slice {
			var index int
			must(fmt.Sscan(part, &index))
			value = value.Index(index)
			continue
		}
		within := value
		if value = value.FieldByName(part); !value.IsValid() {
			panic(fmt.Sprintf("%s has no field %s", within.Type(), part))
		}
	}
	return answer{value}
}

func (a answer) text(path string) string    { return a.at(path).value.String() }
func (a answer) truth(path string) bool     { return a.at(path).value.Bool() }
func (a answer) count(path string) int      { return a.at(path).value.Len() }
func (a answer) time(path string) time.Time { return a.at(path).value.Interface().(time.Time) }

func (a answer) number(path string) float64 {
	if value := a.at(path).value; value.CanInt() {
		return float64(value.Int())
	} else {
		return value.Float()
	}
}

// texts are those of each of a list.
func (a answer) texts(path, field string) (all []string) {
	for at := range a.count(path) {
		all = append(all, a.at(path).at(fmt.Sprint(at)).text(field))
	}
	return
}

// raw is the answer as it came.
func (a answer) raw(path string) fields {
	var value fields
	meta := a.at(path).value.FieldByName("JSON").MethodByName("RawJSON").Call(nil)[0].String()
	check(json.Unmarshal([]byte(meta), &value))
	return value
}
