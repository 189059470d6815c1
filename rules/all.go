package rules

// All lists the rules in the order in which they run. Where two rules want
// the same bytes, the earlier one has them.
var All = []*Rule{
	importPath,
}
