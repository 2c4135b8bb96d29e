package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

// readWithTessera reads the whole log with Tessera's client: its fetcher, bundle parser, proof
// builder and state tracker.
func (r *reader) readWithTessera() error {
	ctx := context.Background()
	u, err := url.Parse(r.base)
	if err != nil {
		return err
	}
	fetcher, err := client.NewHTTPFetcher(u, nil)
	if err != nil {
		return err
	}
	cp, raw, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, r.verifier, r.verifier.Name())
	if err != nil {
		return err
	}
	if err := r.expectSize(int64(cp.Size)); err != nil {
		return err
	}
	if err := r.checkBundles(ctx, fetcher, cp.Size); err != nil {
		return err
	}
	builder, err := client.NewProofBuilder(ctx, cp.Size, fetcher.ReadTile)
	if err != nil {
		return err
	}
	for i, entry := range r.entries {
		p, err := builder.InclusionProof(ctx, uint64(i))
		if err != nil {
			return fmt.Errorf("inclusion of %d in %d: %w", i, cp.Size, err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(entry)
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), cp.Size, leaf, p, cp.Hash); err != nil {
			return fmt.Errorf("inclusion of %d in %d: %w", i, cp.Size, err)
		}
	}
	for _, old := range r.seen {
		p, err := builder.ConsistencyProof(ctx, uint64(old.size), cp.Size)
		if err != nil {
			return fmt.Errorf("consistency of %d with %d: %w", old.size, cp.Size, err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old.size), cp.Size, p, old.root[:], cp.Hash); err != nil {
			return fmt.Errorf("consistency of %d with %d: %w", old.size, cp.Size, err)
		}
	}
	if err := r.track(ctx, fetcher, cp); err != nil {
		return err
	}
	fmt.Printf("tessera: size %d: %d entries, %d inclusion proofs, %d consistency proofs\n",
		cp.Size, len(r.entries), len(r.entries), len(r.seen))
	return r.remember(raw, int64(cp.Size))
}

func (r *reader) checkBundles(ctx context.Context, fetcher *client.HTTPFetcher, size uint64) error {
	for first := uint64(0); first < size; first += 256 {
		bundle, err := client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, first/256, size)
		if err != nil {
			return err
		}
		want := r.entries[first:min(first+256, size)]
		if len(bundle.Entries) != len(want) {
			return fmt.Errorf("bundle %d has %d entries, not %d", first/256, len(bundle.Entries), len(want))
		}
		for i, entry := range bundle.Entries {
			if !bytes.Equal(entry, want[i]) {
				return fmt.Errorf("entry %d is not what was appended", first+uint64(i))
			}
		}
	}
	return nil
}

// track lets Tessera's own tracker go from the newest checkpoint of the run before to this one.
func (r *reader) track(ctx context.Context, fetcher *client.HTTPFetcher, cp *log.Checkpoint) error {
	if len(r.seen) == 0 {
		return nil
	}
	newest := r.seen[0]
	for _, old := range r.seen {
		if old.size > newest.size {
			newest = old
		}
	}
	var verifier note.Verifier = r.verifier
	tracker, err := client.NewLogStateTracker(ctx, fetcher.ReadTile, newest.raw, verifier, verifier.Name(),
		client.UnilateralConsensus(fetcher.ReadCheckpoint))
	if err != nil {
		return err
	}
	if _, _, _, err := tracker.Update(ctx); err != nil {
		return err
	}
	if latest := tracker.Latest(); latest.Size != cp.Size {
		return fmt.Errorf("the state tracker stays at size %d", latest.Size)
	}
	return nil
}
