/* tests/fuzz/fuzz_sasl_client.c - a server that says anything, at every step of every mechanism. The first octet chooses the mechanism, the
 * second what is offered; the rest are the challenges, separated by LF. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "sasl/sasl_client.h"
#include "wire/sasl/sasl_scram_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parsers(struct str in)
{
	struct sasl_scram_server first;
	struct str               signature, error;

	if (sasl_scram_server_first_parse(in, &first))
		CHECK(first.nonce.n > 0 && first.nonce.n <= LIMIT_SASL_NONCE && first.salt.n > 0 && first.iterations > 0);
	if (sasl_scram_server_final_parse(in, &signature, &error))
		CHECK((signature.n > 0) != (error.n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_client_side side = { .user = STR("user"), .secret = STR("pencil"), .tls = true, .binding = STR("b"), .binding_name = "tls-exporter",
					 .host = STR("a.test"), .port = 25, .nonce = STR("fyko+d2lbbFgONRv9qkxdawL") };
	struct sasl_client     *x;
	struct str              rest, one, said = STR("");
	char                   *copy;
	unsigned                offer;
	bool                    broken = false;

	if (size < 2)
		return 0;
	offer = 1u << (data[0] % 8);
	side.token = offer >= SASL_OFFER_OAUTHBEARER;
	copy = malloc(size - 2 + 1);
	memcpy(copy, data + 2, size - 2);
	rest = str_n(copy, size - 2);
	x = sasl_client_new((enum sasl_offer)offer, offer | data[1], &side);
	if (data[1] & 1)
		(void)sasl_client_initial(x, &said);
	for (unsigned i = 0; i < 6 && rest.n > 0 && !broken; i++) {
		(void)str_cut(rest, '\n', &one, &rest);
		check_parsers(one);
		/* as many iterations as are allowed would make each input last a second */
		if (str_search(one, STR(",i=")) >= 0 && str_search(one, STR(",i=4096")) < 0)
			continue;
		broken = sasl_client_step(x, one, &said) == SASL_CLIENT_BROKEN;
		CHECK(!broken || !sasl_client_proved(x));
		/* nobody can guess the signature */
		CHECK(offer >= SASL_OFFER_PLAIN || !sasl_client_proved(x) || str_starts(one, STR("v=")));
	}
	CHECK(sasl_client_why(x) != NULL);
	sasl_client_free(&x);
	free(copy);
	return 0;
}
