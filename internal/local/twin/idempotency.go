package twin

import (
	"net/http"
	"regexp"
)

type idempotencyKey struct{ account, key string }

// rememberedAnswer is the first answer to an idempotency key.
type rememberedAnswer struct {
	request string // method, path and payload, hashed
	answer  answer
}

var idempotencyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// once does a POST once for each idempotency key of the account: the same
// request gets its first answer again, another one is refused. Amazon
// remembers keys without end, and so does the twin.
func (t *Twin) once(owner *account, a arrival, do func() answer) answer {
	key, refusal := keyOf(owner, a)
	if refusal.status != 0 {
		return refusal
	}
	t.posts.Lock() // two requests with one key: the second waits for the first's answer
	defer t.posts.Unlock()
	first, found := t.recall(key)
	switch request := fingerprint(a); {
	case found && first.request != request:
		return errorAnswer(http.StatusBadRequest, "DuplicateIdempotencyKey", "The idempotency key was already used in a different request.")
	case found:
		return first.answer
	}
	done := do()
	t.remember(key, a, done)
	return done
}

// rememberFailure keeps a 429 or 5xx for its key, where the twin is set to.
func (t *Twin) rememberFailure(owner *account, a arrival, o outcome) {
	failed := o.answer.status == http.StatusTooManyRequests || o.answer.status >= http.StatusInternalServerError
	key, refusal := keyOf(owner, a)
	if !t.options.RememberFailures || !failed || o.lost != "" || refusal.status != 0 {
		return
	}
	t.remember(key, a, o.answer)
}

func keyOf(owner *account, a arrival) (key idempotencyKey, refusal answer) {
	given := a.header.Get(idempotencyHeader)
	if given == "" {
		return key, errorAnswer(http.StatusBadRequest, "MissingHeader", "The header "+idempotencyHeader+" is missing.")
	}
	if !idempotencyForm.MatchString(given) {
		return key, errorAnswer(http.StatusBadRequest, "InvalidHeaderValue", "The value provided for "+idempotencyHeader+" is not 1 to 32 of A-Z, a-z, 0-9, _ and -.")
	}
	return idempotencyKey{owner.name(), given}, answer{}
}

func fingerprint(a arrival) string {
	return hash([]byte(a.method + "\n" + a.path + "\n" + string(a.payload)))
}

func (t *Twin) recall(key idempotencyKey) (rememberedAnswer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, found := t.answered[key]
	return first, found
}

// remember keeps the first answer of a key.
func (t *Twin) remember(key idempotencyKey, a arrival, done answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, found := t.answered[key]; !found {
		t.answered[key] = rememberedAnswer{fingerprint(a), done}
	}
}
