/* cli/cmd_trace.c - trace: what happened to a message, an address, a peer or a session.
 *
 * Two readings of the trace: first the events that match what was asked for, then all events of the messages they belong to, and of the
 * sessions these came in, but not the other messages of such a session.
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "cli/cli.h"
#include "cli/cli_event.h"
#include "ipc/msg_trace.h"
#include "sys/clock.h"
#include "wire/text/queue_id.h"

#define EVENTS_MAX  ((size_t)5000)            /* shown */
#define SINCE_MAX_S ((uint64_t)36500 * 86400) /* longer ago than anything */

struct found {
	struct cli         *c;
	struct trace_event *events;
	size_t              count;
	bool                cut; /* there are more */
};

static const char *const what_names[] = {
	[TRACE_CONNECTED] = "connected", [TRACE_TURNED_AWAY] = "turned away", [TRACE_SIGNED_IN] = "signed in",
	[TRACE_SIGNIN_REFUSED] = "sign-in refused", [TRACE_SENDER_REFUSED] = "sender refused", [TRACE_RCPT_REFUSED] = "recipient refused",
	[TRACE_MESSAGE_REFUSED] = "message refused", [TRACE_ACCEPTED] = "accepted", [TRACE_RECIPIENT] = "for", [TRACE_DELIVERED] = "delivered",
	[TRACE_DEFERRED] = "deferred", [TRACE_FAILED] = "failed", [TRACE_LOST] = "interrupted", [TRACE_REPORTED] = "reported",
	[TRACE_HELD] = "held", [TRACE_REMOVED] = "removed", [TRACE_ENDED] = "session ended", [TRACE_NOTE] = "note", [TRACE_EDITED] = "edited",
};
_Static_assert(LEN(what_names) == TRACE_LAST + 1, "a name for each");

/* All pages of the answer. */
static int find(struct found *f, const struct trace_key *keys, size_t key_count, int64_t since_ms)
{
	struct trace_find_request q = { .since_ms = since_ms, .key_count = key_count };
	struct trace_find_reply   r = { .more = true };
	struct trace_key         *copy = ARENA_ARRAY(f->c->arena, struct trace_key, key_count);

	memcpy(copy, keys, key_count * sizeof(*keys));
	q.keys = copy;
	f->count = 0;
	while (r.more && !f->cut) {
		int code = cli_ask(f->c, IPC_QUEUE_TRACE_FIND, &q, &r, "trace");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < r.event_count && !f->cut; i++) {
			f->cut = f->count == EVENTS_MAX;
			if (!f->cut)
				f->events[f->count++] = r.events[i];
		}
		q.segment = r.segment;
		q.offset = r.offset;
	}
	return CLI_OK;
}

static bool is_peer(struct str s)
{
	bool hex = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		hex = hex && (s.p[i] == '.' || s.p[i] == ':' || (s.p[i] >= '0' && s.p[i] <= '9') || (ascii_lower(s.p[i]) >= 'a' && ascii_lower(s.p[i]) <= 'f'));
	return hex && (str_find(s, '.') >= 0 || str_find(s, ':') >= 0);
}

static struct trace_key key_of(const char *text)
{
	struct trace_key k = { .text = str_of(text) };

	if (str_find(k.text, '@') >= 0)
		k.kind = TRACE_KEY_ADDRESS;
	else if (queue_id_parse(k.text, &k.message))
		k.kind = TRACE_KEY_MESSAGE;
	else
		k.kind = is_peer(k.text) ? TRACE_KEY_PEER : TRACE_KEY_SESSION;
	return k;
}

/* The messages and sessions of what was found, each once. */
static size_t keys_of(struct found *f, struct trace_key keys[LIMIT_TRACE_KEYS], struct map *messages)
{
	struct map sessions;
	size_t     count = 0;

	map_init(&sessions);
	for (size_t i = 0; i < f->count && count + 2 <= LIMIT_TRACE_KEYS; i++) {
		const struct trace_event *e = &f->events[i];

		if (e->message && !map_put_u64(messages, e->message, f))
			keys[count++] = (struct trace_key){ .kind = TRACE_KEY_MESSAGE, .message = e->message };
		if (e->session.n > 0 && !map_put(&sessions, e->session, f))
			keys[count++] = (struct trace_key){ .kind = TRACE_KEY_SESSION, .text = e->session };
	}
	map_done(&sessions);
	return count;
}

json_t *cli_event_json(const struct trace_event *e)
{
	json_t *o = json_pack("{s:I, s:s}", "at_ms", (json_int_t)e->at_ms, "what", what_names[e->what]);

	if (e->message)
		json_object_set_new(o, "id", json_string(queue_id_text(e->message).p));
	if (e->session.n)
		json_object_set_new(o, "session", cli_json_str(e->session));
	if (e->peer.n)
		json_object_set_new(o, "peer", cli_json_str(e->peer));
	if (e->what == TRACE_ACCEPTED || e->from.n)
		json_object_set_new(o, "from", cli_json_str(e->from));
	if (e->to.n)
		json_object_set_new(o, "to", cli_json_str(e->to));
	if (e->code)
		json_object_set_new(o, "code", json_integer(e->code));
	if (e->octets)
		json_object_set_new(o, "octets", json_integer((json_int_t)e->octets));
	if (e->text.n)
		json_object_set_new(o, "text", cli_json_str(e->text));
	return o;
}

void cli_event_print(struct cli *c, const struct trace_event *e)
{
	printf("%.*s.%03d  %-13s  %-17s", STR_FMT(cli_time(c->arena, e->at_ms)), (int)(e->at_ms % 1000),
	       e->message ? queue_id_text(e->message).p : arena_cstr(c->arena, cli_text(c->arena, e->session)), what_names[e->what]);
	if (e->peer.n && (e->what == TRACE_CONNECTED || e->what == TRACE_TURNED_AWAY || e->what == TRACE_ACCEPTED))
		printf(" from %.*s", STR_FMT(cli_text(c->arena, e->peer)));
	if (e->what == TRACE_ACCEPTED || e->from.n)
		printf(" <%.*s>", STR_FMT(cli_text(c->arena, e->from)));
	if (e->to.n)
		printf(" to <%.*s>", STR_FMT(cli_text(c->arena, e->to)));
	if (e->what == TRACE_ACCEPTED)
		printf(" %.*s", STR_FMT(cli_size(c->arena, e->octets)));
	if (e->what == TRACE_ACCEPTED && e->session.n)
		printf(" in session %.*s", STR_FMT(cli_text(c->arena, e->session)));
	if (e->text.n || e->code)
		printf(": ");
	if (e->code)
		printf("%u ", e->code);
	printf("%.*s\n", STR_FMT(cli_text(c->arena, e->text)));
}

static int show(struct found *f, struct map *messages)
{
	json_t *rows = f->c->json ? json_array() : NULL;

	for (size_t i = 0; i < f->count; i++) {
		const struct trace_event *e = &f->events[i];

		if (messages && e->message && !map_find_u64(messages, e->message))
			continue; /* another message of the session */
		if (rows)
			json_array_append_new(rows, cli_event_json(e));
		else
			cli_event_print(f->c, e);
	}
	if (rows)
		return cli_print_json(json_pack("{s:i, s:b, s:o}", "v", 1, "cut", f->cut, "events", rows));
	if (f->cut)
		printf("there is more: narrow it with --since\n");
	return CLI_OK;
}

/* "2d", "3h", "30m": so long ago. */
static int since(struct cli *c, int64_t *ret_ms)
{
	const char *text = cli_option(c, "since");
	uint64_t    seconds;

	*ret_ms = 0;
	if (!text)
		return CLI_OK;
	if (!cli_parse_time(text, &seconds) || seconds > SINCE_MAX_S)
		return cli_error(c, CLI_USAGE, "--since takes a time ago: 30m, 3h, 2d");
	*ret_ms = clock_wall_ms() - (int64_t)seconds * 1000;
	return CLI_OK;
}

int cmd_trace(struct cli *c)
{
	struct found     f = { .c = c, .events = ARENA_ARRAY(c->arena, struct trace_event, EVENTS_MAX) };
	struct trace_key key = key_of(c->args[0]), *keys = ARENA_ARRAY(c->arena, struct trace_key, LIMIT_TRACE_KEYS);
	struct map       messages;
	int64_t          since_ms;
	size_t           count;
	int              code = since(c, &since_ms);

	if (code == CLI_OK)
		code = find(&f, &key, 1, since_ms);
	if (code != CLI_OK)
		return code;
	if (f.count == 0)
		return cli_error(c, CLI_NOT_FOUND, "nothing about %s is in the trace", c->args[0]);
	if (key.kind == TRACE_KEY_PEER || key.kind == TRACE_KEY_SESSION)
		return show(&f, NULL);
	map_init(&messages);
	count = keys_of(&f, keys, &messages);
	code = find(&f, keys, count, since_ms);
	if (code == CLI_OK)
		code = show(&f, &messages);
	map_done(&messages);
	return code;
}
