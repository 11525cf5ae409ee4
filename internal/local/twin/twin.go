package twin

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
)

// Options says how a twin behaves. The zero value works.
type Options struct {
	// Accounts are Amazon's merchants. None: one sandbox account in the EU.
	Accounts []Account

	// Seed makes every id that the twin invents (request ids, message ids,
	// tokens) repeatable. 0: another one each time, or a receiver that
	// outlives the twin would take new messages for old ones. Faults have a
	// seed of their own.
	Seed uint64

	// Now is Amazon's clock: of the Date header, of the time stamps of SNS and
	// of the check of x-amz-pay-date. nil: time.Now.
	Now func() time.Time

	// Log gets one line for each call, notification and refusal: ids only, no
	// personal data. The zero Logger is silent.
	Log zerolog.Logger

	// SNS says how notifications are signed and delivered.
	SNS SNS

	// CAFile is where Start writes the CA's certificate as PEM; Close removes
	// it. Empty: nowhere.
	CAFile string
}

// Account is one merchant account in one environment.
type Account struct {
	MerchantID  string // empty: A3TWIN0000000
	Environment string // live or sandbox; empty: sandbox
	Region      string // na, eu or jp; empty: eu
	PublicKeyID string // empty: made of environment and merchant id, with prefix

	// PublicKey verifies the account's requests. nil: New makes a key pair,
	// see Twin.PrivateKeyPEM.
	PublicKey *rsa.PublicKey

	// StoreID is the one that payloads must name; empty: any that is well
	// formed.
	StoreID string

	// Origins are the JavaScript Origins of a live account in Seller Central:
	// pages elsewhere cannot use its button. None: any page can.
	Origins []string

	// TopicARN is where Amazon publishes the account's notifications. Empty:
	// a topic in a region of AWS that fits.
	TopicARN string

	// Endpoint is the URL that notifications are POSTed to. With Subscribed it
	// gets them at once; without, Start sends the SubscriptionConfirmation
	// first. Empty: no endpoint is subscribed until Twin.Subscribe.
	Endpoint   string
	Subscribed bool

	// Quotas replaces what Amazon documents for the environment, call by call.
	Quotas map[Call]Quota
}

// DefaultMerchantID is the merchant of the account that the zero Options have.
const DefaultMerchantID = "A3TWIN0000000"

// Errors that callers of the twin's Go API and its control API distinguish.
// Everything else that is returned is bad input.
var (
	ErrUnknown = errors.New("there is no such object")
	ErrFinal   = errors.New("a closed charge permission stays closed")
	ErrOver    = errors.New("the checkout session is over")
	ErrChoice  = errors.New("choose another")
)

// Twin is Amazon, as far as walletsync sees it.
type Twin struct {
	options Options
	now     func() time.Time
	log     zerolog.Logger

	accounts []*account
	hosts    map[string]http.Handler // by host name, for the TLS listener
	signer   *snsSigner
	client   *http.Client

	// ctx ends with Close: everything in flight ends with it.
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	slots  chan struct{} // one for each POST under way

	network *network // nil before Start

	posts sync.Mutex // one POST at a time is looked up, done and remembered

	mu            sync.Mutex
	random        *rand.Rand
	permissions   map[string]*chargePermission
	sessions      map[string]*session
	buckets       map[bucketKey]*bucket
	answered      map[idempotencyKey]rememberedAnswer
	subscriptions map[string]*subscription
	faults        *faultState
	held          []*notification // by a reorder fault
	holds         []*Hold
	reads         int // for the replicas of a stale read, in turn
	stats         Stats
	pending       int
	idle          chan struct{} // closed while nothing is pending
}

// account is an Account made whole.
type account struct {
	Account
	privateKey *rsa.PrivateKey // nil if the caller has it
}

func (a *account) name() string { return a.MerchantID + "/" + a.Environment }

// New returns a twin that can be called in process (Transport, Change, Send);
// Start gives it its listeners. It makes the RSA keys it was not given, which
// takes some tenths of a second each.
func New(o Options) (*Twin, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Accounts) == 0 {
		o.Accounts = []Account{{}}
	}
	o.Seed = cmp.Or(o.Seed, rand.Uint64())
	idle := make(chan struct{})
	close(idle)
	t := &Twin{
		options:       o,
		now:           o.Now,
		log:           o.Log,
		random:        rand.New(rand.NewPCG(o.Seed, 0x7477696e)), // the second half is "twin": its own stream
		permissions:   map[string]*chargePermission{},
		sessions:      map[string]*session{},
		buckets:       map[bucketKey]*bucket{},
		answered:      map[idempotencyKey]rememberedAnswer{},
		subscriptions: map[string]*subscription{},
		faults:        newFaultState(Faults{}),
		slots:         make(chan struct{}, maxDeliveries),
		idle:          idle,
	}
	if err := t.openAccounts(o.Accounts); err != nil {
		return nil, fmt.Errorf("twin: %w", err)
	}
	signer, err := newSNSSigner(o.Now())
	if err != nil {
		return nil, fmt.Errorf("twin: %w", err)
	}
	t.signer = signer
	t.client = o.SNS.client()
	t.hosts = t.serve()
	t.ctx, t.cancel = context.WithCancel(context.Background())
	for _, a := range t.accounts {
		if a.Endpoint == "" {
			continue
		}
		if err := t.subscribe(a.TopicARN, a.Endpoint, a.Subscribed); err != nil {
			return nil, fmt.Errorf("twin: account %s: %w", a.name(), err)
		}
	}
	return t, nil
}

func (t *Twin) openAccounts(accounts []Account) error {
	for _, given := range accounts {
		a, err := t.openAccount(given)
		if err != nil {
			return fmt.Errorf("account %s: %w", given.MerchantID, err)
		}
		for _, b := range t.accounts {
			if a.PublicKeyID == b.PublicKeyID && !a.PublicKey.Equal(b.PublicKey) {
				return fmt.Errorf("account %s: key id %s stands for another key at account %s", a.name(), a.PublicKeyID, b.name())
			}
			if a.name() == b.name() {
				return fmt.Errorf("account %s is given twice", a.name())
			}
		}
		t.accounts = append(t.accounts, a)
	}
	return nil
}

var merchantID = regexp.MustCompile(`^[A-Z0-9]{5,20}$`)

func (t *Twin) openAccount(given Account) (*account, error) {
	a := &account{Account: given}
	a.MerchantID = cmp.Or(a.MerchantID, DefaultMerchantID)
	if !merchantID.MatchString(a.MerchantID) {
		return nil, errors.New("a merchant id is 5 to 20 of A-Z and 0-9")
	}
	a.Environment = cmp.Or(strings.ToLower(a.Environment), "sandbox")
	if a.Environment != "live" && a.Environment != "sandbox" {
		return nil, fmt.Errorf("environment %q is neither live nor sandbox", a.Environment)
	}
	region, ok := regionOf(cmp.Or(a.Region, "eu"))
	if !ok {
		return nil, fmt.Errorf("region %q is none of na, eu, jp", a.Region)
	}
	a.Region = region
	a.PublicKeyID = cmp.Or(a.PublicKeyID, strings.ToUpper(a.Environment)+"-"+a.MerchantID)
	if e := keyEnvironment(a.PublicKeyID); e != "" && e != a.Environment {
		return nil, fmt.Errorf("key id %s is for %s", a.PublicKeyID, e)
	}
	a.TopicARN = cmp.Or(a.TopicARN, "arn:aws:sns:"+regions[a.Region].topics+":123456789012:"+a.MerchantID+"-"+a.Environment)
	if _, err := parseTopic(a.TopicARN); err != nil {
		return nil, err
	}
	if a.PublicKey == nil {
		key, err := rsa.GenerateKey(crand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make a key pair: %w", err)
		}
		a.privateKey, a.PublicKey = key, &key.PublicKey
	}
	return a, nil
}

// Accounts returns the accounts with all that New has filled in.
func (t *Twin) Accounts() []Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Account, 0, len(t.accounts))
	for _, a := range t.accounts {
		all = append(all, a.Account)
	}
	return all
}

// PrivateKeyPEM returns the private key that New made for a key id, as PKCS#8
// PEM; ok is false if the caller brought the key.
func (t *Twin) PrivateKeyPEM(publicKeyID string) (key []byte, ok bool) {
	i := slices.IndexFunc(t.accounts, func(a *account) bool { return a.PublicKeyID == publicKeyID && a.privateKey != nil })
	if i < 0 {
		return nil, false
	}
	der, err := x509.MarshalPKCS8PrivateKey(t.accounts[i].privateKey)
	if err != nil {
		return nil, false // an RSA key always marshals
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), true
}

// Start opens the listeners and serves until ctx ends or Close is called, and
// sends the subscription confirmations of the accounts that want one.
func (t *Twin) Start(ctx context.Context) error {
	n, err := t.listen(ctx)
	if err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	t.network = n
	context.AfterFunc(ctx, t.cancel)
	for _, a := range t.accounts {
		if a.Endpoint == "" || a.Subscribed {
			continue
		}
		if err := t.confirm(a.TopicARN); err != nil {
			return errors.Join(fmt.Errorf("twin: account %s: %w", a.name(), err), t.Close())
		}
	}
	return nil
}

// Close ends everything under way, closes the listeners and removes the CA
// file. A twin that is closed cannot be started again.
func (t *Twin) Close() error {
	t.cancel()
	var err error
	if t.network != nil {
		err = t.network.close()
	}
	t.tasks.Wait()
	return err
}

// task runs f beside the caller until the twin closes; Close waits for it.
func (t *Twin) task(f func(ctx context.Context)) {
	t.tasks.Go(func() { f(t.ctx) })
}

// wait waits for d, and reports false if ctx or the twin ended before.
func (t *Twin) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-t.ctx.Done():
	}
	return false
}

// uuid returns a random UUID of version 4 (RFC 9562) from the twin's seed.
func (t *Twin) uuid() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b uuid.UUID
	binary.LittleEndian.PutUint64(b[:8], t.random.Uint64())
	binary.LittleEndian.PutUint64(b[8:], t.random.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return b.String()
}

// region is one of Amazon Pay's, with what its script and its pages know
// ("Amazon Pay script").
type region struct {
	Name          string            `json:"name"`
	Currencies    []string          `json:"currencies"`
	Languages     []string          `json:"languages"`
	CheckoutHosts map[string]string `json:"checkoutHosts"` // by currency, else by language; "": any other

	scriptHost, apiHost string
	topics              string // AWS's region of topics that were not named
}

var regions = map[string]region{
	"na": {"na", []string{"USD"}, []string{"en_US"}, map[string]string{"": "apay-us.amazon.com"},
		"static-na.payments-amazon.com", "pay-api.amazon.com", "us-east-1"},
	"eu": {"eu", []string{"EUR", "GBP"}, []string{"en_GB", "de_DE", "fr_FR", "it_IT", "es_ES"}, map[string]string{
		"GBP": "payments.amazon.co.uk", "de_DE": "payments.amazon.de", "fr_FR": "payments.amazon.fr",
		"it_IT": "payments.amazon.it", "es_ES": "payments.amazon.es", "": "payments.amazon.co.uk"},
		"static-eu.payments-amazon.com", "pay-api.amazon.eu", "eu-west-1"},
	"jp": {"jp", []string{"JPY"}, []string{"ja_JP"}, map[string]string{"": "payments.amazon.co.jp"},
		"static-fe.payments-amazon.com", "pay-api.amazon.jp", "ap-northeast-1"},
}

// regionOf returns the region that a name or an SDK's alias stands for.
func regionOf(name string) (string, bool) {
	name = strings.ToLower(name)
	alias := map[string]string{"us": "na", "de": "eu", "uk": "eu"}[name]
	name = cmp.Or(alias, name)
	return name, regions[name].Name != ""
}

// keyEnvironment returns the environment that a public key id chooses by its
// prefix, or "" if it leaves that to the path.
func keyEnvironment(publicKeyID string) string {
	switch id := strings.ToUpper(publicKeyID); {
	case strings.HasPrefix(id, "LIVE"):
		return "live"
	case strings.HasPrefix(id, "SANDBOX"):
		return "sandbox"
	}
	return ""
}
