package twin

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
)

// seal is what a PSS signature holds: a hash over the hash of the signed text,
// and the salt (RFC 8017, section 9.1). crypto/rsa says only whether a
// signature fits a text; with the seal in hand the twin can distinguish a damaged
// signature from one over another text, and try texts at the price of a hash.
type seal struct {
	h    [sha256.Size]byte
	salt []byte
}

// openPSS opens a signature with the public key. It reports false if the
// signature is not a PSS one of this key, whatever was signed: it is damaged,
// or another key made it. (By chance a damaged one opens once in 2^1000.)
func openPSS(pub *rsa.PublicKey, signature []byte) (seal, bool) {
	bits := pub.N.BitLen() - 1
	size := (bits + 7) / 8
	s := new(big.Int).SetBytes(signature)
	if len(signature) != pub.Size() || s.Cmp(pub.N) >= 0 {
		return seal{}, false
	}
	m := new(big.Int).Exp(s, big.NewInt(int64(pub.E)), pub.N)
	if m.BitLen() > bits {
		return seal{}, false
	}
	em := m.FillBytes(make([]byte, size))
	if size < sha256.Size+2 || em[size-1] != 0xbc {
		return seal{}, false
	}
	db, h := em[:size-sha256.Size-1], em[size-sha256.Size-1:size-1]
	subtle.XORBytes(db, db, mgf1(h, len(db)))
	db[0] &= 0xff >> (8*size - bits)
	salt := bytes.TrimLeft(db, "\x00")
	if len(salt) == 0 || salt[0] != 1 {
		return seal{}, false
	}
	return seal{h: [sha256.Size]byte(h), salt: salt[1:]}, true
}

// mgf1 is the mask generation function of RFC 8017, section B.2.1, with
// SHA-256.
func mgf1(seed []byte, length int) []byte {
	var mask []byte
	for i := uint32(0); len(mask) < length; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint32(bytes.Clone(seed), i))
		mask = append(mask, h[:]...)
	}
	return mask[:length]
}

// covers reports whether the seal is over this text.
func (s seal) covers(text []byte) bool {
	digest := sha256.Sum256(text)
	b := make([]byte, 0, 128) // on the stack: this is the inner loop of explain
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, digest[:]...)
	b = append(b, s.salt...)
	return sha256.Sum256(b) == s.h
}
