/* wire/sasl/sasl_offer.c - see sasl_offer.h. */
#include "wire/sasl/sasl_offer.h"

static const struct {
	struct str      name;
	enum sasl_offer bit;
} offers[] = {
	{ STR("SCRAM-SHA-256-PLUS"), SASL_OFFER_SCRAM_SHA256_PLUS },
	{ STR("SCRAM-SHA-1-PLUS"), SASL_OFFER_SCRAM_SHA1_PLUS },
	{ STR("SCRAM-SHA-256"), SASL_OFFER_SCRAM_SHA256 },
	{ STR("SCRAM-SHA-1"), SASL_OFFER_SCRAM_SHA1 },
	{ STR("PLAIN"), SASL_OFFER_PLAIN },
	{ STR("LOGIN"), SASL_OFFER_LOGIN },
	{ STR("OAUTHBEARER"), SASL_OFFER_OAUTHBEARER },
	{ STR("XOAUTH2"), SASL_OFFER_XOAUTH2 },
};

unsigned sasl_offer_parse(struct str words)
{
	unsigned   mask = 0;
	struct str word;

	while (words.n > 0) {
		(void)str_cut(words, ' ', &word, &words);
		for (size_t i = 0; i < LEN(offers); i++)
			if (str_ieq(word, offers[i].name))
				mask |= offers[i].bit;
	}
	return mask;
}

struct str sasl_offer_name(enum sasl_offer one)
{
	for (size_t i = 0; i < LEN(offers); i++)
		if (offers[i].bit == one)
			return offers[i].name;
	BUG("no mechanism of that number");
}
