package rules

// printfConstantFormat keeps go vet content when the go directive rises.
//
// Matched: what go vet itself complains of in the migrated module, with the
// edit that it suggests. Only vet knows which functions are wrappers of
// fmt.Printf, in the repository and in its dependencies.
var printfConstantFormat = &Rule{
	ID:    "printf-constant-format",
	Title: "give printf-like calls a constant format",
	Before: `package p

import "fmt"

func fail(reason string) error {
	return fmt.Errorf(reason)
}
`,
	After: `package p

import "fmt"

func fail(reason string) error {
	return fmt.Errorf("%s", reason)
}
`,
	Why: `Current etcd releases raise the go directive, and from language version 1.24 on go vet, and with
it go test, refuses a call of a printf-like function whose only argument is a format that is not
constant. The text that is printed stays the same unless it held verbs, which came out as
"%!d(MISSING)" before.`,
	Since:  "v3.5.23",
	Safety: Same,
	Refs:   []string{"https://go.dev/doc/go1.24#vet"},
	Vet:    &Vet{Analyzer: "printf", Complaint: "non-constant format string in call to "},
}
