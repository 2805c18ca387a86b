/* wire/sts/sts_policy.h - the policy of a domain: https://mta-sts.DOMAIN/.well-known/mta-sts.txt.
 *
 * Grammar, RFC 8461 §3.2; names and values are case-sensitive, terms end in LF or CRLF:
 *   sts-policy-record = sts-policy-field *WSP *(sts-policy-term sts-policy-field *WSP) [sts-policy-term]
 *   version           = "version" *WSP ":" *WSP "STSv1"
 *   mode              = "mode" *WSP ":" *WSP ("testing" / "enforce" / "none")
 *   mx                = "mx" *WSP ":" *WSP ["*."] Domain           any number; one at least unless the mode is none
 *   max_age           = "max_age" *WSP ":" *WSP 1*10(DIGIT)        seconds, at most 31557600
 *   extension         = name *WSP ":" *WSP value                   ignored
 *
 * Of a field that is given twice the first counts (mx: all). Lenient in one thing: empty lines are passed over (docs/rfc/deviations.md).
 *
 * Pure; a policy is its text, so nothing is allocated. Tests: tests/unit/test_sts_wire.c, tests/fuzz/fuzz_sts.c.
 */
#ifndef WIRE_STS_STS_POLICY_H
#define WIRE_STS_STS_POLICY_H

#include "base/buf.h"

#define STS_POLICY_MAX  ((size_t)64 * KIB) /* RFC 8461 §3.3: a limit is suggested */
#define STS_MX_MAX      ((size_t)500)      /* patterns */
#define STS_MAX_AGE_MAX 31557600u          /* RFC 8461 §3.2: about a year */
/* In the form of sts_policy_print: 500 patterns of 255 octets would be over it, real ones are not. */
#define STS_PRINTED_MAX ((size_t)16 * KIB)

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE, STS_MODE_LAST = STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint32_t      max_age_s;
	size_t        mx_count;
};

enum sts_policy_err {
	STS_POLICY_OK,
	STS_POLICY_SYNTAX,  /* a line that is no field, or an octet that has no place in one */
	STS_POLICY_VERSION, /* missing, or another one */
	STS_POLICY_VALUE,   /* mode, max_age or mx is missing or outside of its grammar */
	STS_POLICY_LIMIT,   /* larger than STS_POLICY_MAX or STS_PRINTED_MAX, or more patterns than STS_MX_MAX */
};

/* *ret is written only on STS_POLICY_OK. */
MUST_CHECK enum sts_policy_err sts_policy_parse(struct str text, struct sts_policy *ret);
/* The mx patterns of a text that was parsed, in order: start with *rest = text. False: no more. */
bool sts_policy_mx(struct str *rest, struct str *ret_pattern);
/* What of a parsed text has a meaning, in one form: a line per field, LF. Parses to the same. */
void sts_policy_print(struct str text, struct buf *out);

/* "enforce" */
const char *sts_mode_name(enum sts_mode mode);
const char *sts_policy_err_text(enum sts_policy_err err);

#endif
