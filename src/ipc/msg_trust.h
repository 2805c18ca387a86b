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
#define LIMIT_TLSRPT_ROWS    ((size_t)100)     /* in one note, one page of an answer */
#define LIMIT_TLSRPT_POLICY  ((size_t)4 * KIB) /* the policy's text: LF-separated strings, RFC 8460 §4.4 "policy-string" */
#define LIMIT_TLSRPT_REASON  ((size_t)120)     /* "failure-reason-code" */
struct tlsrpt_row {
	uint32_t           day;    /* UTC: days since 1970-01-01 */
	struct str         domain; /* "policy-domain" */
	enum tlsrpt_policy policy;
	struct str         policy_text; /* "" for TLSRPT_NO_POLICY */
	enum tlsrpt_result result;
	uint64_t           count;
	/* Not of a success; "" if not known: */
	struct str sending_ip, mx_host, mx_helo, receiving_ip, reason;
};
struct auth_tlsrpt_note_request {
	struct tlsrpt_row *rows;
	size_t             row_count;
};

/* IPC_AUTH_TLSRPT_LIST: domains of a day, with a name after `after`, in order. Rows have domain, policy (SUCCESS and failures together) and
 * both counts. */
struct auth_tlsrpt_list_request {
	uint32_t   day;
	struct str after;
};
struct tlsrpt_domain {
	struct str domain;
	uint64_t   successes, failures;
};
struct auth_tlsrpt_list_reply {
	struct tlsrpt_domain *domains;
	size_t                domain_count;
	bool                  more;
};

/* IPC_AUTH_TLSRPT_SHOW: the rows of one domain and day behind the place `after` (0: from the start). ST_NOT_FOUND: none at all. */
struct auth_tlsrpt_show_request {
	uint32_t   day;
	struct str domain;
	uint64_t   after;
};
struct auth_tlsrpt_show_reply {
	struct tlsrpt_row *rows;
	size_t             row_count;
	uint64_t           next; /* where to go on; 0: that was all */
};

#endif
