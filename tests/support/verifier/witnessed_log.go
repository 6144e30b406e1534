// A log that somebody else keeps, made with Go's sumdb packages, which has its checkpoints co-signed: the other side of
// a witness. Its entries are "entry 0", "entry 1" and so on, or "other 0" from where its history forks.
//
//	witnessed_log key NAME FILE            a new key into FILE; prints the verifier key
//	witnessed_log ask FILE OLD NEW [FORK]  the body of add-checkpoint; from entry FORK on another history
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type hashes []tlog.Hash

func (stored hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = stored[index]
	}
	return found, nil
}

func ask(keyFile, oldSize, newSize, fork string) error {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(string(key))
	if err != nil {
		return err
	}
	older, err1 := strconv.ParseInt(oldSize, 10, 64)
	newer, err2 := strconv.ParseInt(newSize, 10, 64)
	other, err3 := strconv.ParseInt(fork, 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return fmt.Errorf("not a number")
	}
	var stored hashes
	for i := int64(0); i < newer; i++ {
		entry := fmt.Sprintf("entry %d", i)
		if i >= other {
			entry = fmt.Sprintf("other %d", i)
		}
		more, err := tlog.StoredHashes(i, []byte(entry), stored)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(newer, stored)
	if err != nil {
		return err
	}
	fmt.Printf("old %d\n", older)
	if older > 0 && older < newer {
		proof, err := tlog.ProveTree(newer, older, stored)
		if err != nil {
			return err
		}
		for _, hash := range proof {
			fmt.Println(hash)
		}
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), newer, root)}, signer)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s", signed)
	return nil
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 3 && arguments[0] == "key":
		secret, public, err := note.GenerateKey(rand.Reader, arguments[1])
		if err != nil {
			return err
		}
		fmt.Println(public)
		return os.WriteFile(arguments[2], []byte(secret), 0600)
	case len(arguments) == 4 && arguments[0] == "ask":
		return ask(arguments[1], arguments[2], arguments[3], arguments[3])
	case len(arguments) == 5 && arguments[0] == "ask":
		return ask(arguments[1], arguments[2], arguments[3], arguments[4])
	}
	return fmt.Errorf("usage: witnessed_log key NAME FILE | ask FILE OLD NEW [FORK]")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
