/* wire/smtp/smtp_data.h against a naive reading of RFC 5321 §4.5.2: the whole input octet by octet, in one string.
 * First octet: bit 0 normalise; the rest of it seeds where the input is split. */
#include <stdlib.h>
#include <string.h>

#include "wire/smtp/smtp_data.h"

struct naive {
	char  *out;
	size_t n, used;
	bool   end, bad;
};

static size_t eol_len(const char *p, size_t n)
{
	return n >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

/* One octet of a line: copied, or a bare line end. Returns true if a (normalised) line begins behind it. */
static bool naive_octet(struct naive *v, char c, bool normalise)
{
	bool bare = c == '\r' || c == '\n';

	v->bad = v->bad || bare || c == 0;
	if (!bare || !normalise) {
		v->out[v->n++] = c;
		return false;
	}
	v->out[v->n++] = '\r';
	v->out[v->n++] = '\n';
	return true;
}

static void naive_run(struct naive *v, const char *p, size_t n, bool normalise)
{
	bool   after_crlf = true, after_eol = true;
	size_t i = 0;

	while (i < n) {
		if (after_crlf && n - i >= 3 && memcmp(p + i, ".\r\n", 3) == 0) {
			v->end = true;
			i += 3;
			break;
		}
		if (after_eol && p[i] == '.') {
			i++;
			after_crlf = after_eol = false;
			continue;
		}
		if (eol_len(p + i, n - i)) {
			v->out[v->n++] = '\r';
			v->out[v->n++] = '\n';
			i += 2;
			after_crlf = after_eol = true;
			continue;
		}
		after_crlf = false;
		after_eol = naive_octet(v, p[i], normalise);
		i++;
	}
	v->used = i;
}

struct real {
	char  *out;
	size_t n, cap;
};

static void real_write(void *ctx, struct str run)
{
	struct real *r = ctx;

	CHECK(run.n > 0 && run.n <= r->cap - r->n);
	memcpy(r->out + r->n, run.p, run.n);
	r->n += run.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_data d;
	struct naive     v = { 0 };
	struct real      r = { 0 };
	unsigned         seed;
	size_t           at = 0;
	bool             end = false;

	if (size < 1 || size > 4096)
		return 0;
	seed = data[0] >> 1;
	data++, size--;
	r.cap = size * 2 + 2;
	v.out = malloc(r.cap);
	r.out = malloc(r.cap);
	naive_run(&v, (const char *)data, size, data[-1] & 1);
	smtp_data_init(&d, data[-1] & 1);
	while (!end && at < size) {
		size_t     n = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 7 % (size - at);
		char      *piece = malloc(n);
		struct str in = { piece, n };

		memcpy(piece, data + at, n);
		end = smtp_data_feed(&d, &in, real_write, &r);
		at += n - in.n;
		CHECK(end || in.n == 0);
		free(piece);
	}
	CHECK(end == v.end);
	if (end) { /* else a CR or dot at the very end is still held */
		CHECK(at == v.used && r.n == v.n && memcmp(r.out, v.out, r.n) == 0);
		CHECK((d.bare_cr || d.bare_lf || d.nul) == v.bad);
	}
	free(v.out);
	free(r.out);
	return 0;
}
