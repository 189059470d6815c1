package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// state is the folder that results live in between runs: a file for each
// thing that was found out of a repository, so that a run which was
// interrupted goes on, and a later one does what is due only.
type state string

func (s state) path(elem ...string) string {
	return filepath.Join(append([]string{string(s)}, elem...)...)
}

// stored is a result with what it depends on.
type stored[T any] struct {
	Key   string `json:"key"`
	Value T      `json:"value"`
}

// recall returns what is stored under a name, whatever it depends on.
func recall[T any](s state, name string) (v stored[T], ok bool, err error) {
	data, err := os.ReadFile(s.path("results", name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return v, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return v, false, fmt.Errorf("%s: %w; remove it and run again", name, err)
	}
	return v, true, nil
}

// remember returns what is stored under a name for a key, or makes and stores
// it.
func remember[T any](s state, name, key string, make func() (T, error)) (T, error) {
	v, ok, err := recall[T](s, name)
	if err != nil || ok && v.Key == key {
		return v.Value, err
	}
	value, err := make()
	if err != nil {
		return value, err
	}
	return value, store(s, name, stored[T]{key, value})
}

func store[T any](s state, name string, v stored[T]) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p := s.path("results", name+".json")
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(p+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(p+".new", p)
}

// keyOf makes a key of everything that a result depends on.
func keyOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
