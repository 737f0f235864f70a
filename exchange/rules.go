package exchange

import (
	"holdfast/breaker"
	"holdfast/retry"
)

// rules are all an exchange goes by at a function, swapped at once. Read-only.
type rules struct {
	Policy
	breaker *breaker.Breaker // nil: none
	budget  *retry.Budget
	paid    retry.BudgetConfig // what budget was made from
	hashes  bool               // the strategy looks at the key
}
