package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

// CMS SignedData (RFC 5652) as a department makes it: one P-256 signer, SHA-256, signed attributes, content attached, DER.

type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func loadSigner(certificate, key string) (signer, error) {
	block := func(path string) ([]byte, error) {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, _ := pem.Decode(raw)
		if found == nil {
			return nil, fmt.Errorf("%s: no PEM", path)
		}
		return found.Bytes, nil
	}
	raw, err := block(certificate)
	if err != nil {
		return signer{}, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return signer{}, err
	}
	if raw, err = block(key); err != nil {
		return signer{}, err
	}
	private, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return signer{}, err
	}
	ec, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return signer{}, fmt.Errorf("%s: not an EC key", key)
	}
	return signer{cert, ec}, nil
}

// head is tag and length of a DER value of so many octets.
func head(tag byte, length int64) []byte {
	if length < 128 {
		return []byte{tag, byte(length)}
	}
	var octets []byte
	for rest := length; rest > 0; rest >>= 8 {
		octets = append([]byte{byte(rest)}, octets...)
	}
	return append([]byte{tag, 0x80 | byte(len(octets))}, octets...)
}

func der(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	return append(head(tag, int64(len(content))), content...)
}

func oid(arcs ...int) []byte {
	out, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return out
}

var (
	idData          = oid(1, 2, 840, 113549, 1, 7, 1)
	idSignedData    = oid(1, 2, 840, 113549, 1, 7, 2)
	idContentType   = oid(1, 2, 840, 113549, 1, 9, 3)
	idMessageDigest = oid(1, 2, 840, 113549, 1, 9, 4)
	sha256Algorithm = der(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 1))
	ecdsaWithSha256 = der(0x30, oid(1, 2, 840, 10045, 4, 3, 2))
	versionOne      = []byte{2, 1, 1}
)

// signatureOctets is fixed, so that every length is known before the content is: another signature is made until it fits.
const signatureOctets = 71

func (s signer) signerInfo(digest []byte) ([]byte, error) {
	attributes := bytes.Join([][]byte{ // in the order that DER wants: by octets
		der(0x30, idContentType, der(0x31, idData)),
		der(0x30, idMessageDigest, der(0x31, der(0x04, digest))),
	}, nil)
	toSign := sha256.Sum256(der(0x31, attributes))
	for {
		signature, err := ecdsa.SignASN1(rand.Reader, s.key, toSign[:])
		if err != nil {
			return nil, err
		}
		if len(signature) != signatureOctets {
			continue
		}
		serial, err := asn1.Marshal(s.certificate.SerialNumber)
		if err != nil {
			return nil, err
		}
		return der(0x31, der(0x30, versionOne, der(0x30, s.certificate.RawIssuer, serial), sha256Algorithm,
			der(0xa0, attributes), ecdsaWithSha256, der(0x04, signature))), nil
	}
}

// sign writes the message over `length` octets of content, which pass through once.
func (s signer) sign(to io.Writer, content io.Reader, length int64) error {
	certificates := der(0xa0, s.certificate.Raw)
	sample, err := s.signerInfo(make([]byte, sha256.Size))
	if err != nil {
		return err
	}
	before := [][]byte{ // from the outermost length to the one next to the content
		append([]byte{}, versionOne...), der(0x31, sha256Algorithm),
	}
	octets := head(0x04, length)
	explicit := head(0xa0, length+int64(len(octets)))
	inner := int64(len(idData)) + int64(len(explicit)) + int64(len(octets)) + length
	encapsulated := head(0x30, inner)
	body := int64(len(before[0])+len(before[1])+len(encapsulated)+len(certificates)+len(sample)) + inner
	signed := head(0x30, body)
	wrapped := head(0xa0, body+int64(len(signed)))
	whole := head(0x30, int64(len(idSignedData)+len(wrapped)+len(signed))+body)
	for _, part := range [][]byte{whole, idSignedData, wrapped, signed, before[0], before[1], encapsulated, idData, explicit, octets} {
		if _, err := to.Write(part); err != nil {
			return err
		}
	}
	hash := sha256.New()
	if n, err := io.Copy(io.MultiWriter(to, hash), content); err != nil || n != length {
		return fmt.Errorf("content of %d octets, not %d: %v", n, length, err)
	}
	info, err := s.signerInfo(hash.Sum(nil))
	if err != nil {
		return err
	}
	if _, err = to.Write(certificates); err != nil {
		return err
	}
	_, err = to.Write(info)
	return err
}
