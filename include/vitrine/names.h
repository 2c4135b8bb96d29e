/*
 * The symbols of libvitrine. Each has the prefix vitrine_, so that it meets none of the program that links the library; sources use the
 * short names that the headers declare. What the shared library exports is this list (a test holds both to it).
 */
#ifndef VITRINE_NAMES_H
#define VITRINE_NAMES_H

/* vitrine/err.h */
#define vt_err_text vitrine_vt_err_text

/* vitrine/bytes.h */
#define bytes_of                  vitrine_bytes_of
#define bytes_str                 vitrine_bytes_str
#define bytes_equal               vitrine_bytes_equal
#define bytes_is                  vitrine_bytes_is
#define bytes_compare             vitrine_bytes_compare
#define bytes_dup_str             vitrine_bytes_dup_str
#define buf_init                  vitrine_buf_init
#define buf_release               vitrine_buf_release
#define buf_reset                 vitrine_buf_reset
#define buf_bytes                 vitrine_buf_bytes
#define buf_reserve               vitrine_buf_reserve
#define buf_append                vitrine_buf_append
#define buf_append_str            vitrine_buf_append_str
#define buf_append_byte           vitrine_buf_append_byte
#define buf_append_decimal        vitrine_buf_append_decimal
#define buf_append_base64         vitrine_buf_append_base64
#define buf_append_hex            vitrine_buf_append_hex
#define buf_appendf               vitrine_buf_appendf
#define buf_append_buf            vitrine_buf_append_buf
#define buf_error                 vitrine_buf_error
#define buf_fail                  vitrine_buf_fail
#define buf_detach_str            vitrine_buf_detach_str
#define base64_decode             vitrine_base64_decode
#define base64_decode_exact       vitrine_base64_decode_exact
#define buf_append_decoded_base64 vitrine_buf_append_decoded_base64
#define hex_decode_exact          vitrine_hex_decode_exact
#define hex_encode                vitrine_hex_encode
#define decimal_decode            vitrine_decimal_decode
#define utf8_valid                vitrine_utf8_valid

/* vitrine/merkle.h */
#define merkle_hasher_init               vitrine_merkle_hasher_init
#define merkle_hasher_release            vitrine_merkle_hasher_release
#define merkle_hash_equal                vitrine_merkle_hash_equal
#define tree_head_equal                  vitrine_tree_head_equal
#define merkle_hash_leaf                 vitrine_merkle_hash_leaf
#define merkle_hash_node                 vitrine_merkle_hash_node
#define merkle_hash_empty                vitrine_merkle_hash_empty
#define merkle_sha256                    vitrine_merkle_sha256
#define merkle_range_init                vitrine_merkle_range_init
#define merkle_range_append              vitrine_merkle_range_append
#define merkle_range_root                vitrine_merkle_range_root
#define proof_plan_inclusion             vitrine_proof_plan_inclusion
#define proof_plan_consistency           vitrine_proof_plan_consistency
#define proof_plan_subtree_inclusion     vitrine_proof_plan_subtree_inclusion
#define proof_plan_subtree_consistency   vitrine_proof_plan_subtree_consistency
#define proof_plan_root                  vitrine_proof_plan_root
#define proof_build                      vitrine_proof_build
#define proof_build_root                 vitrine_proof_build_root
#define proof_verify_inclusion           vitrine_proof_verify_inclusion
#define proof_root_from_inclusion        vitrine_proof_root_from_inclusion
#define proof_verify_consistency         vitrine_proof_verify_consistency
#define proof_verify_subtree_inclusion   vitrine_proof_verify_subtree_inclusion
#define proof_verify_subtree_consistency vitrine_proof_verify_subtree_consistency

/* vitrine/tile.h */
#define tile_path_parse  vitrine_tile_path_parse
#define tile_path_format vitrine_tile_path_format
#define tile_width       vitrine_tile_width
#define tile_of_node     vitrine_tile_of_node
#define tile_node        vitrine_tile_node
#define bundle_next      vitrine_bundle_next
#define bundle_append    vitrine_bundle_append
#define tile_read_plan   vitrine_tile_read_plan
#define tile_root        vitrine_tile_root

/* vitrine/note.h */
#define vkey_parse          vitrine_vkey_parse
#define vkey_from_ed25519   vitrine_vkey_from_ed25519
#define vkey_format         vitrine_vkey_format
#define vkey_verifiable     vitrine_vkey_verifiable
#define vkey_name_valid     vitrine_vkey_name_valid
#define vkey_equal          vitrine_vkey_equal
#define note_parse          vitrine_note_parse
#define note_open           vitrine_note_open
#define note_free           vitrine_note_free
#define note_signed_by      vitrine_note_signed_by
#define note_text_valid     vitrine_note_text_valid
#define note_signature_line vitrine_note_signature_line
#define note_sign           vitrine_note_sign
#define ed25519_key_valid   vitrine_ed25519_key_valid
#define ed25519_verify      vitrine_ed25519_verify

/* vitrine/checkpoint.h */
#define checkpoint_parse  vitrine_checkpoint_parse
#define checkpoint_format vitrine_checkpoint_format
#define checkpoint_open   vitrine_checkpoint_open

/* vitrine/cosignature.h */
#define cosignature_message vitrine_cosignature_message
#define cosignature_line    vitrine_cosignature_line

/* vitrine/policy.h */
#define policy_parse           vitrine_policy_parse
#define policy_free            vitrine_policy_free
#define policy_log_count       vitrine_policy_log_count
#define policy_log             vitrine_policy_log
#define policy_witness_count   vitrine_policy_witness_count
#define policy_witness         vitrine_policy_witness
#define policy_needs_witnesses vitrine_policy_needs_witnesses
#define policy_quorum          vitrine_policy_quorum
#define policy_digest          vitrine_policy_digest
#define policy_open_checkpoint vitrine_policy_open_checkpoint
#define policy_explain         vitrine_policy_explain

/* vitrine/tlog_proof.h */
#define tlog_proof_init    vitrine_tlog_proof_init
#define tlog_proof_release vitrine_tlog_proof_release
#define tlog_proof_parse   vitrine_tlog_proof_parse
#define tlog_proof_format  vitrine_tlog_proof_format
#define tlog_proof_verify  vitrine_tlog_proof_verify

/* vitrine/evidence.h */
#define evidence_parse     vitrine_evidence_parse
#define evidence_format    vitrine_evidence_format
#define evidence_verify    vitrine_evidence_verify
#define evidence_make      vitrine_evidence_make
#define evidence_head_text vitrine_evidence_head_text

#endif
