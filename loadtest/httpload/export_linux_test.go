package httpload

import "holdfast/loadtest"

// Waiting says whether a StandBy of the user is under way.
func Waiting(u loadtest.User) bool {
	v, _ := u.(*user)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ahead.waiting
}
