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
	request := hash([]byte(a.method + "\n" + a.path + "\n" + string(a.payload)))
	t.mu.Lock()
	first, found := t.answered[key]
	t.mu.Unlock()
	switch {
	case found && first.request != request:
		return errorAnswer(http.StatusBadRequest, "DuplicateIdempotencyKey", "The idempotency key was already used in a different request.")
	case found:
		return first.answer
	}
	done := do()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered[key] = rememberedAnswer{request, done}
	return done
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
