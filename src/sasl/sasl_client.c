/* sasl/sasl_client.c - the client's table of mechanisms, and those that need no arithmetic; see sasl_client.h. */
#include "sasl/sasl_client_int.h"

#include "base/limits.h"
#include "wire/sasl/sasl_scram_peer.h"

struct mechanism {
	enum sasl_offer offer;
	bool            token, tls, binding; /* what it needs */
	/* NULL: the server speaks first. */
	struct str (*first)(struct sasl_client *x);
	enum sasl_client_next (*step)(struct sasl_client *x, struct str challenge, struct str *ret);
};

enum sasl_client_next sasl_client_broken(struct sasl_client *x, const char *why)
{
	x->why = why;
	x->proved = false;
	return SASL_CLIENT_BROKEN;
}

static struct str text_of(struct sasl_client *x, const struct buf *b)
{
	(void)x;
	CHECK(!b->over);
	return buf_str(b);
}

static void buf_of(struct sasl_client *x, struct buf *b, size_t max)
{
	*b = (struct buf){ .p = arena_alloc(x->arena, max), .cap = max, .max = max };
}

/* RFC 4616 §2: no authorization identity of its own. */
static struct str plain_first(struct sasl_client *x)
{
	struct buf b;

	buf_of(x, &b, x->side.user.n + x->side.secret.n + 2);
	buf_add_char(&b, '\0');
	buf_add(&b, x->side.user);
	buf_add_char(&b, '\0');
	buf_add(&b, x->side.secret);
	x->proved = true;
	return text_of(x, &b);
}

static enum sasl_client_next nothing_more(struct sasl_client *x, struct str challenge, struct str *ret)
{
	(void)challenge, (void)ret;
	return sasl_client_broken(x, "a challenge that the mechanism does not have");
}

/* "User Name" and "Password", in whatever words. */
static enum sasl_client_next login_step(struct sasl_client *x, struct str challenge, struct str *ret)
{
	if (x->step > 1)
		return nothing_more(x, challenge, ret);
	*ret = x->step == 0 ? x->side.user : x->side.secret;
	x->proved = x->step == 1;
	return SASL_CLIENT_SEND;
}

static struct str bearer_first(struct sasl_client *x)
{
	const struct sasl_client_side *s = &x->side;
	struct buf                     b;

	buf_of(x, &b, 3 * s->user.n + s->secret.n + s->host.n + 64);
	buf_add(&b, STR("n,a="));
	sasl_name_encode(s->user, &b);
	buf_addf(&b, ",\1host=%.*s\1port=%u\1auth=Bearer %.*s\1\1", STR_FMT(s->host), s->port, STR_FMT(s->secret));
	x->proved = true;
	return text_of(x, &b);
}

static struct str xoauth2_first(struct sasl_client *x)
{
	const struct sasl_client_side *s = &x->side;
	struct buf                     b;

	buf_of(x, &b, s->user.n + s->secret.n + 32);
	buf_addf(&b, "user=%.*s\1auth=Bearer %.*s\1\1", STR_FMT(s->user), STR_FMT(s->secret));
	x->proved = true;
	return text_of(x, &b);
}

/* The server tells what is wrong with the token, once; then it refuses us (RFC 7628 §3.2.3). */
static enum sasl_client_next token_step(struct sasl_client *x, struct str challenge, struct str *ret)
{
	if (x->step > 1)
		return nothing_more(x, challenge, ret);
	x->proved = false;
	x->why = "the server found fault with the token, and let us in all the same";
	*ret = x->mechanism == SASL_OFFER_OAUTHBEARER ? STR("\1") : STR("");
	return SASL_CLIENT_SEND;
}

/* Best first. */
static const struct mechanism mechanisms[] = {
	{ SASL_OFFER_SCRAM_SHA256_PLUS, false, true, true, sasl_client_scram_first, sasl_client_scram_step },
	{ SASL_OFFER_SCRAM_SHA1_PLUS, false, true, true, sasl_client_scram_first, sasl_client_scram_step },
	{ SASL_OFFER_SCRAM_SHA256, false, false, false, sasl_client_scram_first, sasl_client_scram_step },
	{ SASL_OFFER_SCRAM_SHA1, false, false, false, sasl_client_scram_first, sasl_client_scram_step },
	{ SASL_OFFER_PLAIN, false, true, false, plain_first, nothing_more },
	{ SASL_OFFER_LOGIN, false, true, false, NULL, login_step },
	{ SASL_OFFER_OAUTHBEARER, true, true, false, bearer_first, token_step },
	{ SASL_OFFER_XOAUTH2, true, true, false, xoauth2_first, token_step },
};

static bool possible(const struct mechanism *m, const struct sasl_client_side *side)
{
	return m->token == side->token && (!m->tls || side->tls) && (!m->binding || side->binding.n > 0);
}

unsigned sasl_client_choose(unsigned offered, const struct sasl_client_side *side, unsigned tried)
{
	for (size_t i = 0; i < LEN(mechanisms); i++)
		if ((mechanisms[i].offer & offered & ~tried) && possible(&mechanisms[i], side))
			return mechanisms[i].offer;
	return 0;
}

static const struct mechanism *mechanism_of(const struct sasl_client *x)
{
	for (size_t i = 0; i < LEN(mechanisms); i++)
		if (mechanisms[i].offer == x->mechanism)
			return &mechanisms[i];
	BUG("no mechanism of that number");
}

struct sasl_client *sasl_client_new(enum sasl_offer mechanism, unsigned offered, const struct sasl_client_side *side)
{
	struct arena       *a = arena_new_secret(NULL);
	struct sasl_client *x = ARENA_NEW(a, struct sasl_client);

	*x = (struct sasl_client){
		.arena = a,
		.side = *side,
		.mechanism = mechanism,
		.plus_offered = (offered & (SASL_OFFER_SCRAM_SHA256_PLUS | SASL_OFFER_SCRAM_SHA1_PLUS)) != 0,
		.why = "the server let us in before it was asked",
	};
	CHECK(possible(mechanism_of(x), side));
	return x;
}

void sasl_client_free(struct sasl_client **xp)
{
	struct arena *a = *xp ? (*xp)->arena : NULL;

	arena_free(&a);
	*xp = NULL;
}

bool sasl_client_initial(struct sasl_client *x, struct str *ret)
{
	const struct mechanism *m = mechanism_of(x);

	CHECK(x->step == 0);
	if (m->first == NULL)
		return false;
	*ret = m->first(x);
	x->step++;
	return true;
}

enum sasl_client_next sasl_client_step(struct sasl_client *x, struct str challenge, struct str *ret)
{
	enum sasl_client_next next = SASL_CLIENT_SEND;

	if (x->step == 0 && mechanism_of(x)->first != NULL) {
		if (challenge.n > 0) /* RFC 4422 §3: nothing may be said ahead of the client */
			return sasl_client_broken(x, "the server speaks ahead of its turn");
		return sasl_client_initial(x, ret) ? SASL_CLIENT_SEND : SASL_CLIENT_BROKEN;
	}
	next = mechanism_of(x)->step(x, challenge, ret);
	x->step++;
	return next;
}

bool sasl_client_proved(const struct sasl_client *x)
{
	return x->proved;
}

const char *sasl_client_why(const struct sasl_client *x)
{
	return x->why;
}
