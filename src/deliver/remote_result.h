/* deliver/remote_result.h - what became of each recipient, while several hosts are tried in turn.
 *
 * A recipient is open until it has an answer that another host would not change: delivered, refused by a reply to
 * MAIL, RCPT or DATA, or anything after the final dot. While it is open each host's failure is noted; a deferral is
 * never replaced by the refusal of a whole host, so a recipient is refused only if every host refused.
 */
#ifndef DELIVER_REMOTE_RESULT_H
#define DELIVER_REMOTE_RESULT_H

#include "base/arena.h"
#include "ipc/msg_remote.h"

/* One outcome, ours or the peer's. Slices live in the delivery's arena. */
struct remote_outcome {
	enum remote_result result;
	struct str         code, answer;
};

struct remote_rcpt_state {
	bool closed; /* has its final result */
	bool tried;  /* has an outcome of some host */
};

struct remote_results {
	struct remote_rcpt_result *items;
	struct remote_rcpt_state  *states;
	size_t                     count;
	struct str                 host, tls; /* of the session that is on; "" between sessions */
	uint32_t                   passes;    /* enum remote_passed: what its peer takes over with a recipient */
};

void remote_results_init(struct remote_results *r, struct arena *a, const struct remote_deliver_request *q);
/* Note an outcome for an open recipient and leave it open. */
void remote_results_note(struct remote_results *r, size_t i, struct remote_outcome o);
/* The same for all open ones. */
void remote_results_note_all(struct remote_results *r, struct remote_outcome o);
/* The final outcome. */
void remote_results_close(struct remote_results *r, size_t i, struct remote_outcome o);
/* No more hosts: `why` is noted where nothing was tried, or, if it is a deferral, where only refusals of hosts were. */
void remote_results_finish(struct remote_results *r, struct remote_outcome why);
bool remote_results_open(const struct remote_results *r);

#endif
