/* imap/imap_memory.c - what a session holds beside its command line counts against limits.memory of the process (net_memory_take).
 *
 *   out    the output that waits for a write, in steps: LIMIT_IMAP_WORK from the start of a command whose row says IMAP_CMD_BULK,
 *          else what there is of it, but a few KiB are free
 *   work   what the command at hand reads, as it needs it
 *   view   the list of messages
 *   saved  results of searches that are kept
 *
 * Where the process is full, a command is refused before it begins, or stops between two messages: NO [LIMIT]. Only what cannot
 * be taken back (news of the mailbox, an announced literal) ends the session: BYE behind the last whole line, or nothing.
 */
#include "imap/imap_session.h"

#define OUT_FREE (8 * KIB)  /* small answers are no more than what a thread holds anyway */
#define STEP     (64 * KIB)

static bool grow(struct imap_session *s, size_t *held, size_t octets)
{
	size_t want = (octets + STEP - 1) / STEP * STEP;

	if (want <= *held)
		return true;
	if (!net_memory_take(net_of(s->conn), want - *held))
		return false;
	*held = want;
	return true;
}

static void give(struct imap_session *s, size_t *held)
{
	if (*held > 0)
		net_memory_give(net_of(s->conn), *held);
	*held = 0;
}

/* Twice what is in it: a buffer grows by doubling. */
bool imap_out_room(struct imap_session *s, size_t n)
{
	return s->out.n + n <= OUT_FREE || grow(s, &s->memory.out, 2 * (s->out.n + n));
}

void imap_out_give(struct imap_session *s)
{
	give(s, &s->memory.out);
}

bool imap_work_take(struct imap_session *s, size_t octets)
{
	return grow(s, &s->memory.work, octets);
}

void imap_work_give(struct imap_session *s)
{
	give(s, &s->memory.work);
}

bool imap_view_take(struct imap_session *s, size_t octets)
{
	return grow(s, &s->memory.view, octets);
}

void imap_view_give(struct imap_session *s)
{
	give(s, &s->memory.view);
}

bool imap_saved_take(struct imap_session *s, size_t octets)
{
	if (!net_memory_take(net_of(s->conn), octets))
		return false;
	s->memory.saved += octets;
	return true;
}

void imap_saved_give(struct imap_session *s, size_t octets)
{
	CHECK(octets <= s->memory.saved);
	net_memory_give(net_of(s->conn), octets);
	s->memory.saved -= octets;
}

enum imap_next imap_full(struct imap_session *s)
{
	return imap_no(s, "[LIMIT] The server is full, try again later");
}

void imap_out_over(struct imap_session *s)
{
	if (s->broken)
		return;
	s->broken = true;
	s->end = "memory limit";
	if (s->whole != IMAP_NOT_WHOLE) {
		s->out.n = MIN(s->whole, s->out.n);
		buf_add(&s->out, STR("* BYE [UNAVAILABLE] The server is full, connect again later\r\n"));
	}
	s->out.over = true; /* nothing behind it */
}
