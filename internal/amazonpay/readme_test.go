package amazonpay_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"walletsync/internal/amazonpay"
)

// The functions here are the code of README.md, in its order.

func readmeCall(ctx context.Context, pem []byte) error {
	key, err := amazonpay.ParsePrivateKey(pem) // PKCS#8 or PKCS#1
	if err != nil {
		return err
	}
	client, err := amazonpay.New(amazonpay.Config{
		Region:      amazonpay.EU,
		Environment: amazonpay.Sandbox,
		PublicKeyID: "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B",
		PrivateKey:  key,
	})
	if err != nil {
		return err
	}

	permission, err := client.GetChargePermission(ctx, "B01-0000000-0000000")
	switch {
	case amazonpay.NotFound(err):
		// Amazon does not know it.
	case amazonpay.Misconfigured(err):
		// The key or its signature was refused: an operator must act.
	case amazonpay.ObjectRefused(err):
		// It may be another merchant's.
	case amazonpay.Temporary(err):
		// Tried four times; later it may go better. Throttled(err) tells how much later.
	case err != nil:
		return err
	default:
		fmt.Println(permission.StatusDetails.State, permission.ShippingAddress.City)
	}
	return nil
}

func readmeButton(client *amazonpay.Client, config any) error {
	payload, err := amazonpay.MarshalPayload(config) // JSON without a backslash, or an error
	if err != nil {
		return err
	}
	signature, err := client.SignPayload(payload)
	// createCheckoutSessionConfig: {payloadJSON: payload, signature, publicKeyId, algorithm: client.Algorithm()}
	if err == nil && signature == "" {
		err = fmt.Errorf("no signature")
	}
	return err
}

func TestTheREADMEsCodeRuns(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel() // so that nothing is sent
	if err := readmeCall(ended, privateKeyPEM()); err != nil {
		t.Error(err)
	}
	if err := readmeCall(ended, []byte("no key")); err == nil {
		t.Error("went on without a key")
	}
	if err := readmeButton(newClient(), map[string]string{"storeId": "x"}); err != nil {
		t.Error(err)
	}
}

// TestTheREADMEsCodeIsThisFiles keeps what people copy compiling.
func TestTheREADMEsCodeIsThisFiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of code", len(blocks))
	}
	for _, b := range blocks {
		code, _, _ := strings.Cut(b, "```")
		var indented strings.Builder
		for line := range strings.Lines(code) {
			if line != "\n" {
				indented.WriteByte('\t')
			}
			indented.WriteString(line)
		}
		if !strings.Contains(string(file), indented.String()) {
			t.Errorf("this is not in readme_test.go as it stands:\n%s", code)
		}
	}
}
