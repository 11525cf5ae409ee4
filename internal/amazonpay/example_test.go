package amazonpay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"walletsync/internal/amazonpay"
)

func Example() {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // in place of ParsePrivateKey
	if err != nil {
		log.Fatal(err)
	}
	client, err := amazonpay.New(amazonpay.Config{
		Region:      amazonpay.EU,
		PublicKeyID: "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B", // names the environment
		PrivateKey:  key,
		HTTPClient:  &http.Client{Transport: amazon{}}, // in place of NewHTTPClient
	})
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	permission, err := client.GetChargePermission(ctx, "B01-0000000-0000000")
	switch {
	case amazonpay.NotFound(err):
		fmt.Println("Amazon does not know it")
	case amazonpay.Misconfigured(err):
		fmt.Println("the key or its signature was refused: an operator must act")
	case amazonpay.Temporary(err):
		fmt.Println("later it may succeed; Throttled returns how much later")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println(permission.StatusDetails.State, permission.ShippingAddress.City)
	}
	// Output: Chargeable Berlin
}

// amazon stands in for Amazon, so that the example runs anywhere.
type amazon struct{}

func (amazon) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, err := w.WriteString(`{"chargePermissionId":"B01-0000000-0000000","statusDetails":{"state":"Chargeable"},"shippingAddress":{"city":"Berlin"}}`)
	return w.Result(), err
}
