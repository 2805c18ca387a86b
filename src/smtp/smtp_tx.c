/* smtp/smtp_tx.c - the mail transaction: begun in one place, emptied in one place. */
#include "smtp/smtp_session.h"

#include <stdio.h>
#include <string.h>

#define RCPTS_FIRST ((size_t)4)

void smtp_tx_begin(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	CHECK(!tx->arena);
	tx->arena = arena_new(net_arena(s->conn));
	s->transactions++;
	s->chunks_failed = false;
	snprintf(tx->id, sizeof(tx->id), "%s.%llu", s->info->id, (unsigned long long)s->transactions);
}

bool smtp_is_known(const struct smtp_session *s)
{
	return s->signed_in || (s->trusted && !s->xclient) || s->env->kind == SMTP_KIND_LMTP;
}

void smtp_tx_reset(struct smtp_session *s)
{
	smtp_submit_forget(&s->tx);
	smtp_content_done(&s->tx.content);
	arena_free(&s->tx.arena);
	s->tx = (struct smtp_tx){ .content.spool = -1 };
}

void smtp_tx_add_rcpt(struct smtp_tx *tx, const struct queue_rcpt *rcpt)
{
	tx->accepted++;
	for (size_t i = 0; i < tx->rcpt_count; i++)
		if (str_eq(tx->rcpts[i].address, rcpt->address))
			return;
	if (tx->rcpt_count == tx->rcpt_cap) {
		size_t             cap = MAX(tx->rcpt_cap * 2, RCPTS_FIRST);
		struct queue_rcpt *more = ARENA_ARRAY(tx->arena, struct queue_rcpt, cap);

		if (tx->rcpt_count > 0)
			memcpy(more, tx->rcpts, tx->rcpt_count * sizeof(*more));
		tx->rcpts = more;
		tx->rcpt_cap = cap;
	}
	tx->rcpt_octets += rcpt->address.n + rcpt->orcpt.n;
	tx->rcpts[tx->rcpt_count++] = (struct queue_rcpt){
		.address = arena_dup(tx->arena, rcpt->address),
		.notify = rcpt->notify,
		.orcpt = arena_dup(tx->arena, rcpt->orcpt),
	};
}
