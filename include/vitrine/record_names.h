/* The symbols of libvitrine-record, as vitrine/names.h has those of libvitrine. */
#ifndef VITRINE_RECORD_NAMES_H
#define VITRINE_RECORD_NAMES_H

/* vitrine/record_proof.h */
#define record_proof_check vitrine_record_proof_check
#define record_proof_free  vitrine_record_proof_free
#define record_proof_says  vitrine_record_proof_says
#define record_proof_about vitrine_record_proof_about

#endif
