package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
)

const writers = 64

// entryBody is the n-th entry posted: all different, of many lengths, not text; 1 byte and the
// longest an entry bundle can hold (65,535 bytes) among them.
func entryBody(n int64) []byte {
	switch n {
	case 0:
		return []byte{0}
	case 100, 1000:
		return append(bytes.Repeat([]byte{0xff, 0x0a}, 32763), []byte(fmt.Sprintf("%09d", n))...)
	}
	return append([]byte(fmt.Sprintf("entry %d\x00", n)), bytes.Repeat([]byte{byte(n)}, int(n%97))...)
}

// grow appends until the log has `to` entries and writes down which entry got which index.
func grow(base, record string, to int64) error {
	entries, err := readRecord(record)
	if err != nil {
		return err
	}
	from := int64(len(entries))
	if to < from {
		return fmt.Errorf("the log has %d entries already", from)
	}
	entries = append(entries, make([][]byte, to-from)...)

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}}
	next := make(chan int64)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards entries and failed
	var failed error
	for range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range next {
				body := entryBody(n)
				index, err := add(client, base, body)
				mu.Lock()
				switch {
				case err != nil:
					failed = fmt.Errorf("entry %d: %w", n, err)
				case index < from || index >= to || entries[index] != nil:
					failed = fmt.Errorf("entry %d: index %d is outside [%d, %d) or was given before", n, index, from, to)
				default:
					entries[index] = body
				}
				mu.Unlock()
			}
		}()
	}
	for n := from; n < to; n++ {
		next <- n
	}
	close(next)
	wg.Wait()
	if failed != nil {
		return failed
	}
	return appendRecord(record, entries[from:])
}

func add(client *http.Client, base string, body []byte) (int64, error) {
	resp, err := client.Post(base+"add", "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode/100 != 2 {
		return 0, fmt.Errorf("%s: %s", resp.Status, answer)
	}
	// The body is the index in ASCII decimal, nothing else.
	index, err := strconv.ParseInt(string(answer), 10, 64)
	if err != nil || strconv.FormatInt(index, 10) != string(answer) {
		return 0, fmt.Errorf("%q is no index", answer)
	}
	return index, nil
}

func appendRecord(record string, entries [][]byte) error {
	f, err := os.OpenFile(record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, entry := range entries {
		fmt.Fprintln(w, base64.StdEncoding.EncodeToString(entry))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
