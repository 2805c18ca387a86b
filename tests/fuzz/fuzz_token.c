/* tests/fuzz/fuzz_token.c - the endpoint that gives access tokens: its URL, and its answers. The first octet chooses the HTTP status. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/remote_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = { 200, 400, 401, 500, 302, 204 };
	struct str            in, host, path, token = STR(""), why = STR("");
	struct arena         *a;
	unsigned              port;
	uint32_t              seconds = 0;
	enum status           st;
	char                 *copy;

	if (size == 0)
		return 0;
	a = arena_new_secret(NULL);
	copy = malloc(size - 1 + 1);
	memcpy(copy, data + 1, size - 1);
	in = str_n(copy, size - 1);
	if (remote_token_url(in, &host, &port, &path))
		CHECK(host.n > 0 && port > 0 && port <= 65535 && path.n > 0 && path.p[0] == '/' && !str_has_ctl(path) && str_is_ascii(path));
	st = remote_token_answer(statuses[data[0] % LEN(statuses)], in, a, &token, &seconds, &why);
	CHECK(st == ST_OK ? token.n > 0 && token.n <= LIMIT_BEARER : why.n > 0 && !str_has_ctl(why) && str_is_utf8(why));
	arena_free(&a);
	free(copy);
	return 0;
}
