/* ipc/msg_trust.h - what auth keeps for remote about other domains: their MTA-STS policies (RFC 8461), and how TLS with them went
 * (RFC 8460). All of it may be lost without losing mail.
 *
 * Domains are canonical: A-labels, lower case.
 */
#ifndef IPC_MSG_TRUST_H
#define IPC_MSG_TRUST_H

#include "base/limits.h"
#include "base/str.h"

/* IPC_AUTH_STS_GET: the policy that was put last. ST_NOT_FOUND. */
#define LIMIT_STS_ID     ((size_t)32)       /* RFC 8461 §3.1 */
#define LIMIT_STS_POLICY ((size_t)16 * KIB) /* as sts_policy_print writes it */
struct auth_sts_get_request {
	struct str domain;
};
/* IPC_AUTH_STS_PUT: in place of any before; the answer is empty. */
struct auth_sts {
	struct str domain, id, policy;
	int64_t    fetched_ms; /* wall */
};

/* What a session was attempted under, RFC 8460 §4.2. The values are stored: append only. */
enum tlsrpt_policy { TLSRPT_NO_POLICY, TLSRPT_STS, TLSRPT_TLSA, TLSRPT_POLICY_LAST = TLSRPT_TLSA };

/* How it went, RFC 8460 §4.3. The values are stored: append only. */
enum tlsrpt_result {
	TLSRPT_SUCCESS,
	TLSRPT_STARTTLS_NOT_SUPPORTED,
	TLSRPT_CERTIFICATE_HOST_MISMATCH,
	TLSRPT_CERTIFICATE_EXPIRED,
	TLSRPT_CERTIFICATE_NOT_TRUSTED,
	TLSRPT_VALIDATION_FAILURE, /* another failure of negotiating TLS */
	TLSRPT_TLSA_INVALID,
	TLSRPT_DNSSEC_INVALID,
	TLSRPT_DANE_REQUIRED,
	TLSRPT_STS_POLICY_FETCH_ERROR,
	TLSRPT_STS_POLICY_INVALID,
	TLSRPT_STS_WEBPKI_INVALID,
	TLSRPT_RESULT_LAST = TLSRPT_STS_WEBPKI_INVALID,
};

/* IPC_AUTH_TLSRPT_NOTE: sessions since the last note, each row added to what is there. The answer is empty. */
#define LIMIT_TLSRPT_ROWS   ((size_t)100)     /* in one note */
#define LIMIT_TLSRPT_POLICY ((size_t)4 * KIB) /* the policy's text, a string of "policy-string" (RFC 8460 §4.4) a line */
#define LIMIT_TLSRPT_REASON ((size_t)120)     /* "failure-reason-code" */
/* How a session failed, and with whom; "" for what is not known, or not told any more because there were too many different ones. */
struct tlsrpt_failure {
	enum tlsrpt_result result; /* SUCCESS: it did not, and nothing else is filled */
	uint64_t           count;  /* sessions */
	struct str         sending_ip, mx_host, mx_helo, receiving_ip, reason;
};
struct tlsrpt_row {
	uint32_t              day;    /* UTC: days since 1970-01-01 */
	struct str            domain; /* "policy-domain"; TLSRPT_OTHER: too many different ones */
	enum tlsrpt_policy    policy;
	struct str            policy_text;
	struct tlsrpt_failure f;
};
struct auth_tlsrpt_note_request {
	struct tlsrpt_row *rows;
	size_t             row_count;
};
#define TLSRPT_OTHER "other" /* no domain that mail could go to has this name: it has no dot, and no MX */

/* IPC_AUTH_TLSRPT_LIST: domains of a day, those behind `after`, in order, LIMIT_LIST_PAGE at most. */
struct auth_tlsrpt_list_request {
	uint32_t   day;
	struct str after;
};
struct tlsrpt_domain {
	struct str domain;
	uint64_t   successes, failures; /* sessions */
};
struct auth_tlsrpt_list_reply {
	struct tlsrpt_domain *domains;
	size_t                domain_count;
	bool                  more;
};

/* IPC_AUTH_TLSRPT_SHOW: all of one domain and day. ST_NOT_FOUND. */
#define LIMIT_TLSRPT_POLICIES ((size_t)8)   /* of one domain and day; then those of a kind are one, without its text */
#define LIMIT_TLSRPT_FAILURES ((size_t)200) /* of one domain and day, each of them counted; then those of a policy and result are one, without details */
struct auth_tlsrpt_show_request {
	uint32_t   day;
	struct str domain;
};
struct tlsrpt_report {
	enum tlsrpt_policy     policy;
	struct str             policy_text;
	uint64_t               successes, failures_total;
	struct tlsrpt_failure *failures;
	size_t                 failure_count;
};
struct auth_tlsrpt_show_reply {
	struct tlsrpt_report *policies;
	size_t                policy_count;
};

#endif
