/*
 * Policies for tests. In a template, "$L" and a letter stands for the vkey of that letter's log,
 * "$W" and a letter for that of its witness: their names are "la.example" and "wa.example". Link
 * with
 * ${test_signer_source}, test_policy.c and OpenSSL::Crypto.
 */
#ifndef VITRINE_TEST_POLICY_H
#define VITRINE_TEST_POLICY_H

#include "test_signer.h"
#include "vitrine/merkle.h"

struct note_signer test_log(char letter);
struct note_signer test_witness(char letter);
/* Append the template with its keys. Aborts on failure. */
void test_policy_text(struct buf *out, const char *template);
/* Append a checkpoint of log `log` with this head, signed by the log and by each witness of
 * `witnesses` (letters) at the times 1, 2, ... */
void test_checkpoint(struct buf *out, char log, const struct tree_head *head,
		     const char *witnesses);

#endif
