package amazonpay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"walletsync/internal/amazonpay"
)

func Example() {
	key, err := amazonpay.ParsePrivateKey(privateKeyPEM())
	if err != nil {
		log.Fatal(err)
	}
	client, err := amazonpay.New(amazonpay.Config{
		Region:      amazonpay.EU,
		PublicKeyID: "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B", // names the environment
		PrivateKey:  key,
		HTTPClient:  amazon(), // leave it out
	})
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	permission, err := client.GetChargePermission(ctx, "B01-0000000-0000000")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(permission.StatusDetails.State, permission.PaymentPreferences[0].PaymentDescriptor, permission.ShippingAddress.City)
	// Output: Chargeable Visa ****1111 (Amazon Pay) Berlin
}

func ExampleClient_CompleteCheckoutSession() {
	client := newClient()
	// Derived from the session, so that whoever tries again sends the same.
	const session, key = "bd504926-f659-4ad7-a1a9-9a747aaf5275", "bd504926f6594ad7a1a99a747aaf5275"

	completed, err := client.CompleteCheckoutSession(context.Background(), session, key)
	if amazonpay.ReasonCode(err) == amazonpay.ReasonInvalidCheckoutSessionStatus {
		completed, err = client.GetCheckoutSession(context.Background(), session) // completed before?
	}
	switch {
	case amazonpay.ReasonCode(err) == amazonpay.ReasonCheckoutSessionCanceled:
		fmt.Println("The update for your address or payment method failed. Please try again.")
	case amazonpay.Temporary(err):
		fmt.Println("not known yet")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(completed.StatusDetails.State, completed.ChargePermissionID)
	}
	// Output: Completed B01-0000000-0000000
}

// What signs a payload must be the very bytes that checkout.js is given.
func ExampleClient_SignPayload() {
	client := newClient()
	payload, err := amazonpay.MarshalPayload(map[string]any{
		"storeId":              "amzn1.application-oa2-client.8b5e45312b5248b69eeaStoreId",
		"chargePermissionId":   "B01-0000000-0000000",
		"chargePermissionType": "PaymentMethodOnFile",
		"webCheckoutDetails":   map[string]string{"checkoutResultReturnUrl": "https://merchant.example/return?a=1&b=2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	signature, err := client.SignPayload(payload)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("payloadJSON: %s\n", payload)
	fmt.Println("algorithm:", client.Algorithm())
	fmt.Println("signature:", len(signature), "characters")
	// Output:
	// payloadJSON: {"chargePermissionId":"B01-0000000-0000000","chargePermissionType":"PaymentMethodOnFile","storeId":"amzn1.application-oa2-client.8b5e45312b5248b69eeaStoreId","webCheckoutDetails":{"checkoutResultReturnUrl":"https://merchant.example/return?a=1&b=2"}}
	// algorithm: AMZN-PAY-RSASSA-PSS-V2
	// signature: 344 characters
}

func ExampleError() {
	client := newClient()
	_, err := client.GetChargePermission(context.Background(), "B01-0000000-0000404")
	fmt.Println(amazonpay.NotFound(err), amazonpay.Temporary(err))
	if e, ok := errors.AsType[*amazonpay.Error](err); ok {
		fmt.Println(e.StatusCode, e.ReasonCode, e.Response.RequestID)
	}
	// Output:
	// true false
	// 404 ResourceNotFound 4c1d1a5e
}

// One attempt only, and trust in one more authority.
func ExampleNoRetry() {
	roots, err := x509.SystemCertPool()
	if err != nil {
		log.Fatal(err)
	}
	_, err = amazonpay.New(amazonpay.Config{
		Region:      amazonpay.JP,
		Environment: amazonpay.Live,
		PublicKeyID: "ABC123DEF456XYZ",
		PrivateKey:  exampleKey,
		Retry:       amazonpay.NoRetry,
		HTTPClient:  amazonpay.NewHTTPClient(roots, 20),
	})
	fmt.Println(err)
	// Output: <nil>
}

var exampleKey = func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	return key
}()

func privateKeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(exampleKey)})
}

func newClient() *amazonpay.Client {
	client, err := amazonpay.New(amazonpay.Config{
		Region: amazonpay.EU, Environment: amazonpay.Sandbox, PublicKeyID: "ABC123DEF456XYZ", PrivateKey: exampleKey, HTTPClient: amazon(),
	})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// amazon stands in for Amazon, so that the examples run anywhere.
func amazon() *http.Client { return &http.Client{Transport: standIn{}} }

type standIn struct{}

func (standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	answers := map[string]string{
		"/v2/chargePermissions/B01-0000000-0000000":                                  `{"chargePermissionId":"B01-0000000-0000000","statusDetails":{"state":"Chargeable"},"paymentPreferences":[{"paymentDescriptor":"Visa ****1111 (Amazon Pay)"}],"shippingAddress":{"city":"Berlin"}}`,
		"/sandbox/v2/checkoutSessions/bd504926-f659-4ad7-a1a9-9a747aaf5275/complete": `{"checkoutSessionId":"bd504926-f659-4ad7-a1a9-9a747aaf5275","statusDetails":{"state":"Completed"},"chargePermissionId":"B01-0000000-0000000"}`,
	}
	w := httptest.NewRecorder()
	w.Header().Set("x-amz-pay-request-id", "4c1d1a5e")
	body, ok := answers[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		body = `{"reasonCode":"ResourceNotFound","message":"There is no such charge permission."}`
	}
	_, err := w.WriteString(body)
	return w.Result(), err
}
