#include "witness_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "test_signer.h"
#include "vitrine_test.h"

void witness_server_start(struct witness_server *s, const char *name, const char *policy,
			  double rate)
{
	struct policy_error reason;
	char why[COSIGNER_WHY_MAX];

	*s = (struct witness_server){.key = test_signer(name, VKEY_TYPE_COSIGNATURE_ED25519, 77)};
	if (policy_parse(&s->policy, bytes_str(policy), &reason) != VT_OK)
		fail_msg("policy line %zu: %s", reason.line, reason.text);
	struct cosigner_config config = {
	    .state_path = scratch_folder(), .signer = &s->key, .policy = s->policy};
	struct api_config api = {.version = "test",
				 .http = {.listen = "127.0.0.1:0",
					  .workers = 16, /* as the command has by default */
					  .rate_per_second = rate}};
	if (cosigner_create(config.state_path, &s->key.key, s->policy, why) != VT_OK ||
	    cosigner_open(&s->cosigner, &config, why) != VT_OK)
		fail_msg("the witness does not start: %s", why);
	api.cosigner = s->cosigner;
	if (api_start(&s->api, &api, why) != VT_OK)
		fail_msg("the server does not start: %s", why);
	s->url = api_url(s->api);
}

void witness_server_stop(struct witness_server *s)
{
	api_stop(s->api, 5);
	api_free(s->api);
	cosigner_free(s->cosigner);
	policy_free(s->policy);
}

void witness_send(int fd, struct bytes body)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %zu\r\n\r\n",
		 body.len);
	raw_send_str(fd, head);
	raw_send(fd, body);
}

unsigned witness_post(const char *url, struct bytes body, struct raw_reply *r)
{
	int fd = raw_connect(url);

	witness_send(fd, body);
	if (!raw_read(fd, r, false))
		fail_msg("no answer");
	close(fd);
	return r->status;
}

unsigned witness_get(const char *url, const char *origin, struct raw_reply *r)
{
	struct bytes name = bytes_str(origin);
	struct merkle_hasher h;
	struct merkle_hash hash;
	char hex[65], request[160];

	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(merkle_sha256(&hash, &h, &name, 1), VT_OK);
	merkle_hasher_release(&h);
	hex_encode(hex, bytes_of(hash.b, sizeof(hash.b)));
	snprintf(request, sizeof(request), "GET /%s/checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", hex);
	return raw_ask(url, request, r);
}
