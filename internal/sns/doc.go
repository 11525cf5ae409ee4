// Package sns opens messages that Amazon SNS delivered: it returns a message
// only if SNS signed it, and an error otherwise. There is no way to have a
// message that is not verified, and no option that weakens the check.
//
//	opener := sns.NewOpener(sns.Options{})
//	…
//	message, err := opener.Open(ctx, body)
//	switch {
//	case sns.Forged(err):
//		// Final: answer 403, so that SNS does not try again.
//	case sns.Unavailable(err):
//		// The certificate could not be had just now: answer 503, and SNS will.
//	case message.Type == sns.SubscriptionConfirmation:
//		err = opener.Confirm(ctx, message)
//	}
//
// The same envelope comes as the body of an HTTP delivery, as the body of an
// SQS message, and as the member Sns of a record in Lambda's event, which
// spells some members in its own way. Open takes all three, as the bytes that
// came: an envelope that was decoded and encoded again may have lost the form
// that was signed.
//
// # What is verified
//
// Notification, SubscriptionConfirmation and UnsubscribeConfirmation, signature
// versions 1 (SHA-1) and 2 (SHA-256). The signature is over the fields that the
// type of message names, as a run of lines; only the text of the message may
// hold a line break, or else a publisher could move the borders between the
// fields and with them the meaning of the rest.
//
// The certificate's URL must be https://sns.{region}.amazonaws.com/….pem, or
// amazonaws.com.cn in China, with the region of the topic's ARN. The file
// commonly holds the leaf alone, and whatever name it bears, it is trusted
// because that host serves it over verified TLS. Where the file holds
// intermediate certificates too, the chain must lead to a trusted root. Its key
// must be RSA, and the certificate valid at the time that the message bears,
// however long ago that is.
//
// Which topics are welcome is the caller's to decide: anyone can have SNS sign
// a message for a topic of their own.
//
// # Limits
//
// Certificates are kept, as many as Options says, and fetched once however many
// messages wait for them. A missing one is remembered for ten seconds.
// Fetches are bounded in time, size and number at once, so that messages which
// name ever new certificates cost little, and never displace those in use.
//
// Sources: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS
// messages", "Parsing Amazon SNS message formats", "HTTP/HTTPS notification
// JSON format"; AWS Lambda Developer Guide, "Invoking Lambda functions with
// Amazon SNS notifications".
package sns
