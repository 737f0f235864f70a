package httpfault

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/fault"
)

// MaxRules is how many rules a proxy takes.
const MaxRules = 64

// Parse reads rules: [ROUTE: ]NAME[=VALUE][@SHARE], further ones for the same route after commas, other routes after
// semicolons. The package comment lists them. Text without any rule is an empty list. An error is one sentence that
// quotes what is wrong.
func Parse(text string) ([]Rule, error) {
	list := []Rule{}
	for group := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(group) == "" {
			continue
		}
		if strings.Count(group, ",")+len(list) >= MaxRules {
			return nil, fmt.Errorf("parse rules: at most %d are taken", MaxRules)
		}
		rules, err := parseGroup(group)
		if err != nil {
			return nil, err
		}
		list = append(list, rules...)
	}
	return list, nil
}

func parseGroup(group string) (rules []Rule, err error) {
	var base Rule
	route, items, routed := strings.Cut(group, ": ")
	if !routed {
		items = group
	} else if base, err = parseRoute(route); err != nil {
		return nil, fmt.Errorf("parse route %q: %w", strings.TrimSpace(route), err)
	}
	for item := range strings.SplitSeq(items, ",") {
		item = strings.TrimSpace(item)
		r, err := base.with(item)
		if err != nil {
			return nil, fmt.Errorf("parse rule %q: %w", item, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRoute(text string) (r Rule, err error) {
	words := strings.Fields(text)
	if len(words) > 0 && words[0][0] != '/' {
		r.Method, words = words[0], words[1:]
	}
	if len(words) > 0 {
		r.Path, words = words[0], words[1:]
	}
	if len(words) > 0 || r == (Rule{}) || !validMethod(r.Method) || r.Path != "" && !validPath(r.Path) {
		return r, errRoute
	}
	return r, nil
}

// with reads one item into a rule that has a route.
func (r Rule) with(item string) (Rule, error) {
	rest, share, shared := strings.Cut(item, "@")
	name, value, valued := strings.Cut(rest, "=")
	for i, known := range kindNames {
		if i > 0 && name == known {
			r.Kind = Kind(i)
		}
	}
	if r.Kind == 0 {
		return r, errKind
	}
	if bare := r.Kind == Reset || r.Kind == Lost || r.Kind == Close; bare && valued && !shared && strings.HasSuffix(value, "%") {
		share, shared, valued = value, true, false // reset=10%
	}
	if shared {
		if err := r.readShare(share); err != nil {
			return r, err
		}
	}
	if valued {
		if err := r.readValue(value); err != nil {
			return r, err
		}
	}
	if err := r.checkShared(); err != nil {
		return r, err
	}
	return r, r.checkKind()
}

func (r *Rule) readShare(text string) (err error) {
	nth, counted := strings.CutPrefix(text, "1/")
	if !counted {
		r.Percent, err = fault.ParsePercent(text)
		return err
	}
	if r.Every, err = strconv.Atoi(nth); err != nil || r.Every < 1 {
		return fmt.Errorf("%q is no share: write it like 10%% or 1/3", text)
	}
	return nil
}

func (r *Rule) readValue(value string) (err error) {
	switch r.Kind {
	case Status:
		return r.readStatus(value)
	case Delay:
		r.Delay, err = fault.ParseDelay(value)
	case Truncate, BrokenChunk, Garbage:
		r.Bytes, err = fault.ParseSize(value)
	case WrongLength:
		if r.Bytes, err = strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%q: %w", value, errLength)
		}
	case Reset, Lost, Close:
		return errExtra
	}
	return err
}

func (r *Rule) readStatus(value string) (err error) {
	number, after, later := strings.Cut(value, "/")
	if r.Status, err = strconv.Atoi(number); err != nil {
		return fmt.Errorf("%q: %w", value, errStatus)
	}
	if later {
		if r.RetryAfter, err = time.ParseDuration(after); err != nil || r.RetryAfter <= 0 {
			return fmt.Errorf("%q: %w", value, errRetry)
		}
	}
	return nil
}

// String is the rule as [Parse] reads it.
func (r Rule) String() string {
	var b strings.Builder
	if route := strings.TrimSpace(r.Method + " " + r.Path); route != "" {
		b.WriteString(route + ": ")
	}
	b.WriteString(r.Kind.String())
	if v := r.value(); v != "" {
		b.WriteString("=" + v)
	}
	switch {
	case r.Every > 0:
		b.WriteString("@1/" + strconv.Itoa(r.Every))
	case r.Percent != 0:
		b.WriteString("@" + strconv.FormatFloat(r.Percent, 'f', -1, 64) + "%")
	}
	return b.String()
}

func (r Rule) value() string {
	switch r.Kind {
	case Status:
		if r.RetryAfter > 0 {
			return strconv.Itoa(r.Status) + "/" + r.RetryAfter.String()
		}
		return strconv.Itoa(r.Status)
	case Delay:
		return r.Delay.String()
	case Truncate, BrokenChunk, Garbage:
		return fault.FormatSize(r.Bytes)
	case WrongLength:
		return fmt.Sprintf("%+d", r.Bytes)
	case Reset, Lost, Close:
	}
	return ""
}

// Format writes rules as [Parse] reads them.
func Format(rules []Rule) string {
	parts := make([]string, len(rules))
	for i, r := range rules {
		parts[i] = r.String()
	}
	return strings.Join(parts, "; ")
}

// MarshalText writes the rule as [Parse] reads it.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), r.Check() }

// UnmarshalText reads one rule as [Parse] does.
func (r *Rule) UnmarshalText(text []byte) error {
	list, err := Parse(string(text))
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return fmt.Errorf("parse rule %q: want one rule, not %d", text, len(list))
	}
	*r = list[0]
	return nil
}
